using Foretier.Core.Samples;

namespace Foretier.Predict.Volume;

/// <summary>
/// Which hour of the week each hour is on the clock of a time zone, so that daily and weekly habits keep their place when daylight saving
/// begins or ends. The answer is the same for all series of a cycle, so the last one is kept. Thread-safe.
/// </summary>
internal sealed class LocalHours(TimeZoneInfo zone)
{
    /// <summary>Sunday, midnight to one, is 0.</summary>
    public const int OfWeek = 168;

    private Slots? _slots;

    private sealed record Slots(long End, int Before, byte[] HourOfWeek);

    /// <param name="end">The full hour (µs) in the middle.</param>
    /// <returns>Hour of the week, 0..167, of so many hours before <paramref name="end"/> and so many from it on.</returns>
    public ReadOnlySpan<byte> Around(long end, int before, int after)
    {
        var slots = _slots;
        if (slots is null || slots.End != end || slots.Before != before || slots.HourOfWeek.Length < before + after)
        {
            slots = new(end, before, new byte[before + after]);
            for (var i = 0; i < slots.HourOfWeek.Length; i++)
            {
                var local = TimeZoneInfo.ConvertTime(Instant.ToDateTimeOffset(end + (i - before) * Instant.Hour), zone);
                slots.HourOfWeek[i] = (byte)((int)local.DayOfWeek * 24 + local.Hour);
            }
            _slots = slots;
        }
        return slots.HourOfWeek.AsSpan(0, before + after);
    }
}
