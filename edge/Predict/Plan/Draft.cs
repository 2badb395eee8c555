using Foretier.Core.Partitions;

namespace Foretier.Predict.Plan;

/// <summary>The next map while it is being drawn up from the previous one.</summary>
internal sealed class Draft
{
    private readonly PartitionMap _previous;
    private readonly Dictionary<PartitionId, PartitionEntry> _entries = [];
    private readonly Dictionary<(string Account, string Group), List<GroupMembers>> _groups = [];

    public Draft(string edge, PartitionMap previous, long revision)
    {
        Edge = edge;
        Revision = revision;
        _previous = previous;
        foreach (var group in previous.Groups)
        {
            Versions(group.Account, group.Group).Add(group);
        }
    }

    public string Edge { get; }

    /// <summary>The revision the map gets if anything in it is new.</summary>
    public long Revision { get; }

    public PartitionEntry? Previous(PartitionId id) => _previous.Find(Edge, id);

    /// <summary>What was last said of any version of a group, so that its pattern carries over to the next window and the next version.</summary>
    public PartitionEntry? PreviousOfGroup(PartitionId id)
    {
        PartitionEntry? latest = null;
        foreach (var entry in _previous.Entries)
        {
            if (entry.Id.Account == id.Account && entry.Id.Group == id.Group && (latest is null || entry.Id > latest.Id))
            {
                latest = entry;
            }
        }
        return latest;
    }

    public void Keep(PartitionEntry entry) => _entries[entry.Id] = entry;

    public void Put(PartitionEntry entry) => _entries[entry.Id] = entry;

    /// <summary>
    /// The groups an account has in a window that was announced before, else in the latest window before it, announced or just drafted.
    /// </summary>
    public IReadOnlyList<GroupMembers> GroupsBefore(string account, Window window, out bool announced)
    {
        var known = _previous.Entries.Where(e => e.Id.Account == account && e.Id.Window == window).ToList();
        announced = known.Count > 0;
        if (!announced)
        {
            var earlier = _previous.Entries.Concat(_entries.Values).Where(e => e.Id.Account == account && e.Id.Window < window).ToList();
            if (earlier.Count == 0)
            {
                return [];
            }
            var latest = earlier.Max(e => e.Id.Window);
            // A drafted window replaces what was announced for it.
            known = earlier.Where(e => e.Id.Window == latest && _entries.ContainsKey(e.Id)).ToList();
            known = known.Count > 0 ? known : earlier.Where(e => e.Id.Window == latest).ToList();
        }
        return [.. known.Select(e => e.Id).Distinct().Order()
            .Select(id => Versions(id.Account, id.Group).Find(g => g.Version == id.Version)).OfType<GroupMembers>()];
    }

    /// <summary>The version of a group that has exactly these members: a known one, or the next.</summary>
    public GroupMembers Members(string account, string group, IReadOnlyList<string> series)
    {
        var versions = Versions(account, group);
        var members = versions.Find(g => g.Series.SequenceEqual(series, StringComparer.Ordinal));
        if (members is null)
        {
            members = new(Edge, account, group, 1 + versions.Select(g => g.Version).DefaultIfEmpty().Max(), series, Revision);
            versions.Add(members);
        }
        return members;
    }

    /// <summary>The previous map itself where nothing is different.</summary>
    public PartitionMap ToMap()
    {
        if (_entries.Count == _previous.Entries.Count && _previous.Entries.All(e => _entries.TryGetValue(e.Id, out var now) && ReferenceEquals(e, now)))
        {
            return _previous;
        }
        var named = _entries.Keys.Select(id => (id.Account, id.Group, id.Version)).ToHashSet();
        return new(Revision, [.. _groups.Values.SelectMany(g => g).Where(g => named.Contains((g.Account, g.Group, g.Version)))], [.. _entries.Values]);
    }

    private List<GroupMembers> Versions(string account, string group)
    {
        if (!_groups.TryGetValue((account, group), out var versions))
        {
            _groups[(account, group)] = versions = [];
        }
        return versions;
    }
}
