using Foretier.Core.Samples;

namespace Foretier.Core.Partitions;

/// <summary>
/// What one edge says in a map: sorted arrays to search in, since a router keeps hundreds of thousands of entries. The way from a series to its
/// groups is built when the first series is looked for: most edges of a fleet are never asked about.
/// </summary>
internal sealed class EdgePartitions
{
    private readonly PartitionEntry[] _entries;
    private readonly GroupMembers[] _groups;

    /// <summary>Of each entry the place of its group, -1 where the group is not known.</summary>
    private readonly int[] _groupOf;
    private readonly Lazy<GroupIndex> _groupsOf;

    public EdgePartitions(long revision, IEnumerable<GroupMembers> groups, IEnumerable<PartitionEntry> entries)
    {
        Revision = revision;
        _groups = [.. groups.GroupBy(KeyOf).Select(g => g.Last())];
        Array.Sort(_groups, (a, b) => Compare(KeyOf(a), KeyOf(b)));
        _entries = [.. entries.GroupBy(e => e.Id).Select(g => g.Last())];
        Array.Sort(_entries, (a, b) => a.Id.CompareTo(b.Id));
        _groupOf = new int[_entries.Length];
        for (var i = 0; i < _entries.Length; i++)
        {
            _groupOf[i] = Math.Max(-1, PlaceOf(KeyOf(_entries[i].Id)));
        }
        _groupsOf = new(() => GroupIndex.Of(_groups));
    }

    /// <summary>Of the edge's own map.</summary>
    public long Revision { get; }

    /// <summary>By window, then by name.</summary>
    public IReadOnlyList<PartitionEntry> Entries => _entries;

    /// <summary>By account, name and version.</summary>
    public IReadOnlyList<GroupMembers> Groups => _groups;

    public PartitionEntry? Find(PartitionId id)
    {
        int low = 0, high = _entries.Length - 1;
        while (low <= high)
        {
            var middle = (low + high) / 2;
            var order = _entries[middle].Id.CompareTo(id);
            if (order == 0)
            {
                return _entries[middle];
            }
            (low, high) = order < 0 ? (middle + 1, high) : (low, middle - 1);
        }
        return null;
    }

    public GroupMembers? MembersOf(PartitionId id) => PlaceOf(KeyOf(id)) is >= 0 and var place ? _groups[place] : null;

    public IEnumerable<PartitionEntry> FindAll(string series, TimeRange range)
    {
        if (!HasAccountOf(series) || _groupsOf.Value.Find(series) is not { } groups)
        {
            yield break;
        }
        for (var i = 0; i < _entries.Length && _entries[i].Id.Window.Start < range.To; i++)
        {
            if (Array.IndexOf(groups, _groupOf[i]) >= 0 && _entries[i].Id.Window.Range.Overlaps(range))
            {
                yield return _entries[i];
            }
        }
    }

    private bool HasAccountOf(string series)
    {
        var account = series.AsSpan(0, Math.Max(0, series.IndexOf('/')));
        foreach (var group in _groups)
        {
            if (account.SequenceEqual(group.Account))
            {
                return true;
            }
        }
        return false;
    }

    private int PlaceOf((string Account, string Group, int Version) key)
    {
        int low = 0, high = _groups.Length - 1;
        while (low <= high)
        {
            var middle = (low + high) / 2;
            var order = Compare(KeyOf(_groups[middle]), key);
            if (order == 0)
            {
                return middle;
            }
            (low, high) = order < 0 ? (middle + 1, high) : (low, middle - 1);
        }
        return -1;
    }

    private static int Compare((string Account, string Group, int Version) left, (string Account, string Group, int Version) right)
    {
        var order = string.CompareOrdinal(left.Account, right.Account);
        order = order != 0 ? order : GroupOrder.Compare(left.Group, right.Group);
        return order != 0 ? order : left.Version.CompareTo(right.Version);
    }

    private static (string Account, string Group, int Version) KeyOf(GroupMembers group) => (group.Account, group.Group, group.Version);
    private static (string Account, string Group, int Version) KeyOf(PartitionId id) => (id.Account, id.Group, id.Version);
}
