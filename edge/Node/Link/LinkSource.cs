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
public sealed class LinkSource(string node, LinkedNode link, bool behind, TimeSpan deadline) : IDataSource
{
    public string Node => node;

    /// <summary>What stands before a node's own addresses on the link it is reached through.</summary>
    internal static string PathOf(string node, bool behind) => behind ? $"internal/v1/nodes/{node}/" : "";

    public async Task<FetchResult> FetchAsync(FetchRequest request, CancellationToken cancel)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancel, link.Ended);
        timeout.CancelAfter(deadline);
        try
        {
            using var question = link.Request(HttpMethod.Post, PathOf(node, behind) + "internal/v1/fetch", JsonContent.Create(request, options: NodeJson.Options));
            using var response = await link.Http.SendAsync(question, HttpCompletionOption.ResponseHeadersRead, timeout.Token).ConfigureAwait(false);
            if (!response.IsSuccessStatusCode)
            {
                throw new DataSourceUnavailableException(node, $"answered {(int)response.StatusCode}");
            }
            return await ReadAsync(response.Content, timeout.Token).ConfigureAwait(false);
        }
        catch (Exception error) when (error is HttpRequestException or IOException or FormatException
            || (error is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            throw new DataSourceUnavailableException(node, error is OperationCanceledException ? "no answer in time" : error.Message, error);
        }
    }

    /// <summary>The bytes are borrowed: new ones for each answer would be a good part of a router's garbage.</summary>
    private static async Task<FetchResult> ReadAsync(HttpContent content, CancellationToken cancel)
    {
        var length = content.Headers.ContentLength is { } told and <= int.MaxValue ? (int)told : throw new FormatException("an answer that does not say how long it is");
        var bytes = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            var body = await content.ReadAsStreamAsync(cancel).ConfigureAwait(false);
            await using (body.ConfigureAwait(false))
            {
                await body.ReadExactlyAsync(bytes.AsMemory(0, length), cancel).ConfigureAwait(false);
            }
            return FetchCodec.Read(bytes.AsSpan(0, length));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }
}
