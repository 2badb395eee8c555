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

    /// <summary>A longer one is time for thinking.</summary>
    private static readonly TimeSpan RoundTripMax = TimeSpan.FromSeconds(1.5);

    /// <summary>A packet that is lost is sent again after some two round trips, and one that is lost once more after twice that.</summary>
    private const double RoundTrips = 3, Deviations = 4;

    /// <summary>Shares of the newest measurement, as in TCP (RFC 6298).</summary>
    private const double NewestMean = 1 / 8.0, NewestDeviation = 1 / 4.0;

    private long _unansweredSince;
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

    /// <summary>Something was sent, and nothing has come since, for too long.</summary>
    public bool IsSilent => Volatile.Read(ref _unansweredSince) is > 0 and var since && clock.GetElapsedTime(since) > SilentAfter;

    /// <summary>Something is sent.</summary>
    public void Sent()
    {
        if (Volatile.Read(ref _unansweredSince) == 0)
        {
            Interlocked.CompareExchange(ref _unansweredSince, clock.GetTimestamp(), 0);
        }
    }

    /// <summary>Something has come, whatever it is: answers that wait behind it come too.</summary>
    public void Heard() => Volatile.Write(ref _unansweredSince, 0);

    /// <summary>A question was answered after so long, what was thought over it included.</summary>
    public void Answered(TimeSpan after)
    {
        var (isMeasured, mean, deviation) = _roundTrip;
        after = after < RoundTripMax ? after : RoundTripMax;
        // (Of two at the same time one is lost.)
        _roundTrip = isMeasured ? new(true, mean + NewestMean * (after - mean), deviation + NewestDeviation * ((after - mean).Duration() - deviation)) : new(true, after, after / 2);
    }

    private sealed record RoundTrip(bool IsMeasured, TimeSpan Mean, TimeSpan Deviation);
}
