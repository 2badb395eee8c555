using System.Net;

namespace Foretier.Agent.Ship;

/// <summary>The body of a request, sent piece by piece no faster than the pace allows.</summary>
/// <param name="moved">Called after each piece, so that whoever waits knows that it is getting on.</param>
internal sealed class PacedContent(ReadOnlyMemory<byte> bytes, LinkPace pace, Action moved) : HttpContent
{
    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        for (var at = 0; at < bytes.Length;)
        {
            var piece = bytes.Slice(at, Math.Min(pace.PieceBytes, bytes.Length - at));
            await pace.TakeAsync(piece.Length, cancellationToken);
            await stream.WriteAsync(piece, cancellationToken);
            at += piece.Length;
            moved();
        }
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override bool TryComputeLength(out long length)
    {
        length = bytes.Length;
        return true;
    }
}
