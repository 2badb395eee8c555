using Foretier.Predict.Models;

namespace Foretier.Predict.Replay.Events;

/// <summary>
/// Replays writes and reads in order of time against a policy, hour by hour: every policy has the same room, decides at the beginning of each hour by
/// what came before it, and is charged for each move.
/// </summary>
public static class EventReplay
{
    /// <summary>A flash that has room for a week of raw samples.</summary>
    private const double DefaultHotShare = 7.0 / 365;

    private const double BytesPerGb = 1e9;
    private const double HoursPerMonth = 365.25 / 12 * 24;

    /// <summary>Their names, in the order they are shown.</summary>
    public static IReadOnlyList<string> Policies { get; } = ["predictive", "lru", "recency", "ewma28d", "static", "clairvoyant"];

    /// <summary>The room of the fast tier: a share of a year's raw samples, at the rate of the trace's last year, or of all of it where it is shorter.</summary>
    public static double CapacityOf(EventTrace trace, ReplayOptions options)
    {
        var samples = 0L;
        var first = Math.Max(0, trace.Days - 365);
        for (var day = first; day < trace.Days; day++)
        {
            for (var series = 0; series < trace.Series.Count; series++)
            {
                samples += trace.SamplesOn(series, day);
            }
        }
        return Math.Max(1, samples * Resolutions.SampleBytes / (trace.Days - first) * 365 * (options.HotShare ?? DefaultHotShare));
    }

    /// <param name="policy">One of <see cref="Policies"/>.</param>
    /// <param name="ranker">For predictive; null: its fallback.</param>
    /// <param name="reservation">Of the same policy.</param>
    /// <param name="progress">Told the share done, now and then.</param>
    public static async Task<EventScore> RunAsync(
        string policy, EventTrace trace, ReplayOptions options, IInference? ranker, ReservationScore reservation, Action<double>? progress, CancellationToken cancel)
    {
        options.Validate();
        var decides = Make(policy, trace, ranker);
        var tiers = new SegmentTiers(trace, CapacityOf(trace, options), decides.HasAllRollups);
        var scoredFrom = Math.Max(0, trace.Days - options.ScoredDays);
        var days = new DaySums[trace.Days - scoredFrom];
        var (latencies, onFlash) = (new List<double>(), new List<double>());
        var (sums, at, ssdByteHours) = (new DaySums(), 0, 0.0);
        for (var hour = 0; hour < trace.Days * 24; hour++)
        {
            cancel.ThrowIfCancellationRequested();
            if (hour == scoredFrom * 24)
            {
                tiers.BeginCount();
            }
            tiers.BeginHour(hour);
            await decides.EpochAsync(tiers, cancel).ConfigureAwait(false);
            tiers.WriteHour();
            for (; at < trace.Reads.Count && trace.Reads[at].Time < trace.Start + (hour + 1) * 3_600L; at++)
            {
                var read = trace.Reads[at];
                var found = tiers.Read(read);
                decides.Read(read, tiers);
                // What lies within the last hour is in the memory of the agent, which no policy places.
                if (hour >= scoredFrom * 24 && read.From < read.Time - 3_600)
                {
                    days[hour / 24 - scoredFrom].Add(found);
                    sums.Add(found);
                    latencies.Add(found.Seconds);
                    onFlash.Add(found.FlashSeconds);
                }
            }
            ssdByteHours += hour >= scoredFrom * 24 ? tiers.Used : 0;
            progress?.Invoke((hour + 1.0) / (trace.Days * 24));
        }
        latencies.Sort();
        onFlash.Sort();
        var count = tiers.Count;
        return new(policy, sums.Reads, sums.HotHit, sums.HotBytes / sums.Bytes, sums.PreSynthHit, count.Built == 0 ? 0 : 1 - (double)count.BuiltAndRead / count.Built,
            count.Promotions, count.Demotions, count.MovedBytes / Math.Max(1, count.Ingested), reservation,
            Cost(trace, scoredFrom, count, ssdByteHours + reservation.ReservedByteHours, decides.HasAllRollups),
            sums.Seconds / Math.Max(1, sums.Reads), At(latencies, 0.95))
        {
            LatencyP99 = At(latencies, 0.99),
            OnFlash = (onFlash.Sum() / Math.Max(1, onFlash.Count), At(onFlash, 0.95)),
            Daily = [.. days.Select(day => new DayScore(day.HotHit, day.PreSynthHit, day.Reads == 0 ? double.NaN : day.Seconds / day.Reads))],
        };
    }

    private static double At(List<double> sorted, double share) => sorted.Count == 0 ? double.NaN : sorted[(int)(share * (sorted.Count - 1))];

    private static SegmentPolicy Make(string policy, EventTrace trace, IInference? ranker) => policy switch
    {
        "predictive" => new PredictiveBands(trace, ranker),
        "lru" => new LruSegments(trace.Series.Count),
        "recency" => new RecencyBands(trace),
        "ewma28d" => new EwmaBands(trace),
        "static" => new StaticSegments(trace),
        "clairvoyant" => new ClairvoyantBands(trace),
        _ => throw new ArgumentException($"'{policy}' is none of {string.Join(", ", Policies)}"),
    };

    /// <summary>USD for the scored days: flash held and reserved, what every policy has on the gateway and in the archive, rollups there, moves.</summary>
    private static double Cost(EventTrace trace, int scoredFrom, TierCount count, double ssdByteHours, bool hasAllRollups)
    {
        var (hdd, archive) = (0.0, 0.0);
        for (var day = 0; day < trace.Days; day++)
        {
            var bytes = 0.0;
            for (var series = 0; series < trace.Series.Count; series++)
            {
                var raw = trace.SamplesOn(series, day) * Resolutions.SampleBytes;
                bytes += raw;
                for (var resolution = 1; resolution < Resolutions.Count && hasAllRollups; resolution++)
                {
                    bytes += Resolutions.BytesOf(resolution, raw);
                }
            }
            hdd += bytes * 24 * Math.Max(0, Math.Min(trace.Days, day + TierModel.HddDays) - Math.Max(day, scoredFrom));
            archive += bytes * 24 * Math.Max(0, trace.Days - Math.Max(day + TierModel.HddDays, scoredFrom));
        }
        return (ssdByteHours * TierModel.SsdPrice + (hdd + count.RollupByteHours) * TierModel.HddPrice + archive * TierModel.ArchivePrice) / BytesPerGb / HoursPerMonth
            + count.MovedBytes / BytesPerGb * TierModel.TransferPrice;
    }

    private struct DaySums
    {
        public long Reads;
        public long Hits;
        public double Bytes;
        public double HotBytes;
        public double Buckets;
        public double BuiltBuckets;
        public double Seconds;

        public readonly double HotHit => Reads == 0 ? double.NaN : (double)Hits / Reads;
        public readonly double PreSynthHit => Buckets == 0 ? double.NaN : BuiltBuckets / Buckets;

        public void Add(in ReadFound found)
        {
            Reads++;
            Hits += found.IsHot ? 1 : 0;
            Bytes += found.Bytes;
            HotBytes += found.HotBytes;
            Buckets += found.Buckets;
            BuiltBuckets += found.BuiltBuckets;
            Seconds += found.Seconds;
        }
    }
}
