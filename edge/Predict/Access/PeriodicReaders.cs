using Foretier.Core.Query;
using Foretier.Core.Samples;

namespace Foretier.Predict.Access;

/// <summary>
/// Finds who reads by the clock in the hours that something was read in: alert rules and dashboards, daily, weekly and monthly reports,
/// by the clock of the account's time zone, so that a report at seven stays at seven when the clocks change. Pure.
/// </summary>
/// <remarks>
/// A report is expected at an hour where it came often enough before; a run may be an hour late, and some may be missing. What comes at an
/// hour every day is daily and nothing else; what comes on a weekday is not monthly. Once it has stayed away a few times it is no longer expected.
/// </remarks>
public static class PeriodicReaders
{
    /// <summary>Below this a reader is not believed in.</summary>
    public const double ConfidenceMin = 0.6;

    /// <summary>Hours without a pause that make somebody steady.</summary>
    private const int SteadyHours = 24;

    /// <summary>With more hours of the week than this, it is somebody who looks in, rather than so many reports.</summary>
    private const int SlotsMax = 6;

    /// <param name="hours">Hours since 1970 that have reads, ascending, with how many.</param>
    /// <param name="shape">What the reads asked for; tells alert rules from dashboards.</param>
    /// <param name="now">µs: reads from then on are not looked at.</param>
    /// <param name="zone">The account's.</param>
    public static IReadOnlyList<PeriodicReader> Find(IReadOnlyList<(long Hour, int Count)> hours, ReadShape shape, long now, TimeZoneInfo zone)
    {
        var nowHour = now / Instant.Hour;
        var before = hours as List<(long Hour, int Count)> is { } list && (list.Count == 0 || list[^1].Hour < nowHour) ? hours : [.. hours.Where(h => h.Hour < nowHour)];
        if (before.Count < 2)
        {
            return [];
        }
        if (Steady(before, shape, nowHour) is { } steady)
        {
            return [steady];
        }
        var slots = new SlotSearch(before, nowHour, zone).Find();
        if (slots.Count > SlotsMax)
        {
            return Next(slots, nowHour, zone) is var (next, slot)
                ? [new(ReaderKind.Dashboard, TimeSpan.FromHours(168.0 / slots.Count), next, slot.Confidence, slot.ReadsPerRun) { Slots = slots, Zone = zone }] : [];
        }
        var readers = new List<PeriodicReader>(slots.Count);
        foreach (var each in slots)
        {
            var (kind, every) = each.DayOfMonth > 0 ? (ReaderKind.MonthlyReport, 365.25 / 12) : each.Weekday >= 0 ? (ReaderKind.WeeklyReport, 7) : (ReaderKind.DailyReport, 1);
            if (Next([each], nowHour, zone) is var (next, slot))
            {
                readers.Add(new(kind, TimeSpan.FromDays(every), next, slot.Confidence, slot.ReadsPerRun) { Slots = [slot], Zone = zone });
            }
        }
        return readers;
    }

    private static PeriodicReader? Steady(IReadOnlyList<(long Hour, int Count)> hours, ReadShape shape, long now)
    {
        // The hour that just ended may have been its last, or not be told yet: one may be missing at the end.
        if (hours.Count < SteadyHours || hours[^1].Hour < now - 2 || hours[^1].Hour - hours[^SteadyHours].Hour > SteadyHours)
        {
            return null;
        }
        // The newest and the oldest hour may have been only partly in use.
        var (sum, squares, count) = (0.0, 0.0, 0);
        for (var i = hours.Count - SteadyHours + 1; i < hours.Count - 1; i++)
        {
            sum += hours[i].Count;
            squares += (double)hours[i].Count * hours[i].Count;
            count++;
        }
        var mean = sum / count;
        var deviation = Math.Sqrt(Math.Max(0, squares / count - mean * mean));
        if (mean < 2)
        {
            return null;
        }
        var isAlert = shape.IsKnown && shape.Length <= 1 && deviation <= Math.Max(1, 0.1 * mean);
        var confidence = hours[^1].Hour >= now - 1 ? 0.98 : 0.8;
        return new(isAlert ? ReaderKind.AlertRule : ReaderKind.Dashboard, TimeSpan.FromHours(1 / mean), now * Instant.Hour, confidence, mean);
    }

    private static (long Next, ReaderSlot Slot)? Next(IReadOnlyList<ReaderSlot> slots, long now, TimeZoneInfo zone)
    {
        // A month and a bit further than any of them may be away.
        for (var hour = now; hour < now + 63 * 24; hour++)
        {
            var local = LocalHour.Of(hour, zone);
            if (slots.FirstOrDefault(s => s.Matches(local)) is { } slot)
            {
                return (hour * Instant.Hour, slot);
            }
        }
        return null;
    }
}
