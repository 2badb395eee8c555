using Foretier.Core.Samples;

namespace Foretier.Core.Query;

/// <summary>Days and weeks as they are in a time zone: 23 or 25 hours long where the clocks change. Weeks begin on Monday.</summary>
internal static class CalendarDays
{
    // A Monday: steps of several days are counted from it.
    private static readonly DateOnly Monday = new(1970, 1, 5);

    /// <summary>The starts of all steps that a range touches, and the end of the last, µs.</summary>
    public static List<long> EdgesOf(TimeRange range, int days, TimeZoneInfo zone)
    {
        var first = DateOnly.FromDateTime(TimeZoneInfo.ConvertTime(Instant.ToDateTimeOffset(range.From), zone).DateTime);
        var day = first.AddDays(-Modulo(first.DayNumber - Monday.DayNumber, days));
        // A day whose midnight is skipped may begin after the sample that was found to lie in it, by a rule that changed.
        while (StartOf(day, zone) > range.From)
        {
            day = day.AddDays(-days);
        }
        var edges = new List<long> { StartOf(day, zone) };
        while (edges[^1] < range.To)
        {
            day = day.AddDays(days);
            edges.Add(StartOf(day, zone));
        }
        return edges;
    }

    /// <summary>The first instant of a day: midnight, the earlier one where there are two, the end of the gap where there is none.</summary>
    private static long StartOf(DateOnly day, TimeZoneInfo zone)
    {
        var midnight = day.ToDateTime(TimeOnly.MinValue, DateTimeKind.Unspecified);
        if (zone.IsInvalidTime(midnight))
        {
            // In the gap the offset of before still leads to the instant at which the clocks were put forward, or shortly after it.
            var before = new DateTimeOffset(midnight, zone.GetUtcOffset(midnight.AddHours(-3)));
            var after = midnight;
            while (zone.IsInvalidTime(after))
            {
                after = after.AddMinutes(1);
            }
            return Math.Min(Instant.From(before), Instant.From(new DateTimeOffset(after, zone.GetUtcOffset(after))));
        }
        var offset = zone.IsAmbiguousTime(midnight) ? zone.GetAmbiguousTimeOffsets(midnight).Max() : zone.GetUtcOffset(midnight);
        return Instant.From(new DateTimeOffset(midnight, offset));
    }

    private static int Modulo(int value, int by) => (value % by + by) % by;
}
