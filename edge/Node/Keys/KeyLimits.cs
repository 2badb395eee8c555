using System.Threading.RateLimiting;

namespace Foretier.Node.Keys;

/// <summary>How much each API key may ask: a token bucket a key, so that one client's loop does not take the node from the others.</summary>
/// <param name="requestsPerSecond">0: no limit.</param>
public sealed class KeyLimits(int requestsPerSecond) : IDisposable
{
    private readonly PartitionedRateLimiter<Caller> _limits = PartitionedRateLimiter.Create<Caller, string>(caller =>
        RateLimitPartition.GetTokenBucketLimiter(caller.Name, _ => new()
        {
            TokenLimit = 2 * requestsPerSecond,
            TokensPerPeriod = PerDrop(requestsPerSecond),
            ReplenishmentPeriod = TimeSpan.FromSeconds((double)PerDrop(requestsPerSecond) / requestsPerSecond),
            QueueLimit = 0,
        }));

    /// <summary>Counts a request; how long to wait where it is one too many, else null.</summary>
    public TimeSpan? WaitOf(Caller caller)
    {
        if (requestsPerSecond == 0 || caller.Name is "node" or "bootstrap")
        {
            return null;
        }
        using var lease = _limits.AttemptAcquire(caller);
        return lease.IsAcquired ? null : lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) ? wait : TimeSpan.FromSeconds(1);
    }

    public void Dispose() => _limits.Dispose();

    /// <summary>About ten drops a second, of whole requests.</summary>
    private static int PerDrop(int requestsPerSecond) => Math.Max(1, requestsPerSecond / 10);
}
