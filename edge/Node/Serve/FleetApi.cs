using System.Collections.Concurrent;
using Foretier.Core.Samples;
using Foretier.Node.Hosting;
using Foretier.Node.Keys;
using Foretier.Protocol;
using Foretier.Protocol.Api;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Foretier.Node.Serve;

/// <summary>What a node is, in one line of <c>foretier fleet</c>.</summary>
public sealed record FleetDuties
{
    public required string Node { get; init; }

    /// <summary>edge, gateway or router.</summary>
    public required string Role { get; init; }

    /// <summary>What its health page says.</summary>
    public required Func<IEnumerable<string>> Problems { get; init; }

    public Func<string?>? Model { get; init; }
    public Func<double?>? FlashYears { get; init; }

    /// <summary>Adds how boxes stand with the image that is rolled out; at routers.</summary>
    public Func<IEnumerable<FleetEntry>, IEnumerable<FleetEntry>>? Updates { get; init; }

    /// <summary>The nodes below that were ever heard of; null where there are none.</summary>
    public Func<IReadOnlyList<NodeStatus>>? Below { get; init; }
}

/// <summary>Every box at or below a node; of those that are away, what they said when they were asked last.</summary>
internal sealed class FleetApi(FleetDuties? own, Cascade cascade, TimeProvider clock)
{
    private readonly ConcurrentDictionary<string, FleetEntry> _heard = new();

    public void Map(RouteGroupBuilder group) =>
        group.MapGet("/fleet", ListAsync).Taking().WithSummary("Every box: version, model, health, flash life left, last seen.").RequireAdminOrNode();

    private async Task<IResult> ListAsync(CancellationToken cancel)
    {
        var boxes = new List<FleetEntry>();
        var now = Instant.Now(clock);
        if (own is not null)
        {
            boxes.Add(new(own.Node, own.Role, true, new(now))
            {
                Version = NodeHost.ProgramVersion,
                Image = Environment.GetEnvironmentVariable(Health.ImageVariable),
                Model = own.Model?.Invoke(),
                Problems = [.. own.Problems()],
                FlashYears = own.FlashYears?.Invoke(),
            });
        }
        foreach (var reply in await cascade.AskBelowAsync<FleetReply>(HttpMethod.Get, "fleet", null, cancel).ConfigureAwait(false))
        {
            foreach (var box in reply.Reply?.Boxes ?? [])
            {
                _heard[box.Node] = box;
                boxes.Add(box);
            }
        }
        // Who is away: what it said when it was last asked, and when it was last heard.
        foreach (var away in (own?.Below?.Invoke() ?? []).Where(below => boxes.TrueForAll(box => box.Node != below.Node)))
        {
            ApiTime? seen = away.SilentMilliseconds is { } silent ? new(now - (long)(silent * Instant.Millisecond)) : null;
            boxes.Add(_heard.TryGetValue(away.Node, out var before) ? before with { Connected = false, Seen = seen ?? before.Seen } : new(away.Node, "", false, seen));
        }
        return Results.Ok(new FleetReply([.. (own?.Updates?.Invoke(boxes) ?? boxes).OrderBy(box => box.Node, StringComparer.Ordinal)]));
    }
}
