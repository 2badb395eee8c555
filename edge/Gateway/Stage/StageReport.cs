using System.Diagnostics.Metrics;
using Foretier.Core.Samples;
using Foretier.Gateway.Warm;
using Foretier.Protocol.Api;

namespace Foretier.Gateway.Stage;

/// <summary>What the gateway tells of what it made ahead: on the scorecard and on /metrics.</summary>
internal static class StageReport
{
    /// <summary>What was made ahead over the last days; since the beginning for 0.</summary>
    public static IReadOnlyList<MoveLine> LinesOf(WarmStore store, int days, long now)
    {
        var waiting = store.Copies.Where(copy => copy.Reads == 0).ToLookup(WarmStore.NameOf);
        return [.. store.CountMoves(days == 0 ? 0 : now / Instant.Day - days + 1).OrderBy(line => line.Key, StringComparer.Ordinal).Select(line => new MoveLine(
            line.Key, line.Value.Made, line.Value.Moved, line.Value.Bytes, line.Value.Used, line.Value.UsedBytes, line.Value.Wasted, line.Value.WastedBytes,
            waiting[line.Key].Count(), waiting[line.Key].Sum(copy => copy.Bytes), line.Value.Reads))];
    }

    public static NodeScorecard ScorecardOf(string node, int days, string? model, WarmStore store, TimeProvider clock) =>
        new(node, days, model, null, [], null, new Dictionary<string, double>(), []) { Moves = LinesOf(store, days, Instant.Now(clock)) };

    public static void Observe(Meter meter, WarmStore store, Stager stager, StageOptions options)
    {
        void Count(string name, string unit, string help, Func<MoveLine, long> figure) => meter.CreateObservableCounter(name,
            () => LinesOf(store, 0, 0).Select(line => new Measurement<long>(figure(line), new KeyValuePair<string, object?>("what", line.What))), unit, help);
        Count("foretier.ahead.made", "{copy}", "Copies made ahead of reads.", line => line.Made);
        Count("foretier.ahead.moved.bytes", "By", "Bytes read to make them.", line => line.MovedBytes);
        Count("foretier.ahead.used", "{copy}", "Of them, those that answered a question.", line => line.Used);
        Count("foretier.ahead.wasted", "{copy}", "Of them, those dropped before they answered any.", line => line.Wasted);
        Count("foretier.ahead.reads", "{request}", "Questions they answered a part of.", line => line.Reads);
        meter.CreateObservableGauge("foretier.ahead.bytes", () => store.Copies.Sum(copy => copy.Bytes), "By", "Disk that copies take now.");
        meter.CreateObservableGauge("foretier.ahead.bytes_max", () => options.BytesMax, "By", "What they may take.");
        meter.CreateObservableGauge("foretier.ahead.missing.bytes", () => stager.Room.Missing, "By", "What would be worth copying, and has no room.");
    }
}
