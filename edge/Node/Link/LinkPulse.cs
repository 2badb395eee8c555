namespace Foretier.Node.Link;

/// <summary>
/// Whether the other end of a link still says anything. It is asked for its catalog all the time and says something at the latest after a second
/// (<c>NodeApi.MapCatalog</c>), however long it takes over a question: so a link on which nothing comes for much longer is half-open, or its node stands
/// still, long before a ping tells. How much longer goes by its round trip, as a retransmission does in TCP. Thread-safe.
/// </summary>
/// <param name="clock">The machine's own.</param>
internal sealed class LinkPulse(TimeProvider clock)
{
    /// <summary>An answer to the catalog's poll, and as much again and a half for machines that have other work.</summary>
    private static readonly TimeSpan SilenceMin = TimeSpan.FromSeconds(2.5);

    /// <summary>By then pings tell.</summary>
    private static readonly TimeSpan SilenceMax = TimeSpan.FromSeconds(10);

    /// <summary>A longer one stood behind something large.</summary>
    private static readonly TimeSpan RoundTripMax = TimeSpan.FromSeconds(1.5);

    /// <summary>A packet that is lost is sent again after some two round trips, and one that is lost once more after twice that.</summary>
    private const double RoundTrips = 3, Deviations = 4;

    /// <summary>Shares of the newest measurement, as in TCP (RFC 6298).</summary>
    private const double NewestMean = 1 / 8.0, NewestDeviation = 1 / 4.0;

    /// <summary>Of the slowest links there are (256 kbit/s): as long as what was sent before a question may be under way.</summary>
    private const int SlowBytesPerSecond = 32_000;

    private readonly Lock _lock = new();
    private long _unansweredSince;
    private long _deliveredAt;
    private long _sentBytes;
    private volatile RoundTrip _roundTrip = new(false, TimeSpan.FromSeconds(0.2), TimeSpan.FromSeconds(0.1));

    /// <summary>So long nothing may come to what was sent.</summary>
    public TimeSpan SilentAfter
    {
        get
        {
            var after = SilenceMin + RoundTrips * _roundTrip.Mean + Deviations * _roundTrip.Deviation;
            return after < SilenceMax ? after : SilenceMax;
        }
    }

    /// <summary>Something was sent, and nothing has come since, for too long after even a slow link would have delivered it.</summary>
    public bool IsSilent
    {
        get
        {
            if (Volatile.Read(ref _unansweredSince) is not (> 0 and var since))
            {
                return false;
            }
            var silence = clock.GetElapsedTime(since);
            return silence > SilenceMax || silence - clock.GetElapsedTime(since, Math.Max(since, Volatile.Read(ref _deliveredAt))) > SilentAfter;
        }
    }

    /// <summary>So much was sent since the link is there: all of it before whatever is asked next.</summary>
    public long SentBytes => Volatile.Read(ref _sentBytes);

    /// <summary>Something is sent. (By one at a time.)</summary>
    public void Sent(int bytes)
    {
        lock (_lock)
        {
            var now = clock.GetTimestamp();
            var isFirst = Interlocked.CompareExchange(ref _unansweredSince, now, 0) == 0;
            // What follows unanswered is told from what went before by its bytes alone: else every question would put off the end of the waiting.
            var deliveredAt = (isFirst ? Math.Max(now, _deliveredAt) : _deliveredAt) + WayOf(bytes);
            Volatile.Write(ref _deliveredAt, Math.Min(deliveredAt, now + (long)(SilenceMax.TotalSeconds * clock.TimestampFrequency)));
            Volatile.Write(ref _sentBytes, _sentBytes + bytes);
        }
    }

    /// <summary>Something has come, whatever it is: answers that wait behind it come too.</summary>
    public void Heard() => Volatile.Write(ref _unansweredSince, 0);

    /// <summary>Something has come that answers what was sent: a quick link has by then delivered what a slow one would take long over.</summary>
    /// <param name="throughBytes">The first of <see cref="SentBytes"/> that must have been read there to say so.</param>
    public void Delivered(long throughBytes)
    {
        lock (_lock)
        {
            var behind = Math.Max(0, _sentBytes - throughBytes);
            Volatile.Write(ref _deliveredAt, Math.Min(_deliveredAt, clock.GetTimestamp() + WayOf(behind)));
        }
    }

    /// <summary>A poll was under way and back for so long, without what it waited there.</summary>
    public void Answered(TimeSpan after)
    {
        var (isMeasured, mean, deviation) = _roundTrip;
        after = after < RoundTripMax ? after : RoundTripMax;
        // (Of two at the same time one is lost.)
        _roundTrip = isMeasured ? new(true, mean + NewestMean * (after - mean), deviation + NewestDeviation * ((after - mean).Duration() - deviation)) : new(true, after, after / 2);
    }

    private long WayOf(long bytes) => bytes * clock.TimestampFrequency / SlowBytesPerSecond;

    private sealed record RoundTrip(bool IsMeasured, TimeSpan Mean, TimeSpan Deviation);
}
