using System.Globalization;
using Foretier.Core.Samples;

namespace Foretier.Agent;

/// <summary>
/// The clock of a box that may start without knowing the time. Until the system's clock is set, time goes on from the newest that was ever
/// written down, and never backwards; nothing is deleted meanwhile. Thread-safe.
/// </summary>
/// <remarks>
/// 1. At start a system clock behind what was written down, or behind the program's own making, is not believed: time is the last known one
/// plus what has passed since the start. It is left as soon as the system clock has overtaken it, or was set at all to something credible.
/// 2. While running, whoever sets the clock is right, forward or back; but after a jump of more than an hour nothing is deleted for an hour.
/// </remarks>
/// <param name="system">The system's clock, or the one of a test.</param>
/// <param name="floor">µs; a system clock before this is wrong for certain.</param>
/// <param name="rate">How many times as fast as its timestamps the system's clock runs: that of a test.</param>
public sealed class SiteClock(TimeProvider system, long floor = 0, double rate = 1) : TimeProvider
{
    /// <summary>A clock may be behind by so much, and not be wrong: it was corrected a little, or the last time was written down just then.</summary>
    private const long Slack = Instant.Minute;
    private const long Jump = Instant.Hour;

    /// <summary>So much time passed over at once is told.</summary>
    private const long Gap = Instant.Minute;

    private readonly Lock _gate = new();
    private long _known = floor, _knownAt = system.GetTimestamp();
    private long _seen = Instant.Now(system), _seenAt = system.GetTimestamp();
    private long? _jumpedAt;
    private bool _isTrusted = Instant.Now(system) >= floor - Slack;

    /// <summary>Told of each stretch of time, µs, that the clock passed over: it was set ahead, or the box slept.</summary>
    public event Action<TimeRange>? Passed;

    /// <summary>False while the system clock is not believed.</summary>
    public bool IsTrusted
    {
        get
        {
            Now();
            lock (_gate)
            {
                return _isTrusted;
            }
        }
    }

    /// <summary>By how much the time given out was behind, µs, when the system clock was believed again; null while it is not, or where it always was.</summary>
    public long? WasBehind { get; private set; }

    /// <summary>False while nothing may be deleted by its age.</summary>
    public bool IsSettled
    {
        get
        {
            Now();
            lock (_gate)
            {
                return _isTrusted && (_jumpedAt is not { } at || system.GetElapsedTime(at) >= TimeSpan.FromHours(1));
            }
        }
    }

    /// <summary>What an operator should know of it; null while all is well.</summary>
    public string? Doubt
    {
        get
        {
            if (!IsTrusted)
            {
                return string.Create(CultureInfo.InvariantCulture, $"The clock is not trusted since the start: the system says {Instant.Format(Instant.Now(system))}, which is "
                    + $"before the last known time. Samples without a time are stamped from there on ({Instant.Format(Now())}), and nothing is deleted by age. Set the clock.");
            }
            return IsSettled ? null : "The clock was set by more than an hour: for an hour nothing is deleted by age. If it is wrong now, set it.";
        }
    }

    /// <summary>Tells the newest time that was written down before this start.</summary>
    public void Remember(long known)
    {
        lock (_gate)
        {
            if (known > _known)
            {
                (_known, _knownAt) = (known, system.GetTimestamp());
            }
            _isTrusted &= Instant.Now(system) >= _known - Slack;
        }
    }

    public override long TimestampFrequency => system.TimestampFrequency;
    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;
    public override DateTimeOffset GetUtcNow() => Instant.ToDateTimeOffset(Now());
    public override long GetTimestamp() => system.GetTimestamp();
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        system.CreateTimer(callback, state, dueTime, period);

    private long Now()
    {
        var now = Now(out var over);
        if (!over.IsEmpty)
        {
            Passed?.Invoke(over);
        }
        return now;
    }

    /// <param name="over">What was passed over since the call before.</param>
    private long Now(out TimeRange over)
    {
        over = TimeRange.Nothing;
        lock (_gate)
        {
            var (now, at) = (Instant.Now(system), system.GetTimestamp());
            var expected = _seen + Since(_seenAt, at);
            if (Math.Abs(now - expected) > Jump)
            {
                _jumpedAt = at;
            }
            if (_isTrusted)
            {
                over = now - expected > Gap ? new(_seen, now) : over;
                (_seen, _seenAt) = (now, at);
                return now;
            }
            (_seen, _seenAt) = (now, at);
            var own = _known + Since(_knownAt, at);
            if (now < own)
            {
                return own;
            }
            over = now - own > Gap ? new(own, now) : over;
            (_isTrusted, WasBehind) = (true, now - own);
            _jumpedAt = null; // it was expected to be set
            return now;
        }
    }

    private long Since(long before, long at) => (long)(system.GetElapsedTime(before, at).TotalMicroseconds * rate);
}
