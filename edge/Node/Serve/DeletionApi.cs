using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Node.Keys;
using Foretier.Protocol.Api;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Foretier.Node.Serve;

/// <summary>What a node does of a deletion.</summary>
public sealed record DeletionDuties
{
    /// <summary>Deletes on an edge, or in the place of edges that are out of service; a null result: it knows no such series of its own or theirs. IOException: it could not be written down.</summary>
    public Func<SeriesKey, TimeRange, CancellationToken, Task<DeletionReply?>>? Delete { get; init; }

    /// <summary>The edges that the node knows to have a series.</summary>
    public required Func<string, IEnumerable<string>> EdgesOf { get; init; }
}

/// <summary>
/// Deletion of a range of one series: asked of any node, written down by every edge that has the series, which pass it on to gateway and
/// archive with what they ship; for those that were taken out of service their gateway does. Where an edge is only away it cannot be done yet, and is not said to be.
/// </summary>
public sealed class DeletionApi(DeletionDuties? own, Cascade cascade, TimeProvider clock)
{
    public void Map(RouteGroupBuilder group) => group.MapDelete("/series/{account}/{device}/{measurement}", DeleteAsync).Taking("from", "to")
        .WithSummary("Delete what was accepted of a series in [from, to) until now, on every tier.").RequireAdminOrNode();

    private async Task<IResult> DeleteAsync(string account, string device, string measurement, string? from, string? to, CancellationToken cancel)
    {
        var name = $"{account}/{device}/{measurement}";
        if (!SeriesKey.TryParse(name, out var series))
        {
            return Problem.Of(StatusCodes.Status400BadRequest, "bad_series", $"'{name}' is not account/device/measurement; one series at a time is deleted from, patterns are not taken");
        }
        var now = Instant.Now(clock);
        if (string.IsNullOrWhiteSpace(from) || string.IsNullOrWhiteSpace(to)
            || !Question.TryTime(from, now, now, out var start) || !Question.TryTime(to, now, now, out var end) || start >= end)
        {
            return Problem.Of(StatusCodes.Status400BadRequest, "bad_time",
                $"from='{from}' and to='{to}' do not name a range: both are needed, RFC 3339, epoch, now or -6h, and from is before to");
        }
        var range = new TimeRange(start, end);
        var replies = new List<DeletionReply>();
        try
        {
            if (own?.Delete is { } here && await here(series!, range, cancel).ConfigureAwait(false) is { } done)
            {
                replies.Add(done);
            }
        }
        catch (ArgumentException wrong)
        {
            return Problem.Of(StatusCodes.Status409Conflict, "samples_gone", wrong.Message);
        }
        catch (IOException error)
        {
            return Problem.Of(StatusCodes.Status503ServiceUnavailable, "not_written", $"it could not be written down and is not done: {error.Message}");
        }
        var path = $"series/{Uri.EscapeDataString(account)}/{Uri.EscapeDataString(device)}/{Uri.EscapeDataString(measurement)}"
            + $"?from={Uri.EscapeDataString(Instant.Format(start))}&to={Uri.EscapeDataString(Instant.Format(end))}";
        var faults = new List<string>();
        Protocol.Api.Problem? conflict = null;
        foreach (var answer in await cascade.AskBelowAsync<DeletionReply>(HttpMethod.Delete, path, null, cancel).ConfigureAwait(false))
        {
            if (answer.Reply is not null)
            {
                replies.Add(answer.Reply);
            }
            else if (answer.Problem is { Status: StatusCodes.Status409Conflict } refused)
            {
                conflict = refused;
            }
            else if (answer.Problem?.Status != StatusCodes.Status404NotFound)
            {
                faults.Add($"{answer.Node}: {answer.Error}");
            }
        }
        var edges = replies.SelectMany(reply => reply.Edges).Distinct().ToList();
        var away = (own?.EdgesOf(name) ?? []).Except(edges).ToList();
        if (conflict is not null)
        {
            return Problem.Of(conflict.Status, conflict.Code ?? "refused", conflict.Detail ?? conflict.Title);
        }
        if (faults.Count > 0 || away.Count > 0)
        {
            return Problem.Of(StatusCodes.Status503ServiceUnavailable, "edge_away",
                $"{(away.Count > 0 ? $"{string.Join(", ", away)} has samples of {name} and could not be reached. " : "")}{string.Join("; ", faults)} "
                + $"{(edges.Count > 0 ? $"It is deleted on {string.Join(", ", edges)}. " : "Nothing is deleted. ")}Ask again when it is back, or, where it will not come back, after 'foretier map forget EDGE'.");
        }
        if (replies.Count == 0)
        {
            return Problem.Of(StatusCodes.Status404NotFound, "unknown_series", $"no edge has a series '{name}'; list what there is with GET /api/v1/series or 'foretier series'");
        }
        var all = new DeletionReply(name, new(start), new(end), [.. replies.SelectMany(reply => reply.Deleted)], edges, [.. replies.SelectMany(reply => reply.Pending).Distinct()]);
        return all.Pending.Count == 0 ? Results.Ok(all) : Results.Accepted(value: all);
    }
}
