using System.Collections.Concurrent;
using System.Net;

namespace Foretier.Agent.Ingest.Identity;

/// <summary>
/// A token bucket of failed log-ins for each address, so that guessing costs the guesser time instead of our CPU.
/// On loopback, where all processes of the machine share one address, the user name counts too.
/// </summary>
/// <param name="burst">Failures that are free.</param>
/// <param name="refill">Time after which one more is.</param>
internal sealed class FailureThrottle(int burst, TimeSpan refill, TimeProvider clock)
{
    private const int AddressesMax = 10_000;

    private readonly ConcurrentDictionary<(IPAddress, string), Bucket> _buckets = new();

    /// <summary>False while the address has used up its failures: refuse without looking at the secret.</summary>
    public bool Allows(IPAddress address, string? user) =>
        !_buckets.TryGetValue(KeyOf(address, user), out var bucket) || bucket.TokensAt(clock, refill, burst) >= 1;

    public void Failed(IPAddress address, string? user)
    {
        if (_buckets.Count >= AddressesMax)
        {
            // Full buckets say nothing. If a flood of addresses fills it with others, forgetting all costs us a burst of each.
            foreach (var (key, old) in _buckets)
            {
                if (old.TokensAt(clock, refill, burst) >= burst)
                {
                    _buckets.TryRemove(key, out _);
                }
            }
            if (_buckets.Count >= AddressesMax)
            {
                _buckets.Clear();
            }
        }
        _buckets.AddOrUpdate(KeyOf(address, user),
            _ => new(burst - 1, clock.GetTimestamp()),
            (_, bucket) => new(Math.Max(0, bucket.TokensAt(clock, refill, burst) - 1), clock.GetTimestamp()));
    }

    private static (IPAddress, string) KeyOf(IPAddress address, string? user) =>
        IPAddress.IsLoopback(address) ? (address, user is { Length: > 300 } ? user[..300] : user ?? "") : (address, "");

    private sealed record Bucket(double Tokens, long At)
    {
        public double TokensAt(TimeProvider clock, TimeSpan refill, int burst) => Math.Min(burst, Tokens + clock.GetElapsedTime(At) / refill);
    }
}
