using Foretier.Agent.Ingest.Identity;

namespace Foretier.Agent.Ingest.Mqtt;

/// <summary>
/// The last retained message of each topic, for who subscribes later; bounded in count and bytes. In memory only: after a restart there are
/// none until they are published again, while the samples in them are stored like any others. Thread-safe.
/// </summary>
internal sealed class RetainedMessages(int countMax, long bytesMax)
{
    // What an entry costs beside its topic and payload: two arrays, a slot.
    private const int Overhead = 96;

    private readonly Lock _lock = new();
    private readonly Dictionary<DeviceName, Dictionary<byte[], byte[]>> _devices = [];

    public int Count { get; private set; }
    public long Bytes { get; private set; }

    /// <summary>Messages that were not retained for want of room.</summary>
    public long Refused { get; private set; }

    /// <summary>Replaces the topic's message; an empty payload removes it. False where there is no room for it: then the topic has none.</summary>
    public bool Put(DeviceName device, ReadOnlySpan<byte> topic, ReadOnlySpan<byte> payload)
    {
        lock (_lock)
        {
            Remove(device, topic);
            if (payload.IsEmpty)
            {
                return true;
            }
            if (Count >= countMax || Bytes + topic.Length + payload.Length + Overhead > bytesMax)
            {
                Refused++;
                return false;
            }
            if (!_devices.TryGetValue(device, out var topics))
            {
                _devices[device] = topics = new(BytesComparer.Instance);
            }
            topics[topic.ToArray()] = payload.ToArray();
            Count++;
            Bytes += topic.Length + payload.Length + Overhead;
            return true;
        }
    }

    /// <param name="covered">The device, or all devices of the account.</param>
    public List<OutgoingMessage> Matching(DeviceName covered, ReadOnlySpan<byte> filter)
    {
        var matching = new List<OutgoingMessage>();
        lock (_lock)
        {
            foreach (var (device, topics) in _devices)
            {
                if (device != covered && !(covered.IsConcentrator && device.Account == covered.Account))
                {
                    continue;
                }
                foreach (var (topic, payload) in topics)
                {
                    if (TopicFilter.Matches(filter, topic))
                    {
                        matching.Add(new(topic, payload));
                    }
                }
            }
        }
        return matching;
    }

    private void Remove(DeviceName device, ReadOnlySpan<byte> topic)
    {
        if (_devices.TryGetValue(device, out var topics)
            && topics.GetAlternateLookup<ReadOnlySpan<byte>>().Remove(topic, out _, out var payload))
        {
            Count--;
            Bytes -= topic.Length + payload!.Length + Overhead;
            if (topics.Count == 0)
            {
                _devices.Remove(device);
            }
        }
    }
}
