using Foretier.Core.Samples;

namespace Foretier.Predict.Access;

/// <summary>Who reads at times that can be told ahead.</summary>
public enum ReaderKind
{
    /// <summary>Every few seconds or minutes, day and night, always as often, over a short range.</summary>
    AlertRule,

    /// <summary>Every few seconds or minutes for hours on end, or at many hours of the week.</summary>
    Dashboard,

    /// <summary>Every day at an hour.</summary>
    DailyReport,

    /// <summary>Every week on a day at an hour.</summary>
    WeeklyReport,

    /// <summary>Every month on a day at an hour.</summary>
    MonthlyReport,
}

/// <summary>A reader that was found in how something was read so far.</summary>
/// <param name="Every">Between two reads, where it reads all the time; else between two runs, on average.</param>
/// <param name="Next">When it is expected next: the beginning of an hour, µs.</param>
/// <param name="Confidence">How likely it comes then, 0..1: how often it came when it was expected, late times counting for more.</param>
/// <param name="ReadsPerRun">Reads within the hour of a run.</param>
public sealed record PeriodicReader(ReaderKind Kind, TimeSpan Every, long Next, double Confidence, double ReadsPerRun)
{
    /// <summary>Hours of the week of a dashboard or report by the account's clock; null for who reads all the time.</summary>
    internal IReadOnlyList<ReaderSlot>? Slots { get; init; }

    internal TimeZoneInfo Zone { get; init; } = TimeZoneInfo.Utc;

    /// <summary>Reads to expect from one hour to another, both since 1970.</summary>
    public double ReadsIn(long fromHour, long toHour)
    {
        if (Slots is null)
        {
            return Math.Max(0, toHour - Math.Max(fromHour, Next / Instant.Hour)) * Confidence * ReadsPerRun;
        }
        var reads = 0.0;
        for (var hour = Math.Max(fromHour, Next / Instant.Hour); hour < toHour; hour++)
        {
            var local = LocalHour.Of(hour, Zone);
            foreach (var slot in Slots)
            {
                reads += slot.Matches(local) ? slot.Confidence * slot.ReadsPerRun : 0;
            }
        }
        return reads;
    }
}

/// <summary>An hour that comes again: every day, on a weekday, or on a day of the month.</summary>
/// <param name="Weekday">Sunday is 0; -1: any.</param>
/// <param name="DayOfMonth">0: any; 32: the last one.</param>
internal sealed record ReaderSlot(int Hour, int Weekday, int DayOfMonth, double Confidence, double ReadsPerRun)
{
    public const int LastDay = 32;

    public bool Matches(LocalHour local) => local.Hour == Hour && (Weekday < 0 || local.Weekday == Weekday)
        && (DayOfMonth == 0 || local.DayOfMonth == DayOfMonth || (DayOfMonth == LastDay && local.IsLastDay));
}

/// <summary>An hour by a clock on the wall.</summary>
/// <param name="Day">Days since 1970.</param>
internal readonly record struct LocalHour(long Day, int Hour)
{
    public int Weekday => (int)((Day + 4) % 7);
    public DateOnly Date => DateOnly.FromDayNumber((int)(Day + DayNumberOf1970));
    public int DayOfMonth => Date.Day;
    public bool IsLastDay => Date.AddDays(1).Day == 1;

    private const int DayNumberOf1970 = 719_162;

    public static long DayOf(DateOnly date) => date.DayNumber - DayNumberOf1970;

    public static LocalHour Of(long hour, TimeZoneInfo zone)
    {
        var offset = ReferenceEquals(zone, TimeZoneInfo.Utc) ? 0 : (long)zone.GetUtcOffset(Instant.ToDateTimeOffset(hour * Instant.Hour)).TotalMinutes;
        var local = (long)Math.Floor((hour * 60 + offset) / 60.0);
        return new(local / 24, (int)(local % 24));
    }
}
