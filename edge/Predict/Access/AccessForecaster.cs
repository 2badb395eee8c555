using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Predict.Models;

namespace Foretier.Predict.Access;

/// <summary>
/// Forecasts, from an access log, what will be read in the next 24 hours: by the ranker, started for that cycle, and where it fails by
/// EWMA-28d; and by who is found to read by the clock. One call at a time.
/// </summary>
/// <param name="zoneOf">The time zone an account lives by; UTC where left out.</param>
/// <param name="startRanker">Starts what runs access-ranker, for a cycle; null: EWMA-28d only.</param>
public sealed class AccessForecaster(Func<string, TimeZoneInfo>? zoneOf = null, Func<CancellationToken, Task<IInference>>? startRanker = null)
{
    private Dictionary<(string Series, long Step, ReadShape Shape), Looked> _looked = [];
    private AccessForecast? _last;
    private int _lastKeys;

    /// <summary>Why the last cycle did without the ranker; null where it had it, or is to do without.</summary>
    public InferenceException? Failure { get; private set; }

    /// <summary>The forecast for the hour that <paramref name="now"/> lies in; within it made anew only when something is read that never was.</summary>
    /// <param name="now">µs.</param>
    public async Task<AccessForecast> MakeAsync(AccessLog log, long now, CancellationToken cancel)
    {
        var keys = log.Keys;
        if (_last is { } last && last.MadeAt / Instant.Hour == now / Instant.Hour && keys == _lastKeys)
        {
            return last;
        }
        var averages = log.Averages(now);
        var (scores, model) = await ScoreAsync(averages, now, cancel).ConfigureAwait(false);
        var looked = new Dictionary<(string, long, ReadShape), Looked>(averages.Count);
        var expected = new List<ExpectedReads>(averages.Count);
        var hour = now / Instant.Hour;
        for (var i = 0; i < averages.Count; i++)
        {
            var reads = averages[i].Reads;
            var readers = ReadersOf(reads, now, looked);
            var byClock = readers.Sum(r => r.ReadsIn(hour, hour + 24));
            var none = readers.Where(r => r.Next < now + Instant.Day).Aggregate(Math.Exp(-scores[i]), (none, r) => none * (1 - r.Confidence));
            expected.Add(new(reads.Series, reads.Step, reads.Shape, Math.Max(scores[i], byClock), 1 - none, readers));
        }
        _looked = looked;
        _lastKeys = keys;
        return _last = new(now, log.Since, model, expected);
    }

    private async Task<(double[] Scores, string? Model)> ScoreAsync(IReadOnlyList<(ReadSeries Reads, double ReadsPerDay)> averages, long now, CancellationToken cancel)
    {
        Failure = null;
        if (startRanker is not null && averages.Count > 0)
        {
            // The hour that is not over yet counts as if it were.
            var hour = now / Instant.Hour + 1;
            var features = new ReadFeatures(zoneOf);
            var names = new string[averages.Count];
            for (var i = 0; i < names.Length; i++)
            {
                var reads = averages[i].Reads;
                names[i] = $"{reads.Series}@{reads.Step}@{reads.Shape.Value}";
                foreach (var (at, count) in reads.Hours)
                {
                    // What a clock that was wrong put into the future is not known yet.
                    features.Add(names[i], Math.Min(at, hour - 1), count);
                }
            }
            try
            {
                await using var ranker = await startRanker(cancel).ConfigureAwait(false);
                var scores = await AccessScorer.ScoreAsync(features, names, hour, ranker, cancel).ConfigureAwait(false);
                return (scores, $"{ranker.Manifest.Id} {ranker.Manifest.Version}");
            }
            catch (InferenceException e)
            {
                Failure = e;
            }
        }
        return ([.. averages.Select(a => a.ReadsPerDay)], null);
    }

    /// <summary>Looked at anew once a day at most, and only where it was read since, or was expected and did not come.</summary>
    private IReadOnlyList<PeriodicReader> ReadersOf(ReadSeries reads, long now, Dictionary<(string, long, ReadShape), Looked> looked)
    {
        var key = (reads.Series, reads.Step, reads.Shape);
        var last = reads.Hours[^1].Hour;
        if (!_looked.TryGetValue(key, out var known) || now < known.At
            || (now - known.At >= Instant.Day && (known.Last != last || known.Readers.Any(r => r.Next + 3 * Instant.Hour < now))))
        {
            known = new(now, last, PeriodicReaders.Find(reads.Hours, reads.Shape, now, ZoneOf(reads.Series)));
        }
        looked[key] = known;
        return known.Readers;
    }

    private TimeZoneInfo ZoneOf(string series) => zoneOf?.Invoke(series[..Math.Max(0, series.IndexOf('/', StringComparison.Ordinal))]) ?? TimeZoneInfo.Utc;

    private sealed record Looked(long At, long Last, IReadOnlyList<PeriodicReader> Readers);
}
