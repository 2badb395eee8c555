using System.Globalization;
using System.Text.Json;
using Foretier.Core.Samples;
using Foretier.Protocol.Api;

namespace Foretier.Cli.Export;

/// <summary>
/// Samples an hour of a series, as a line of hourly JSONL: what models are trained on and backtests read.
/// </summary>
/// <param name="Series">Its name.</param>
/// <param name="Start">First hour, on the clock of <paramref name="Tz"/>.</param>
/// <param name="Freq">Always H.</param>
/// <param name="Tz">Time zone, as asked for.</param>
/// <param name="Values">One for each hour of that clock; null where nothing is known.</param>
internal sealed record HourlyLine(string Series, string Start, string Freq, string Tz, IReadOnlyList<long?> Values)
{
    /// <summary>So long after its last sample a series counts as silent, and then as gone: the analyzer forgets it then, too.</summary>
    private const int SilentHoursMax = 30 * 24;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    /// <param name="counts">Samples of hours that have any, in order of time.</param>
    /// <param name="end">The full hour (µs) that the line ends before.</param>
    /// <param name="unknown">Hours since 1970 in which nobody was counting.</param>
    /// <returns>Null where there is no sample before the end.</returns>
    public static HourlyLine? Of(string series, IReadOnlyList<ApiPoint> counts, long end, TimeZoneInfo zone, IReadOnlySet<long>? unknown = null)
    {
        var known = counts.Where(point => point.Time < end && point.Value > 0).ToDictionary(point => Instant.Floor(point.Time, Instant.Hour), point => (long)point.Value);
        if (known.Count == 0)
        {
            return null;
        }
        var first = known.Keys.Min();
        var last = Math.Min(end, known.Keys.Max() + (SilentHoursMax + 1) * Instant.Hour);
        var start = Clock(first, zone);
        var values = new List<long?>();
        for (var hour = first; hour < last; hour += Instant.Hour)
        {
            var at = (int)Math.Floor((Clock(hour, zone) - start).TotalHours);
            long? count = unknown?.Contains(hour / Instant.Hour) == true ? null : known.GetValueOrDefault(hour);
            if (at >= values.Count)
            {
                // Where clocks are put forward an hour of theirs never comes: nobody was counting then.
                values.AddRange(Enumerable.Repeat<long?>(null, at - values.Count));
                values.Add(count);
            }
            else
            {
                // Where they are put back one comes twice, and counts as one like the others.
                values[at] = values[at] is { } one ? ((count ?? one) + one + 1) / 2 : count;
            }
        }
        return new(series, start.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture), "H", zone.Id, values);
    }

    public string ToJson() => JsonSerializer.Serialize(this, Json);

    private static DateTime Clock(long micros, TimeZoneInfo zone) => TimeZoneInfo.ConvertTime(Instant.ToDateTimeOffset(micros), zone).DateTime;
}
