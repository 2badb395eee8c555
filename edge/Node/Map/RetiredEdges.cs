using System.Net;
using Foretier.Node.Keys;
using Foretier.Node.Link;
using Foretier.Node.Serve;
using Foretier.Protocol.Api;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;
using Problem = Foretier.Node.Serve.Problem;

namespace Foretier.Node.Map;

/// <summary>
/// DELETE map/EDGE: an edge that was taken out of service is forgotten, here and on the nodes below: what was expected of it, and that it is not connected.
/// What it shipped stays, and its gateway may delete of it in its place. It is in service again as soon as it dials in.
/// </summary>
public sealed class RetiredEdges
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);

    private readonly PartitionMapStore _map;
    private readonly CatalogFollower _nodes;
    private readonly LinkHub _hub;
    private readonly ILogger _log;
    private readonly Roster? _names;
    private readonly Func<string, bool> _hasDataOf;

    /// <param name="names">Where those that were forgotten are written down; null where nobody asks.</param>
    /// <param name="hasDataOf">Whether this node has what an edge shipped, though it may never have seen the edge itself.</param>
    public RetiredEdges(PartitionMapStore map, CatalogFollower nodes, LinkHub hub, ILogger<RetiredEdges> log, Roster? names = null, Func<string, bool>? hasDataOf = null)
    {
        (_map, _nodes, _hub, _log, _names, _hasDataOf) = (map, nodes, hub, log, names, hasDataOf ?? (_ => false));
        hub.Opened += Return;
    }

    /// <summary>The edges that were taken out of service.</summary>
    public IReadOnlyList<string> Names => _names?.Names ?? [];

    public void Map(RouteGroupBuilder group) => group.MapDelete("/map/{edge}", ForgetAsync).Taking()
        .WithSummary("Forget an edge that was taken out of service: its part of the partition map, and that it is not connected. What it shipped stays.").RequireAdminOrNode();

    private async Task<IResult> ForgetAsync(string edge, CancellationToken cancel)
    {
        if (_nodes.SourceOf(edge) is not null)
        {
            return Problem.Of(StatusCodes.Status409Conflict, "connected", $"{edge} is connected, and would send its map again: stop it first");
        }
        try
        {
            var isKnown = false;
            foreach (var below in _hub.Nodes)
            {
                isKnown |= await TellAsync(below, edge, cancel).ConfigureAwait(false);
            }
            isKnown |= await _map.RemoveAsync(edge, cancel).ConfigureAwait(false);
            isKnown |= _nodes.Forget(edge);
            isKnown |= _hasDataOf(edge);
            if (isKnown)
            {
                _names?.Add(edge);
            }
            if (_hub.Find(edge) is { } back)
            {
                // It has dialled in while it was forgotten.
                Return(back);
            }
            return isKnown ? Results.Ok(new EdgeReply(edge))
                : Problem.Of(StatusCodes.Status404NotFound, "unknown", $"nothing is known of an edge {edge}; list them with GET /api/v1/map or 'foretier map'");
        }
        catch (IOException e)
        {
            return Problem.Of(StatusCodes.Status503ServiceUnavailable, "not_written", $"{edge} is not forgotten: {e.Message}");
        }
    }

    private void Return(LinkedNode node)
    {
        try
        {
            _names?.Remove(node.Name);
        }
        catch (IOException e)
        {
            _log.LogWarning("That {Edge} is in service again cannot be written down: {Reason}", node.Name, e.Message);
        }
    }

    private async Task<bool> TellAsync(LinkedNode below, string edge, CancellationToken cancel)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel, below.Ended);
        deadline.CancelAfter(Deadline);
        try
        {
            using var response = await below.Http.DeleteAsync($"internal/v1/map/{Uri.EscapeDataString(edge)}", deadline.Token).ConfigureAwait(false);
            return response.StatusCode == HttpStatusCode.OK;
        }
        catch (Exception error) when (error is HttpRequestException or IOException || (error is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            _log.LogWarning("{Node} was not told that {Edge} is out of service ({Reason}); it will be said to be missing there until it is forgotten again", below.Name, edge, error.Message);
            return false;
        }
    }
}
