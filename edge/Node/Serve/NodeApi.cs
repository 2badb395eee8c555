using System.Diagnostics.CodeAnalysis;
using Foretier.Core.Query;
using Foretier.Core.Segments;
using Foretier.Core.Tiers;
using Foretier.Node.Hosting;
using Foretier.Node.Link;
using Foretier.Protocol;
using Foretier.Protocol.Fetching;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Hosting;

namespace Foretier.Node.Serve;

/// <summary>What a node tells the node above it: its catalog as it changes, and the samples it is asked for.</summary>
public static class NodeApi
{
    /// <summary>What most answers take; longer ones take more.</summary>
    private const int AnswerBytes = 64 << 10;

    /// <summary>After so long without news the catalog is told all the same.</summary>
    internal static readonly TimeSpan PollMax = TimeSpan.FromSeconds(1);

    /// <summary>POST fetch: the parts of one source.</summary>
    public static void MapFetch(this RouteGroupBuilder group, IDataSource source)
    {
        group.MapPost("/fetch", async (HttpContext http, FetchRequest request, CancellationToken cancel) =>
        {
            try
            {
                using var result = await source.FetchAsync(request, cancel).ConfigureAwait(false);
                using var bytes = new ByteWriter(AnswerBytes);
                FetchCodec.Write(bytes, result);
                http.Response.ContentType = FetchCodec.ContentType;
                http.Response.ContentLength = bytes.Length;
                await http.Response.Body.WriteAsync(bytes.WrittenMemory, cancel).ConfigureAwait(false);
                return Results.Empty;
            }
            catch (DataSourceUnavailableException error)
            {
                return Problem.Of(StatusCodes.Status503ServiceUnavailable, "source_unavailable", error.Message);
            }
        });
    }

    /// <summary>Series that are worth packing, and those of which the text, a hundred bytes each, may be in memory at once: more are written as they are read.</summary>
    internal const int PackedMin = 32, PackedMax = 20_000;

    /// <summary>GET catalog?since=REV&amp;packed=BOOL: answers when there is news, at the latest after a second; so it is a heartbeat too. With packed many series come packed.</summary>
    public static void MapCatalog(this RouteGroupBuilder group, Catalog catalog, TimeProvider clock, Func<IReadOnlyList<NodeStatus>> nodes)
    {
        group.MapGet("/catalog", async (long since, bool? packed, IHostApplicationLifetime lifetime, CancellationToken cancel) =>
        {
            using var wait = CancellationTokenSource.CreateLinkedTokenSource(cancel, lifetime.ApplicationStopping);
            wait.CancelAfter(PollMax);
            // (In real time, however fast the data's may run.)
            var asked = TimeProvider.System.GetTimestamp();
            try
            {
                await catalog.WaitForChangeAsync(since, wait.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
            {
                // No news within the poll.
            }
            var update = catalog.ChangesSince(since);
            var message = new CatalogMessage(update with { Holdings = [.. update.Holdings.Where(h => h.Node != Holding.Below)] }, nodes(), TimeProvider.System.GetElapsedTime(asked).TotalMilliseconds);
            return packed == true && update.Series.Count is >= PackedMin and <= PackedMax
                ? Results.Bytes(PackedJson.Pack(message), PackedJson.MediaType) : Results.Json(message, NodeJson.Options);
        });
    }

    /// <summary>ANY nodes/{node}/…: passes a request on down the link of that node, so that the one above reaches everything below.</summary>
    [SuppressMessage("Reliability", "CA2000", Justification = "the message is disposed with its response")]
    public static void MapForward(this RouteGroupBuilder group, LinkHub hub)
    {
        group.Map("/nodes/{node}/{**path}", async (HttpContext http, string node, string path, CancellationToken cancel) =>
        {
            if (hub.Find(node) is not { } link)
            {
                return Problem.Of(StatusCodes.Status503ServiceUnavailable, "source_unavailable", $"{node} is not connected here");
            }
            using var request = link.Request(new HttpMethod(http.Request.Method), path + http.Request.QueryString);
            if (http.Request.ContentLength > 0 || http.Request.Headers.TransferEncoding.Count > 0 || http.Request.ContentType is not null)
            {
                request.Content = new StreamContent(http.Request.Body);
                request.Content.Headers.TryAddWithoutValidation("Content-Type", http.Request.ContentType);
            }
            // (One may wait for news there for as long as it likes, over a link that lives.)
            using var patience = new LinkPatience(link, cancel);
            try
            {
                using var response = await link.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token).ConfigureAwait(false);
                http.Response.StatusCode = (int)response.StatusCode;
                http.Response.ContentType = response.Content.Headers.ContentType?.ToString();
                http.Response.ContentLength = response.Content.Headers.ContentLength;
                await response.Content.CopyToAsync(http.Response.Body, patience.Token).ConfigureAwait(false);
                return Results.Empty;
            }
            catch (Exception error) when (!cancel.IsCancellationRequested && error is HttpRequestException or IOException or OperationCanceledException)
            {
                if (http.Response.HasStarted)
                {
                    http.Abort();
                    return Results.Empty;
                }
                return Problem.Of(StatusCodes.Status503ServiceUnavailable, "source_unavailable", $"{node} broke off: {patience.Reason ?? error.Message}");
            }
        });
    }
}
