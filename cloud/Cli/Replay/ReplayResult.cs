using System.Globalization;
using Foretier.Predict.Models;
using Foretier.Predict.Replay;
using Foretier.Predict.Replay.Events;

namespace Foretier.Cli.Replay;

/// <summary>What is shown of one policy; null where the trace cannot tell.</summary>
internal sealed record ReplayRow(string Policy, long Reads, double HotHit, double HotHitBytes, long Promotions, long Demotions, double MoveAmp)
{
    public EventScore? Events { get; private init; }

    /// <summary>Charts over time: what they are of, and a value for each day.</summary>
    public IReadOnlyList<(string Title, IReadOnlyList<double> Daily)> Charts { get; private init; } = [];

    public static ReplayRow Of(PolicyScore s) => new(s.Policy, s.Reads, s.HotHit, s.HotHitBytes, s.Promotions, s.Demotions, s.MoveAmp) { Charts = [("Hot hits", s.Daily)] };

    public static ReplayRow Of(EventScore s) => new(s.Policy, s.Reads, s.HotHit, s.HotHitBytes, s.Promotions, s.Demotions, s.MoveAmp)
    {
        Events = s,
        Charts =
        [
            ("Hot hits", [.. s.Daily.Select(d => d.HotHit)]), ("Rollups built before they were asked for", [.. s.Daily.Select(d => d.PreSynthHit)]),
            ("Mean latency, ms", [.. s.Daily.Select(d => d.LatencyMean * 1000)]),
        ],
    };
}

/// <summary>What is shown of a replay.</summary>
internal sealed record ReplayResult(string Trace, ReplayOptions Options, IReadOnlyList<ReplayRow> Rows, ModelManifest? Model)
{
    /// <summary>How large the trace and the fast tier are.</summary>
    public required string About { get; init; }

    /// <summary>The way from lru (0) to clairvoyant (1); null where one of them was not replayed.</summary>
    public double? GapClosed(ReplayRow row) =>
        Rows.FirstOrDefault(s => s.Policy == "lru") is { } lru && Rows.FirstOrDefault(s => s.Policy == "clairvoyant") is { } best && best.HotHit > lru.HotHit
            ? (row.HotHit - lru.HotHit) / (best.HotHit - lru.HotHit) : null;

    public void Show(Terminal terminal)
    {
        if (terminal.Json)
        {
            terminal.WriteDocument(new
            {
                trace = Trace,
                about = About,
                scoredDays = Options.ScoredDays,
                reads = Rows[0].Reads,
                latencyOnFlashMeanMs = Known(Rows[0].Events?.OnFlash.Mean * 1000),
                latencyOnFlashP95Ms = Known(Rows[0].Events?.OnFlash.P95 * 1000),
                model = Model is null ? null : $"{Model.Id} {Model.Version}, trained until {Model.TrainedUntil:yyyy-MM-dd}",
                policies = Rows.Select(Document),
            });
            return;
        }
        terminal.Write(AccessTable());
        if (Rows.Any(r => r.Events is not null))
        {
            terminal.Write(EventTable());
        }
        terminal.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Trace}: {Rows[0].Reads:N0} reads in the last {Options.ScoredDays} days; {About}"));
        if (Rows[0].Events is { } any)
        {
            terminal.WriteLine(string.Create(CultureInfo.InvariantCulture, $"were everything they ask for built and on flash: mean {any.OnFlash.Mean * 1000:0.00} ms, p95 {any.OnFlash.P95 * 1000:0.00} ms"));
        }
        if (Model is not null)
        {
            terminal.WriteLine($"predictive with {Model.Id} {Model.Version}, trained until {Model.TrainedUntil:yyyy-MM-dd}");
        }
    }

    private object Document(ReplayRow row) => new
    {
        policy = row.Policy,
        hotHit = row.HotHit,
        hotHitBytes = row.HotHitBytes,
        moves = row.Promotions + row.Demotions,
        promotions = row.Promotions,
        demotions = row.Demotions,
        moveAmp = row.MoveAmp,
        gapClosed = GapClosed(row),
        preSynthHit = Known(row.Events?.PreSynthHit),
        synthWaste = Known(row.Events?.SynthWaste),
        preAllocHit = Known(row.Events?.Reservation.PreAllocHit),
        overRes = Known(row.Events?.Reservation.OverRes),
        underRes = Known(row.Events?.Reservation.UnderRes),
        cov = Known(row.Events?.Reservation.Coverage),
        cost = Known(row.Events?.Cost),
        latencyMeanMs = Known(row.Events?.LatencyMean * 1000),
        latencyP95Ms = Known(row.Events?.LatencyP95 * 1000),
        latencyP99Ms = Known(row.Events?.LatencyP99 * 1000),
    };

    private Spectre.Console.Table AccessTable()
    {
        var table = Terminal.NewTable("policy", ">hot hit", ">by size", ">promotions", ">demotions", ">moves", ">move amp", ">gap closed");
        foreach (var s in Rows)
        {
            Terminal.AddRow(table, s.Policy, Figure(s.HotHit), Figure(s.HotHitBytes), Count(s.Promotions), Count(s.Demotions), Count(s.Promotions + s.Demotions),
                Figure(s.MoveAmp, "0.000"), Figure(GapClosed(s)));
        }
        return table;
    }

    private Spectre.Console.Table EventTable()
    {
        var table = Terminal.NewTable("policy", ">presynth", ">waste", ">prealloc", ">over", ">under", ">coverage", ">cost, USD", ">mean, ms", ">p95, ms", ">p99, ms");
        foreach (var s in Rows.Select(r => r.Events).OfType<EventScore>())
        {
            Terminal.AddRow(table, s.Policy, Figure(s.PreSynthHit), Figure(s.SynthWaste), Figure(s.Reservation.PreAllocHit), Figure(s.Reservation.OverRes),
                Figure(s.Reservation.UnderRes), Figure(s.Reservation.Coverage), Figure(s.Cost), Figure(s.LatencyMean * 1000, "0.00"), Figure(s.LatencyP95 * 1000, "0.00"), Figure(s.LatencyP99 * 1000, "0.00"));
        }
        return table;
    }

    private static double? Known(double? figure) => figure is { } f && double.IsFinite(f) ? f : null;

    private static string Figure(double? figure, string format = "0.0000") => Known(figure)?.ToString(format, CultureInfo.InvariantCulture) ?? "-";

    private static string Count(long count) => count.ToString("N0", CultureInfo.InvariantCulture);
}
