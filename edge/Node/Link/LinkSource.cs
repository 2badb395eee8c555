using System.Buffers;
using System.Net.Http.Json;
using Foretier.Core.Query;
using Foretier.Node.Hosting;
using Foretier.Protocol.Fetching;

namespace Foretier.Node.Link;

/// <summary>A data source at the other end of a link, or behind it.</summary>
/// <param name="node">The node that is asked.</param>
/// <param name="link">The link it is reached through.</param>
/// <param name="behind">False: the link's own node. True: a node that dialled into that one.</param>
public sealed class LinkSource(string node, LinkedNode link, bool behind) : IDataSource
{
    /// <summary>
    /// How long nothing of an answer may come over a link that lives: as long as what is sent before it may take over a slow one (256 kbit/s), and a slow disk may be read.
    /// </summary>
    private static readonly TimeSpan StalledMax = TimeSpan.FromSeconds(30);

    /// <summary>How long all of it may take, so that what only trickles keeps no question, and nobody else's stream on the link, for ever: 15 MB at 1 Mbit/s.</summary>
    private static readonly TimeSpan AnswerMax = TimeSpan.FromMinutes(2);

    public string Node => node;

    /// <summary>What stands before a node's own addresses on the link it is reached through.</summary>
    internal static string PathOf(string node, bool behind) => behind ? $"internal/v1/nodes/{node}/" : "";

    public async Task<FetchResult> FetchAsync(FetchRequest request, CancellationToken cancel)
    {
        using var patience = new LinkPatience(link, cancel, StalledMax, AnswerMax);
        try
        {
            using var question = link.Request(HttpMethod.Post, PathOf(node, behind) + "internal/v1/fetch", JsonContent.Create(request, options: NodeJson.Options));
            using var response = await link.Http.SendAsync(question, HttpCompletionOption.ResponseHeadersRead, patience.Token).ConfigureAwait(false);
            patience.Moved();
            if (!response.IsSuccessStatusCode)
            {
                throw new DataSourceUnavailableException(node, $"answered {(int)response.StatusCode}");
            }
            return await ReadAsync(response.Content, patience).ConfigureAwait(false);
        }
        catch (Exception error) when (error is HttpRequestException or IOException or FormatException
            || (error is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            throw new DataSourceUnavailableException(node, patience.Reason ?? error.Message, error);
        }
    }

    /// <summary>The bytes are borrowed: new ones for each answer would be a good part of a router's garbage.</summary>
    private static async Task<FetchResult> ReadAsync(HttpContent content, LinkPatience patience)
    {
        var length = content.Headers.ContentLength is { } told and <= int.MaxValue ? (int)told : throw new FormatException("an answer that does not say how long it is");
        var bytes = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            var body = await content.ReadAsStreamAsync(patience.Token).ConfigureAwait(false);
            await using (body.ConfigureAwait(false))
            {
                for (var there = 0; there < length; patience.Moved())
                {
                    var read = await body.ReadAsync(bytes.AsMemory(there, length - there), patience.Token).ConfigureAwait(false);
                    there += read > 0 ? read : throw new EndOfStreamException($"the answer ends after {there} of {length} bytes");
                }
            }
            return FetchCodec.Read(bytes.AsSpan(0, length));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }
}
