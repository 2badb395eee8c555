using System.Net;

namespace Foretier.Agent.Ingest.Mqtt;

/// <summary>
/// A token bucket of new connections for each remote address (an IPv6 address counts with its /64): reconnecting in a loop costs a
/// handshake each time. Loopback is free: who is on the machine can use its CPU anyway. Thread-safe.
/// </summary>
/// <param name="burst">Connections that an address may open at once; a site behind one address comes back all at once after an outage.</param>
/// <param name="refill">Time after which it may open one more.</param>
internal sealed class ConnectThrottle(int burst, TimeSpan refill, TimeProvider wire)
{
    private const int AddressesMax = 10_000;

    private readonly Lock _lock = new();
    private readonly Dictionary<IPAddress, Bucket> _buckets = [];

    /// <summary>Connections turned away since the start.</summary>
    public long Refused { get; private set; }

    internal int Addresses => _buckets.Count;

    public bool Allows(IPAddress address)
    {
        if (IPAddress.IsLoopback(address))
        {
            return true;
        }
        var key = KeyOf(address);
        lock (_lock)
        {
            var now = wire.GetTimestamp();
            if (_buckets.Count >= AddressesMax && !_buckets.ContainsKey(key))
            {
                Forget(now);
            }
            var tokens = TokensOf(_buckets.GetValueOrDefault(key, new(burst, now)), now);
            var isAllowed = tokens >= 1;
            _buckets[key] = new(isAllowed ? tokens - 1 : tokens, now);
            Refused += isAllowed ? 0 : 1;
            return isAllowed;
        }
    }

    private double TokensOf(Bucket bucket, long now) => Math.Min(burst, bucket.Tokens + wire.GetElapsedTime(bucket.At, now) / refill);

    private void Forget(long now)
    {
        foreach (var (address, bucket) in _buckets.ToArray())
        {
            if (TokensOf(bucket, now) >= burst)
            {
                _buckets.Remove(address);
            }
        }
        if (_buckets.Count >= AddressesMax)
        {
            // A flood from ever new addresses: forgetting all of them costs us a burst of each.
            _buckets.Clear();
        }
    }

    private static IPAddress KeyOf(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
        {
            return address.MapToIPv4();
        }
        if (address.AddressFamily != System.Net.Sockets.AddressFamily.InterNetworkV6)
        {
            return address;
        }
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        bytes[8..].Clear();
        return new(bytes);
    }

    private readonly record struct Bucket(double Tokens, long At);
}
