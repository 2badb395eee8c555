namespace Foretier.Agent.Hot;

/// <summary>
/// Device writes that may happen early: an even flow of so many bytes a day, of which up to <paramref name="creditBytes"/> is saved up
/// for livelier times. What has to be written is written anyway and spends too. Not thread-safe; knows no clock.
/// </summary>
internal sealed class WriteAllowance(long bytesPerDay, long creditBytes)
{
    private readonly double _bytesPerTick = (double)bytesPerDay / TimeSpan.TicksPerDay;
    private double _left = creditBytes;
    private TimeSpan _at;

    /// <summary>How long until <paramref name="bytes"/> may be written; zero: at once.</summary>
    public TimeSpan WaitFor(long bytes, TimeSpan now)
    {
        Advance(now);
        var lacking = Math.Min(bytes, creditBytes) - _left;
        return lacking <= 0 ? TimeSpan.Zero : lacking / _bytesPerTick >= TimeSpan.TicksPerDay ? TimeSpan.FromDays(1)
            : TimeSpan.FromTicks((long)(lacking / _bytesPerTick) + 1);
    }

    public void Spend(long bytes, TimeSpan now)
    {
        Advance(now);
        // What was unavoidable is not held against the future for longer than half an hour.
        _left = Math.Max(_left - bytes, -_bytesPerTick * (TimeSpan.TicksPerHour / 2));
    }

    private void Advance(TimeSpan now)
    {
        if (now > _at)
        {
            _left = Math.Min(creditBytes, _left + (now - _at).Ticks * _bytesPerTick);
            _at = now;
        }
    }
}
