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
            using var response = await link.Http.PostAsJsonAsync(PathOf(node, behind) + "internal/v1/fetch", request, NodeJson.Options, timeout.Token).ConfigureAwait(false);
            if (!response.IsSuccessStatusCode)
            {
                throw new DataSourceUnavailableException(node, $"answered {(int)response.StatusCode}");
            }
            using var body = new MemoryStream(await response.Content.ReadAsByteArrayAsync(timeout.Token).ConfigureAwait(false));
            return FetchCodec.Read(body);
        }
        // (A link that ended between being found and being asked is gone, its client with it.)
        catch (Exception error) when (error is HttpRequestException or IOException or FormatException or ObjectDisposedException
            || (error is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            throw new DataSourceUnavailableException(node, error is OperationCanceledException ? "no answer in time" : error.Message, error);
        }
    }
}
