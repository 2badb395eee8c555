using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Predict.Access;
using Foretier.Predict.Models;
using Foretier.Predict.Plan;
using Foretier.Predict.Volume;

namespace Foretier.Predict.Replay.Events;

/// <summary>
/// What policies reserve for the windows of a trace, two hours before each opens, with the forecaster and the planner of the agent. All reserve for the
/// same partitions, those of the agent's map: predictive its P90; recency what the last closed window had; ewma28d an average of closed windows;
/// lru nothing; clairvoyant what will come. Static has the partitions of the 28th day for ever, each at the largest volume until then.
/// </summary>
public static class ReservationReplay
{
    private const int WatchedDays = 28;
    private const int AheadHours = 2;

    /// <param name="model">volume-lstm; null: seasonal baselines only.</param>
    /// <returns>By name of policy.</returns>
    public static async Task<IReadOnlyDictionary<string, ReservationScore>> RunAsync(
        EventTrace trace, ReplayOptions options, IInference? model, Action<double>? progress, CancellationToken cancel)
    {
        var sums = EventReplay.Policies.ToDictionary(policy => policy, _ => new Sums());
        var index = trace.Series.Select((name, at) => (name, at)).ToDictionary(s => s.name, s => s.at, StringComparer.Ordinal);
        var (volumes, forecaster, planner) = (new VolumeHistory(), new VolumeForecaster(), new PartitionPlanner(new(), trace.ZoneOf));
        var map = PartitionMap.Empty;
        var (hour, fixedSizes) = (0, new List<(int[] Members, double Bytes)>());
        var scoredFrom = Math.Max(WatchedDays + 1, trace.Days - options.ScoredDays);
        for (var day = 1; day < trace.Days; day++)
        {
            cancel.ThrowIfCancellationRequested();
            for (; hour < day * 24 - AheadHours; hour++)
            {
                for (var series = 0; series < trace.Series.Count; series++)
                {
                    volumes.Observe(trace.Series[series], TimeOf(trace, hour), trace.SamplesIn(series, hour));
                }
            }
            var now = TimeOf(trace, hour);
            var forecasts = await ForecastAsync(trace, volumes, forecaster, planner.HoursFrom(now), now, model, cancel).ConfigureAwait(false);
            map = planner.Plan("edge-1", volumes, AccessForecast.Of(new(), now), SampleBytes.Unmeasured, map, now, forecasts.GetValueOrDefault);
            var window = Window.DayOf(TimeOf(trace, day * 24));
            List<(int[] Members, double P90)> partitions = [.. map.Entries.Where(e => e.Id.Window == window)
                .Select(e => ((int[])[.. (map.MembersOf(e)?.Series ?? []).Select(name => index[name])], (double)e.SamplesP90))];
            if (day == WatchedDays)
            {
                fixedSizes = [.. partitions.Select(p => (p.Members, Enumerable.Range(0, WatchedDays).Max(d => Volume(trace, p.Members, d))))];
            }
            if (day >= scoredFrom)
            {
                Count(trace, day, partitions, fixedSizes, sums);
            }
            progress?.Invoke((day + 1.0) / trace.Days);
        }
        return sums.ToDictionary(s => s.Key, s => s.Value.ToScore());
    }

    private static void Count(EventTrace trace, int day, List<(int[] Members, double P90)> partitions, List<(int[] Members, double Bytes)> fixedSizes, Dictionary<string, Sums> sums)
    {
        var written = Enumerable.Range(0, trace.Series.Count).Sum(series => trace.SamplesOn(series, day));
        foreach (var (members, p90) in partitions)
        {
            var actual = Volume(trace, members, day);
            // Yesterday's window is not closed yet when this one's room is reserved.
            var (average, weights, weight) = (0.0, 0.0, 1.0);
            for (var back = 2; back < 2 + 2 * WatchedDays && day - back >= 0; back++, weight *= 27.0 / 29)
            {
                (average, weights) = (average + weight * Volume(trace, members, day - back), weights + weight);
            }
            sums["predictive"].Add(p90, actual);
            sums["recency"].Add(Volume(trace, members, day - 2), actual);
            sums["ewma28d"].Add(average / weights, actual);
            sums["lru"].Add(0, actual);
            sums["clairvoyant"].Add(actual, actual);
        }
        foreach (var (members, bytes) in fixedSizes)
        {
            sums["static"].Add(bytes, Volume(trace, members, day));
        }
        foreach (var sum in sums.Values)
        {
            sum.CloseWindow(written);
        }
    }

    private static async Task<Dictionary<string, SeriesForecast>> ForecastAsync(
        EventTrace trace, VolumeHistory volumes, VolumeForecaster forecaster, int hours, long now, IInference? model, CancellationToken cancel)
    {
        var made = new Dictionary<string, SeriesForecast>(StringComparer.Ordinal);
        foreach (var batch in volumes.Series.Chunk(VolumeForecaster.BatchMax))
        {
            var items = Array.ConvertAll(batch, one => new ForecastItem(one.Series, trace.ZoneOf(EventTrace.AccountOf(one.Series))));
            var forecasts = await forecaster.ForecastAsync(items, (i, into) => volumes.Read(batch[i], now, into), hours, model, null, cancel).ConfigureAwait(false);
            for (var i = 0; i < batch.Length; i++)
            {
                made[batch[i].Series] = forecasts[i];
            }
        }
        return made;
    }

    private static double Volume(EventTrace trace, int[] members, int day) => members.Sum(series => (double)trace.SamplesOn(series, day));

    private static long TimeOf(EventTrace trace, int hour) => (trace.Start + hour * 3_600L) * Instant.Second;

    private sealed class Sums
    {
        private double _over, _under, _within, _all, _grouped;
        private long _covered, _windows;

        public void Add(double reserved, double actual)
        {
            _over += Math.Max(0, reserved - actual);
            _under += Math.Max(0, actual - reserved);
            _within += Math.Min(reserved, actual);
            _grouped += actual;
            _covered += actual <= reserved ? 1 : 0;
            _windows++;
        }

        /// <summary>What was written to series that no partition was made for had no room reserved.</summary>
        public void CloseWindow(double written)
        {
            _under += Math.Max(0, written - _grouped);
            _all += written;
            _grouped = 0;
        }

        public ReservationScore ToScore() => _all <= 0 ? new(double.NaN, double.NaN, double.NaN, double.NaN, 0)
            : new(_over / _all, _under / _all, (double)_covered / Math.Max(1, _windows), _within / _all, _over * Resolutions.SampleBytes * 24);
    }
}
