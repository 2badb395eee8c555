using Foretier.Core.Samples;

namespace Foretier.Node.Hosting;

/// <summary>A clock that begins at a chosen time and runs faster or slower than the real one; its timers do too. For tests.</summary>
public sealed class ScaledClock : TimeProvider
{
    private readonly DateTimeOffset _start;
    private readonly double _rate;
    private readonly long _origin = System.GetTimestamp();

    /// <summary>How many times as fast as its timestamps, which are the machine's, a clock runs.</summary>
    public static double RateOf(TimeProvider clock) => clock is ScaledClock scaled ? scaled._rate : 1;

    private ScaledClock(DateTimeOffset start, double rate)
    {
        _start = start;
        _rate = rate;
    }

    /// <exception cref="ConfigurationException">The text is not START@RATE.</exception>
    public static TimeProvider Parse(string? text)
    {
        if (string.IsNullOrEmpty(text))
        {
            return System;
        }
        var parts = text.Split('@');
        if (parts.Length > 2 || !Instant.TryParse(parts[0], out var start)
            || !double.TryParse(parts.Length == 2 ? parts[1] : "1", global::System.Globalization.CultureInfo.InvariantCulture, out var rate)
            || !(rate is > 0 and <= 100_000))
        {
            throw new ConfigurationException($"--clock '{text}' is not START@RATE, for example 2026-01-01T00:00:00Z@60");
        }
        return new ScaledClock(Instant.ToDateTimeOffset(start), rate);
    }

    public override DateTimeOffset GetUtcNow() => _start + System.GetElapsedTime(_origin) * _rate;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        System.CreateTimer(callback, state, Scale(dueTime), Scale(period));

    private TimeSpan Scale(TimeSpan time) => time == Timeout.InfiniteTimeSpan || time == TimeSpan.Zero ? time
        : TimeSpan.FromTicks(Math.Max(TimeSpan.TicksPerMillisecond, (long)(time.Ticks / _rate)));
}
