using Foretier.Core.Samples;
using Foretier.Predict.Models;
using Foretier.Predict.Score;
using Foretier.Predict.Volume;

namespace Foretier.Predict.Backtest;

/// <summary>
/// Forecasts series as if they were happening, with the code the agent runs: every 25 hours the next 24, learning on the way from what has closed.
/// All series of a call live on one site: they are taken in the order of time, and what some have taught benefits those that begin later.
/// </summary>
/// <remarks>
/// The first hours teach only: 672 (the four weeks that the baselines look back on), or half of a series that is shorter than twice that. A series
/// of less than <see cref="HoursMin"/> hours is skipped. No forecast sees an hour at or after its origin.
/// </remarks>
public static class RollingOrigin
{
    /// <summary>Three days.</summary>
    public const int HoursMin = 72;

    private readonly record struct Origin(int Series, int Hour, long Time);

    /// <param name="model">Null: baselines only.</param>
    /// <param name="progress">Told the share done, 0..1.</param>
    /// <exception cref="InferenceException">The model gave no answer: here that ends it, so that no figure is of another forecaster than it says.</exception>
    public static async Task<BacktestScore> RunAsync(IReadOnlyList<HourlySeries> series, IInference? model, Action<double>? progress, CancellationToken cancel)
    {
        var forecaster = new VolumeForecaster();
        var sums = Array.ConvertAll([.. series], _ => new ScoreSums());
        var origins = series.SelectMany(Origins).OrderBy(origin => origin.Time).ThenBy(origin => origin.Series).ToList();
        for (var from = 0; from < origins.Count;)
        {
            cancel.ThrowIfCancellationRequested();
            // A series comes once in a batch, since each of its forecasts builds on the one before.
            var batch = origins.Skip(from).Take(VolumeForecaster.BatchMax).TakeWhile(new HashSet<int>().AddSeries).ToList();
            await forecaster.ForecastAsync(
                [.. batch.Select(origin => new ForecastItem(NameOf(origin.Series), series[origin.Series].Zone))],
                (i, into) => Read(series[batch[i].Series], batch[i].Hour, into), ExpertBands.DayHours, model,
                (i, hour) =>
                {
                    var at = batch[i].Series;
                    if (hour.Hour - hour.Horizon + 1 >= series[at].Start / Instant.Hour + Warmup(series[at]))
                    {
                        sums[at].Add(hour);
                    }
                }, cancel).ConfigureAwait(false);
            from += batch.Count;
            progress?.Invoke((double)from / origins.Count);
        }
        var scores = series.Select((one, i) => new SeriesScore(one.Name, sums[i], DayDifference(one.Counts))).Where((_, i) => series[i].Counts.Length >= HoursMin);
        return new([.. scores], series.Count(one => one.Counts.Length < HoursMin));
    }

    /// <summary>Hours of a series that teach only.</summary>
    public static int Warmup(HourlySeries series) => Math.Min(SeriesVolume.HoursRead, series.Counts.Length / 2);

    private static IEnumerable<Origin> Origins(HourlySeries series, int index)
    {
        if (series.Counts.Length < HoursMin)
        {
            yield break;
        }
        var first = Warmup(series) % SeriesLearner.PeriodHours;
        // The last one is only there to close the one before.
        for (var hour = first == 0 ? SeriesLearner.PeriodHours : first; hour - SeriesLearner.PeriodHours + ExpertBands.DayHours <= series.Counts.Length; hour += SeriesLearner.PeriodHours)
        {
            yield return new(index, hour, series.Start + hour * Instant.Hour);
        }
    }

    /// <summary>Two files may have series of one name, and so may one file.</summary>
    private static string NameOf(int series) => series.ToString(System.Globalization.CultureInfo.InvariantCulture);

    private static bool AddSeries(this HashSet<int> taken, Origin origin) => taken.Add(origin.Series);

    private static HourlyHistory Read(HourlySeries series, int origin, Span<int> into)
    {
        for (var i = 0; i < into.Length; i++)
        {
            var hour = origin - into.Length + i;
            into[i] = hour < 0 || hour >= series.Counts.Length ? -1 : series.Counts[hour];
        }
        return new(series.Start + origin * Instant.Hour, into, 0, 0);
    }

    private static double DayDifference(int[] counts)
    {
        double sum = 0;
        var n = 0;
        for (var i = 24; i < counts.Length; i++)
        {
            if (counts[i] >= 0 && counts[i - 24] >= 0)
            {
                sum += Math.Abs(counts[i] - counts[i - 24]);
                n++;
            }
        }
        return n == 0 ? 0 : sum / n;
    }
}
