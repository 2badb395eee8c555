using System.Collections.Concurrent;

namespace Foretier.Agent.Ingest.Payloads.Sparkplug;

internal enum SparkplugKind
{
    NodeBirth,
    NodeData,
    NodeDeath,
    DeviceBirth,
    DeviceData,
    DeviceDeath,
}

/// <param name="Name">The metric's name as a measurement.</param>
/// <param name="Type">Sparkplug's number of its data type; 0 where the birth did not say.</param>
internal sealed record SparkplugMetric(byte[] Name, int Type);

/// <summary>What the births of one edge node, or of one device of it, have said.</summary>
internal sealed class SparkplugBirth
{
    public Dictionary<ulong, SparkplugMetric> ByAlias { get; } = [];
    public Dictionary<byte[], SparkplugMetric> ByName { get; } = new(BytesComparer.Instance);

    /// <summary>Its metrics, at most so many objects.</summary>
    public int Count => Math.Max(ByAlias.Count, ByName.Count);
}

/// <summary>The session of one edge node. It outlives the node's connections, as its aliases do. Lock it while using it.</summary>
internal sealed class SparkplugNode(SparkplugNodes all)
{
    private const int DevicesMax = 1_000;

    private readonly Dictionary<string, SparkplugBirth> _devices = new(StringComparer.Ordinal);
    private SparkplugBirth? _node;
    private long? _askedAt;

    /// <summary>Of the last message; null before the first.</summary>
    public int? Sequence { get; set; }

    /// <summary>Of the last birth; a death with another one is of an earlier session.</summary>
    public ulong? BirthNumber { get; set; }

    public bool IsBorn => _node is not null;

    /// <summary>Its devices that are alive.</summary>
    public IEnumerable<string> Devices => _devices.Keys;

    /// <param name="device">Empty for the node itself.</param>
    public SparkplugBirth? Find(string device) => device.Length == 0 ? _node : _devices.GetValueOrDefault(device);

    /// <summary>A birth takes the place of the one before; a node's takes that of its devices too. False where there is no room for it.</summary>
    public bool TryBear(string device, SparkplugBirth birth)
    {
        if (device.Length == 0)
        {
            Die("");
        }
        else if (_devices.Count >= DevicesMax && !_devices.ContainsKey(device))
        {
            return false;
        }
        var before = Find(device)?.Count ?? 0;
        if (!all.TryCount(birth.Count - before))
        {
            return false;
        }
        if (device.Length == 0)
        {
            _node = birth;
        }
        else
        {
            _devices[device] = birth;
        }
        return true;
    }

    /// <summary>Forgets a device, or the node with all of them.</summary>
    public void Die(string device)
    {
        if (device.Length > 0)
        {
            all.TryCount(-(Find(device)?.Count ?? 0));
            _devices.Remove(device);
            return;
        }
        all.TryCount(-(_node?.Count ?? 0) - _devices.Values.Sum(d => d.Count));
        _node = null;
        _devices.Clear();
    }

    /// <summary>True where the node may be asked for its births now: not oftener than every ten seconds.</summary>
    public bool MayAsk(long now)
    {
        const long pause = 10 * Core.Samples.Instant.Second;
        if (_askedAt is { } at && now - at < pause && now >= at)
        {
            return false;
        }
        _askedAt = now;
        return true;
    }
}

/// <summary>The edge nodes that speak Sparkplug here. Bounded: names come from outside. Thread-safe.</summary>
internal sealed class SparkplugNodes
{
    private const int NodesMax = 1_000;

    // Some 150 bytes each.
    private const int MetricsMax = 200_000;

    private readonly ConcurrentDictionary<(string Account, string Node), SparkplugNode> _nodes = new();
    private int _metrics;

    /// <summary>Null where there are too many.</summary>
    public SparkplugNode? Get(string account, string node) =>
        _nodes.TryGetValue((account, node), out var known) ? known
        : _nodes.Count >= NodesMax ? null
        : _nodes.GetOrAdd((account, node), _ => new(this));

    public bool TryCount(int more)
    {
        if (Interlocked.Add(ref _metrics, more) <= MetricsMax || more <= 0)
        {
            return true;
        }
        Interlocked.Add(ref _metrics, -more);
        return false;
    }
}
