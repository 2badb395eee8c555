using Foretier.Predict.Models;

namespace Foretier.Predict.Replay;

/// <summary>How a trace is replayed.</summary>
public sealed record ReplayOptions
{
    /// <summary>What the fast tier takes: a share of all resources' size, default 0.05; of a year's raw samples where series are written, default a week of them.</summary>
    public double? HotShare { get; init; }

    /// <summary>How often policies decide. Default a day, beginning at midnight UTC.</summary>
    public TimeSpan Epoch { get; init; } = TimeSpan.FromDays(1);

    /// <summary>The last days of the trace, which are scored; what comes before is there to learn from. Default 365.</summary>
    public int ScoredDays { get; init; } = 365;

    /// <exception cref="ArgumentException">A value is impossible; the message names it.</exception>
    public void Validate()
    {
        if (HotShare is { } share && share is not (> 0 and <= 1))
        {
            throw new ArgumentException($"{nameof(HotShare)} must lie within 0 and 1");
        }
        if (Epoch < TimeSpan.FromHours(1) || TimeSpan.FromDays(1).Ticks % Epoch.Ticks != 0)
        {
            throw new ArgumentException($"{nameof(Epoch)} must be 1 h or a longer part of a day");
        }
        if (ScoredDays < 1)
        {
            throw new ArgumentException($"{nameof(ScoredDays)} must be at least 1");
        }
    }
}

/// <summary>How a policy did in the days that are scored.</summary>
/// <param name="HotHit">Reads that found what they asked for on the fast tier ÷ reads, 0..1.</param>
/// <param name="HotHitBytes">The same, each read weighing what it asked for.</param>
/// <param name="Moves">Promotions and demotions.</param>
/// <param name="MoveAmp">Sizes of all that moved ÷ sizes of all that was read.</param>
/// <param name="Daily">Hot hits of each scored day, 0..1; NaN where nothing was read.</param>
public sealed record PolicyScore(
    string Policy, long Reads, double HotHit, double HotHitBytes, long Promotions, long Demotions, long Moves, double MoveAmp, IReadOnlyList<double> Daily);

/// <summary>Replays reads in order of time against a policy. Every policy has the same room and is charged for each move.</summary>
public static class AccessReplay
{
    private const long Day = 86_400;
    private const double DefaultHotShare = 0.05;

    /// <summary>Their names, in the order they are shown. The clairvoyant knows what each epoch will read most.</summary>
    public static IReadOnlyList<string> Policies { get; } = ["predictive", "lru", "recency", "ewma28d", "static", "clairvoyant"];

    /// <summary>One more, shown only where asked for: Bélády's MIN, the most that can be done by bringing what misses.</summary>
    public const string Belady = "belady";

    /// <param name="policy">One of <see cref="Policies"/>, or <see cref="Belady"/>.</param>
    /// <param name="ranker">For predictive; null: its fallback.</param>
    public static ReplayPolicy Make(string policy, ReadTrace trace, ReplayOptions options, IInference? ranker) => policy switch
    {
        "predictive" => new PredictivePolicy(trace, ranker, (long)options.Epoch.TotalSeconds),
        "lru" => new LruPolicy(trace.Names.Count),
        "recency" => new RecencyPolicy(trace.Names.Count),
        "ewma28d" => new EwmaPolicy(trace),
        "static" => new StaticPolicy(trace),
        Belady => new BeladyPolicy(trace),
        "clairvoyant" => new ClairvoyantPolicy(trace, (long)options.Epoch.TotalSeconds),
        _ => throw new ArgumentException($"'{policy}' is none of {string.Join(", ", Policies)}"),
    };

    /// <param name="progress">Told the share of the reads that are done, now and then.</param>
    public static async Task<PolicyScore> RunAsync(
        ReplayPolicy policy, ReadTrace trace, ReplayOptions options, CancellationToken cancel, Action<double>? progress = null)
    {
        options.Validate();
        var epoch = (long)options.Epoch.TotalSeconds;
        var end = (trace.Times[^1] / Day + 1) * Day;
        var scoredFrom = end - options.ScoredDays * Day;
        var tier = new HotTier(trace.Sizes, CapacityOf(trace, options));
        var days = Enumerable.Range(0, options.ScoredDays).Select(_ => (Hits: 0L, Reads: 0L)).ToArray();
        var (reads, hits, size, sizeHits, isScored, at) = (0L, 0L, 0.0, 0.0, false, 0);
        for (var time = trace.Times[0] / Day * Day; time < end; time += epoch)
        {
            cancel.ThrowIfCancellationRequested();
            if (!isScored && time >= scoredFrom)
            {
                isScored = true;
                tier.BeginCount();
            }
            await policy.EpochAsync(time, tier, cancel).ConfigureAwait(false);
            for (; at < trace.Times.Count && trace.Times[at] < time + epoch; at++)
            {
                var (key, count) = (trace.Keys[at], trace.Counts[at]);
                var found = tier.Has(key) ? 1L : 0;
                policy.Read(trace.Times[at], key, count, tier);
                found += tier.Has(key) ? count - 1 : 0;
                if (isScored)
                {
                    ref var day = ref days[(trace.Times[at] - scoredFrom) / Day];
                    day = (day.Hits + found, day.Reads + count);
                    (reads, hits) = (reads + count, hits + found);
                    (size, sizeHits) = (size + count * trace.Sizes[key], sizeHits + found * trace.Sizes[key]);
                }
            }
            progress?.Invoke((double)at / trace.Times.Count);
        }
        var moves = tier.Promotions + tier.Demotions;
        return new(policy.Name, reads, (double)hits / reads, sizeHits / size, tier.Promotions, tier.Demotions, moves, tier.Moved / size,
            [.. days.Select(d => d.Reads == 0 ? double.NaN : (double)d.Hits / d.Reads)]);
    }

    /// <summary>The room of the fast tier; where all are of one size, a whole number of resources and at least one.</summary>
    public static double CapacityOf(ReadTrace trace, ReplayOptions options) => trace.Sizes.All(s => s == 1)
        ? Math.Max(1, Math.Round(trace.Names.Count * (options.HotShare ?? DefaultHotShare))) : trace.Sizes.Sum() * (options.HotShare ?? DefaultHotShare);
}
