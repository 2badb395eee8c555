using Foretier.Core.Samples;
using Foretier.Predict.Volume;

namespace Foretier.Tests.Unit.Predict;

/// <summary>Histories for tests: a Monday to begin with, and counts given as a function of the hour.</summary>
internal static class Days
{
    /// <summary>Monday 2026-01-05T00:00:00Z.</summary>
    public const long Monday = 1_767_571_200 * Instant.Second;

    public static void Fill(this VolumeHistory history, string series, long from, long to, Func<DateTimeOffset, int> count)
    {
        for (var hour = from; hour < to; hour += Instant.Hour)
        {
            history.Observe(series, hour, count(Instant.ToDateTimeOffset(hour)));
        }
    }

    public static SeriesForecast ForecastOf(this VolumeHistory history, string series, long now, int hours, TimeZoneInfo? zone = null) =>
        new HourOfWeekMean(zone).Forecast(history.Read(history.Find(series)!, now, new int[SeriesVolume.HoursRead]), hours);
}
