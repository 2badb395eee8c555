using Foretier.Agent.Ingest.Identity;

namespace Foretier.Agent.Ingest.Mqtt;

/// <summary>
/// Whose messages somebody on this broker listens to: by device, or by account for filters that cover several of its devices.
/// Delivering costs MQTTnet time for each subscriber, so only these messages are handed to it. Thread-safe.
/// </summary>
internal sealed class SubscriptionTable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<DeviceName, int> _listeners = [];
    private volatile int _count;

    public void Add(DeviceName covered) => Change(covered, 1);

    public void Remove(DeviceName covered) => Change(covered, -1);

    public bool HasListener(DeviceName device)
    {
        if (_count == 0)
        {
            return false;
        }
        lock (_lock)
        {
            return _listeners.ContainsKey(device) || _listeners.ContainsKey(device with { Device = DeviceName.AnyDevice });
        }
    }

    private void Change(DeviceName covered, int by)
    {
        lock (_lock)
        {
            var left = _listeners.GetValueOrDefault(covered) + by;
            if (left > 0)
            {
                _listeners[covered] = left;
            }
            else
            {
                _listeners.Remove(covered);
            }
            _count = _listeners.Count;
        }
    }
}
