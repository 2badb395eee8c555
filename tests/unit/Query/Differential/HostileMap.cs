using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Tests.Differential;

/// <summary>
/// A partition map that lies, another way each time it is asked: entries made up, of the wrong tier, edge, window or size, upside down (what is read most
/// is said to be read never), as of long ago, or none. Whoever goes by it may lose time, and nothing else. Thread-safe.
/// </summary>
internal sealed class HostileMap(int seed, IReadOnlyList<string> series, long origin, int days)
{
    private readonly Lock _lock = new();
    private readonly Random _random = new(seed);
    private readonly List<PartitionMap> _told = [PartitionMap.Empty];

    public PartitionMap Current
    {
        get
        {
            lock (_lock)
            {
                var map = _random.Next(6) switch
                {
                    0 => PartitionMap.Empty,
                    // Delayed: what was said at some time before.
                    1 => _told[_random.Next(_told.Count)],
                    2 => Inverted(_told[^1]),
                    _ => MadeUp(),
                };
                _told.Add(map);
                return map;
            }
        }
    }

    private static PartitionMap Inverted(PartitionMap map) => new(map.Revision, map.Groups, [.. map.Entries.Select(entry => entry with
    {
        Access = AccessPattern.Frequent - (int)entry.Access,
        Prefer = Tier.Archive - (int)entry.Prefer,
        SamplesP50 = entry.SamplesP90,
        SamplesP90 = entry.SamplesP50,
    })]);

    private PartitionMap MadeUp()
    {
        List<GroupMembers> groups = [];
        List<PartitionEntry> entries = [];
        for (var i = _random.Next(1, 6); i > 0; i--)
        {
            var edge = _random.Next(4) == 0 ? $"edge-{_random.Next()}" : "edge";
            var members = new GroupMembers(edge, "acme", $"g{i}", _random.Next(1, 4), [.. series.Where(_ => _random.Next(3) > 0).Append($"acme/none/{i}").Order(StringComparer.Ordinal)], _random.Next());
            groups.Add(members);
            for (var day = -1; day <= days; day++)
            {
                // Some groups have no members, some members no entries, some series several entries of one window.
                entries.Add(new(new("acme", members.Group, members.Version + _random.Next(2), new Window(origin + day * Instant.Day, Instant.Day)), edge, Any(), Any(), Any(),
                    new(Any(), Any(), Any(), Any()), (AccessPattern)_random.Next(3), (Tier)_random.Next(4), _random.Next(2) == 0 ? [] : ["1m", "none", "7d"], _random.NextInt64()));
            }
        }
        return new(_random.NextInt64(), groups, entries);
    }

    private int Any() => _random.Next(4) switch { 0 => 0, 1 => -_random.Next(), 2 => int.MaxValue, _ => _random.Next(1_000_000) };
}
