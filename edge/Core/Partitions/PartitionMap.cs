using System.Text.Json.Serialization;
using Foretier.Core.Samples;

namespace Foretier.Core.Partitions;

/// <summary>
/// The predictive partition map: which partition a series is expected in at a time, how that will be read, and what stands ready for it.
/// Immutable; whoever owns one swaps it whole. An edge writes its own, a router reads those of all edges merged.
/// </summary>
public sealed class PartitionMap
{
    public static readonly PartitionMap Empty = new(0, [], []);

    private readonly record struct GroupKey(string Edge, string Account, string Group, int Version);

    private readonly Dictionary<GroupKey, GroupMembers> _groups = [];
    private readonly Dictionary<GroupKey, List<PartitionEntry>> _entriesOf = [];
    private Dictionary<string, GroupMembers[]>? _groupsOf;

    /// <summary>Takes entries and groups in any order; the last of several with one name stands.</summary>
    [JsonConstructor]
    public PartitionMap(long revision, IReadOnlyList<GroupMembers> groups, IReadOnlyList<PartitionEntry> entries)
    {
        Revision = revision;
        foreach (var group in groups)
        {
            _groups[KeyOf(group)] = group;
        }
        var unique = new Dictionary<(string, PartitionId), PartitionEntry>(entries.Count);
        foreach (var entry in entries)
        {
            unique[(entry.Edge, entry.Id)] = entry;
        }
        Groups = [.. _groups.Values.OrderBy(g => g.Edge, StringComparer.Ordinal).ThenBy(g => g.Account, StringComparer.Ordinal)
            .ThenBy(g => g.Group, Comparer<string>.Create(GroupOrder.Compare)).ThenBy(g => g.Version)];
        Entries = [.. unique.Values.OrderBy(e => e.Id).ThenBy(e => e.Edge, StringComparer.Ordinal)];
        foreach (var entry in Entries)
        {
            var key = KeyOf(entry);
            if (!_entriesOf.TryGetValue(key, out var list))
            {
                _entriesOf[key] = list = [];
            }
            list.Add(entry);
        }
    }

    /// <summary>Goes up with every change; 0 for a map that says nothing.</summary>
    public long Revision { get; }

    public IReadOnlyList<GroupMembers> Groups { get; }

    /// <summary>By window, then by name.</summary>
    public IReadOnlyList<PartitionEntry> Entries { get; }

    /// <summary>
    /// The partition a series is predicted to be in at a time (the specification's getPartition); null where nothing is predicted.
    /// Of a series that moved between edges, the partition expected to hold more.
    /// </summary>
    public PartitionEntry? Find(string series, long time)
    {
        PartitionEntry? best = null;
        foreach (var entry in FindAll(series, new(time, time + 1)))
        {
            if (best is null || entry.SamplesP50 > best.SamplesP50 || (entry.SamplesP50 == best.SamplesP50 && entry.Revision > best.Revision))
            {
                best = entry;
            }
        }
        return best;
    }

    /// <summary>
    /// How a series is expected to be read at a time (the specification's getAccessPattern): as its partition of that time says, else as that of the
    /// window nearest to it; <see cref="AccessPattern.Occasional"/> for a series of which nothing is known.
    /// </summary>
    public AccessPattern AccessOf(string series, long time)
    {
        if (Find(series, time) is { } entry)
        {
            return entry.Access;
        }
        PartitionEntry? nearest = null;
        var distance = long.MaxValue;
        foreach (var candidate in FindAll(series, TimeRange.Everything))
        {
            var away = time < candidate.Id.Window.Start ? candidate.Id.Window.Start - time : time - candidate.Id.Window.End;
            if (away < distance)
            {
                (nearest, distance) = (candidate, away);
            }
        }
        return nearest?.Access ?? AccessPattern.Occasional;
    }

    /// <summary>Every partition that a series is predicted to be in within a range, on any edge, in no particular order.</summary>
    public IEnumerable<PartitionEntry> FindAll(string series, TimeRange range)
    {
        foreach (var group in GroupsOf(series))
        {
            foreach (var entry in EntriesOf(KeyOf(group)))
            {
                if (entry.Id.Window.Range.Overlaps(range))
                {
                    yield return entry;
                }
            }
        }
    }

    public PartitionEntry? Find(string edge, PartitionId id) =>
        EntriesOf(new(edge, id.Account, id.Group, id.Version)).FirstOrDefault(entry => entry.Id.Window == id.Window);

    /// <summary>The members of an entry's group, or null where the map was not told of them.</summary>
    public GroupMembers? MembersOf(PartitionEntry entry) => _groups.GetValueOrDefault(KeyOf(entry));

    /// <summary>By an index made when it is first asked for: an edge keeps several maps of many series that nobody asks.</summary>
    private GroupMembers[] GroupsOf(string series)
    {
        if (_groupsOf is not { } index)
        {
            index = new(StringComparer.Ordinal);
            foreach (var group in Groups)
            {
                foreach (var member in group.Series)
                {
                    index[member] = index.TryGetValue(member, out var others) ? [.. others, group] : [group];
                }
            }
            _groupsOf = index;
        }
        return index.GetValueOrDefault(series, []);
    }

    private List<PartitionEntry> EntriesOf(GroupKey key) => _entriesOf.TryGetValue(key, out var entries) ? entries : [];

    private static GroupKey KeyOf(GroupMembers group) => new(group.Edge, group.Account, group.Group, group.Version);
    private static GroupKey KeyOf(PartitionEntry entry) => new(entry.Edge, entry.Id.Account, entry.Id.Group, entry.Id.Version);
}
