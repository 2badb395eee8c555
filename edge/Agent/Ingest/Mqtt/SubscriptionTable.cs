using System.Collections.Concurrent;
using Foretier.Agent.Ingest.Identity;

namespace Foretier.Agent.Ingest.Mqtt;

/// <summary>
/// Who on this broker listens to which device: by device, or by account for filters that cover several. A message costs a look-up where nobody
/// listens, and else time for those who listen to its device or account, not for all who are connected. Thread-safe; readers take no lock.
/// </summary>
internal sealed class SubscriptionTable
{
    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<DeviceName, MqttChannel[]> _ofDevice = new();
    private readonly ConcurrentDictionary<string, MqttChannel[]> _ofAccount = new(StringComparer.Ordinal);
    private volatile int _count;
    private long _offers;

    /// <summary>Connections that a message was offered to, since the start: what fan-out costs.</summary>
    public long Offers => Interlocked.Read(ref _offers);

    /// <summary>The channel listens to the device, or to all of the account. It calls this once for each, however many filters it has.</summary>
    public void Add(DeviceName covered, MqttChannel channel)
    {
        lock (_lock)
        {
            Change(covered, channels => [.. channels, channel]);
        }
    }

    public void Remove(DeviceName covered, MqttChannel channel)
    {
        lock (_lock)
        {
            Change(covered, channels =>
            {
                var at = Array.IndexOf(channels, channel);
                return at < 0 ? channels : [.. channels[..at], .. channels[(at + 1)..]];
            });
        }
    }

    /// <summary>Hands a message to those who listen to its topic.</summary>
    /// <param name="from">Who published it; null for the server.</param>
    public void Deliver(MqttChannel? from, DeviceName device, ReadOnlySpan<byte> topic, ReadOnlySpan<byte> payload, bool isRetained)
    {
        if (_count == 0)
        {
            return;
        }
        var some = _ofDevice.GetValueOrDefault(device);
        var all = _ofAccount.GetValueOrDefault(device.Account);
        if (some is null && all is null)
        {
            return;
        }
        Interlocked.Add(ref _offers, (some?.Length ?? 0) + (all?.Length ?? 0));
        var message = new OutgoingMessage(topic, payload);
        foreach (var channel in some ?? [])
        {
            channel.Deliver(from, message, isRetained);
        }
        foreach (var channel in all ?? [])
        {
            if (some is null || Array.IndexOf(some, channel) < 0)
            {
                channel.Deliver(from, message, isRetained);
            }
        }
    }

    private void Change(DeviceName covered, Func<MqttChannel[], MqttChannel[]> change)
    {
        if (covered.IsConcentrator)
        {
            Change(_ofAccount, covered.Account, change);
        }
        else
        {
            Change(_ofDevice, covered, change);
        }
        _count = _ofAccount.Count + _ofDevice.Count;
    }

    private static void Change<TKey>(ConcurrentDictionary<TKey, MqttChannel[]> table, TKey key, Func<MqttChannel[], MqttChannel[]> change)
        where TKey : notnull
    {
        var channels = change(table.GetValueOrDefault(key, []));
        if (channels.Length > 0)
        {
            table[key] = channels;
        }
        else
        {
            table.TryRemove(key, out _);
        }
    }
}
