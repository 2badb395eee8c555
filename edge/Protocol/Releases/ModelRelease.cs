using System.Text.Json;

namespace Foretier.Protocol.Releases;

/// <summary>What a publisher signs of a model: which it is, for whom, until when, and the digest of each of its files.</summary>
/// <param name="Format">Of this document: 1.</param>
/// <param name="Id">Which contract it keeps, e.g. <c>volume-lstm</c>.</param>
/// <param name="Version">Rises with every release of this id; a box takes no lower one than it has had, see <see cref="StepsBack"/>.</param>
/// <param name="Contract">Version of the contract that it keeps.</param>
/// <param name="OnnxRuntimeMin">The oldest ONNX Runtime that it may run on.</param>
/// <param name="Expires">From then on no box begins with it; one that has it goes on.</param>
/// <param name="Files">All of it, <c>model.json</c> among them.</param>
public sealed record ModelRelease(
    int Format, string Id, int Version, int Contract, string OnnxRuntimeMin, DateTimeOffset Expires, IReadOnlyList<ReleasedFile> Files)
{
    public const int FormatVersion = 1;

    /// <summary>A thousand times what a model takes: more is no model.</summary>
    public const long BytesMax = 32 << 20;

    private const int FilesMax = 8;

    /// <summary>Signed to be taken by boxes that have had a later version: a step back that its publisher wants.</summary>
    public bool StepsBack { get; init; }

    public long Bytes => Files.Sum(file => file.Bytes);

    public byte[] ToDocument() => JsonSerializer.SerializeToUtf8Bytes(this, ReleasedFile.Json);

    /// <exception cref="ReleaseRefusedException">It is no such document, or names what cannot be.</exception>
    public static ModelRelease Parse(ReadOnlySpan<byte> document)
    {
        var release = ReleasedFile.Read<ModelRelease>(document);
        if (release.Format != FormatVersion)
        {
            throw new ReleaseRefusedException($"the release has format {release.Format}; this program reads {FormatVersion}");
        }
        if (!ReleasedFile.IsName(release.Id) || release.Version < 1)
        {
            throw new ReleaseRefusedException($"the release names '{release.Id}' {release.Version}, which is no model and version");
        }
        ReleasedFile.Check(release.Files, FilesMax, BytesMax);
        return release;
    }
}
