using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Node.Hosting;
using Foretier.Node.Keys;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Foretier.Node.Serve;

/// <summary>GET map: the predictive partition map as this node knows it, or the part of it that a series pattern, an edge and a range name.</summary>
public sealed class PartitionMapApi(Func<PartitionMap> map, TimeProvider clock)
{
    private static readonly string[] Filters = ["series", "edge", "from", "to"];

    public void Map(RouteGroupBuilder api) => api.MapGet("/map", Show).Taking(Filters).WithName("map")
        .WithSummary("The predictive partition map: what is expected, and what is reserved for it; of series, an edge, windows within from and to.");

    private IResult Show(HttpContext http, string? series, string? edge, string? from, string? to)
    {
        SeriesGlob? glob = null;
        if (series is not null && !SeriesGlob.TryParse(series, out glob, out var why))
        {
            return Problem.Of(StatusCodes.Status400BadRequest, "bad_series", why!);
        }
        var now = Instant.Now(clock);
        if (!Question.TryTime(from, now, TimeRange.Everything.From, out var start) || !Question.TryTime(to, now, TimeRange.Everything.To, out var end) || start >= end)
        {
            return Problem.Of(StatusCodes.Status400BadRequest, "bad_time", $"from='{from}' and to='{to}' do not name a range: RFC 3339, epoch, now or -6h, and from is before to");
        }
        var current = map();
        var range = new TimeRange(start, end);
        var caller = http.Caller();
        var entries = (edge is null ? current.Entries : current.EntriesOf(edge)).Where(entry => caller.MayRead(entry.Id.Account) && entry.Id.Window.Range.Overlaps(range));
        if (glob is not null)
        {
            // Of a group with thousands of members only once, not for each of its windows.
            var known = new Dictionary<GroupMembers, bool>(ReferenceEqualityComparer.Instance);
            entries = entries.Where(entry => current.MembersOf(entry) is { } members
                && (known.TryGetValue(members, out var matches) ? matches : known[members] = members.Series.Any(name => SeriesKey.TryParse(name, out var key) && glob.Matches(key!))));
        }
        var shown = entries.ToList();
        return Results.Json(new
        {
            revision = current.Revision,
            entries = shown,
            groups = shown.Select(current.MembersOf).OfType<GroupMembers>().Distinct(ReferenceEqualityComparer.Instance),
        }, NodeJson.Options);
    }
}
