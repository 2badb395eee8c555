namespace Foretier.Predict.Volume;

/// <summary>
/// Forecasts each hour as the mean of the same hour of the week over the last four weeks, in the account's time zone; while there is only one such
/// hour, as the mean of that hour of the day; before that, as the mean of all hours; and in its first hour from the pace so far.
/// The 90th percentile is the mean plus that of the errors made so far (each against the mean without itself).
/// </summary>
/// <remarks>Deterministic and clock-free. Thread-safe. It is the floor every learned model has to beat, and what remains when one fails.</remarks>
public sealed class HourOfWeekMean(TimeZoneInfo? zone = null)
{
    /// <summary>Below this many errors a quantile of them says little; hours of the day have at most 28.</summary>
    private const int ErrorsOfHourMin = 14;

    private const int ErrorsMin = 24;

    /// <summary>The 90th percentile of a normal distribution in standard deviations.</summary>
    private const double Z90 = 1.2816;

    /// <summary>At least this much of the first hour is taken to have passed (6 minutes), or one early sample would promise a flood.</summary>
    private const double FirstShareMin = 0.1;

    private readonly LocalHours _hours = new(zone ?? TimeZoneInfo.Utc);

    /// <param name="history">Closed hours, oldest first.</param>
    /// <param name="hours">How many hours from the end of the history on to forecast.</param>
    public SeriesForecast Forecast(in HourlyHistory history, int hours)
    {
        var counts = history.Counts;
        var slots = _hours.Around(history.End, counts.Length, hours);
        Span<double> weekSum = stackalloc double[LocalHours.OfWeek];
        Span<int> weekCount = stackalloc int[LocalHours.OfWeek];
        Span<double> daySum = stackalloc double[24];
        Span<int> dayCount = stackalloc int[24];
        weekSum.Clear();
        weekCount.Clear();
        daySum.Clear();
        dayCount.Clear();
        double sum = 0;
        var known = 0;
        for (var i = 0; i < counts.Length; i++)
        {
            if (counts[i] >= 0)
            {
                int week = slots[i], day = week % 24;
                weekSum[week] += counts[i];
                weekCount[week]++;
                daySum[day] += counts[i];
                dayCount[day]++;
                sum += counts[i];
                known++;
            }
        }

        Span<double> residuals = counts.Length <= SeriesVolume.HoursRead ? stackalloc double[counts.Length] : new double[counts.Length];
        for (var i = 0; i < counts.Length; i++)
        {
            if (counts[i] < 0 || known < 2)
            {
                residuals[i] = double.NaN;
                continue;
            }
            int week = slots[i], day = week % 24;
            residuals[i] = weekCount[week] > 1 ? Error(counts[i], weekSum[week], weekCount[week])
                : dayCount[day] > 1 ? Error(counts[i], daySum[day], dayCount[day]) : Error(counts[i], sum, known);
        }
        var pace = history.OpenCount / Math.Max(FirstShareMin, history.OpenShare);
        var mean = new double[hours];
        var p90 = new double[hours];
        var high = HighErrors(residuals, slots);
        for (var h = 0; h < hours; h++)
        {
            int week = slots[counts.Length + h], day = week % 24;
            mean[h] = weekCount[week] > 1 ? weekSum[week] / weekCount[week]
                : dayCount[day] > 0 ? daySum[day] / dayCount[day] : known > 0 ? sum / known : pace;
            // Few errors, or none yet: what arrivals at random would do.
            var atRandom = Z90 * Math.Sqrt(mean[h]);
            p90[h] = mean[h] + Math.Max(0, double.IsNaN(high[day]) ? atRandom : known < 2 * ErrorsMin ? Math.Max(atRandom, high[day]) : high[day]);
        }
        Span<float> errors = counts.Length <= SeriesVolume.HoursRead ? stackalloc float[counts.Length] : new float[counts.Length];
        for (var i = 0; i < errors.Length; i++)
        {
            errors[i] = (float)residuals[i];
        }
        return new(history.End, mean, p90, errors);
    }

    /// <summary>
    /// How far a count lies from the mean of the other n−1 like it, reduced to how far one more would lie from the mean of all n:
    /// their variances are n/(n−1) and (n+1)/n, and the root of the ratio is √(1 − 1/n²).
    /// </summary>
    private static double Error(int count, double sum, int n) => (count - (sum - count) / (n - 1)) * Math.Sqrt(1 - 1.0 / ((double)n * n));

    /// <summary>The 90th percentile of the errors, by hour of the day where there are enough of them, else of all; NaN where too few.</summary>
    private static double[] HighErrors(ReadOnlySpan<double> residuals, ReadOnlySpan<byte> slots)
    {
        var byHour = new double[24];
        var room = residuals.Length / 24 + 2;
        var isUsual = residuals.Length <= SeriesVolume.HoursRead;
        Span<double> all = isUsual ? stackalloc double[residuals.Length] : new double[residuals.Length];
        Span<double> ofHour = isUsual ? stackalloc double[24 * room] : new double[24 * room];
        Span<int> count = stackalloc int[24];
        count.Clear();
        var known = 0;
        for (var i = 0; i < residuals.Length; i++)
        {
            if (!double.IsNaN(residuals[i]))
            {
                var day = slots[i] % 24;
                all[known++] = residuals[i];
                // Where clocks are put back an hour of the day comes twice; one too many is left out.
                if (count[day] < room)
                {
                    ofHour[day * room + count[day]++] = residuals[i];
                }
            }
        }
        var overall = Quantile.Of(all[..known], 0.9, ErrorsMin);
        for (var day = 0; day < 24; day++)
        {
            byHour[day] = count[day] >= ErrorsOfHourMin ? Quantile.Of(ofHour.Slice(day * room, count[day]), 0.9, 1) : overall;
        }
        return byHour;
    }
}
