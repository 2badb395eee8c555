using System.Text.Json.Serialization;
using Foretier.Core.Samples;

namespace Foretier.Core.Partitions;

/// <summary>
/// The predictive partition map: which partition a series is expected in at a time, how that will be read, and what stands ready for it.
/// Immutable; whoever owns one swaps it whole. An edge writes its own, a router reads those of all edges as one.
/// </summary>
public sealed class PartitionMap
{
    public static readonly PartitionMap Empty = new(0, [], []);

    private readonly Dictionary<string, EdgePartitions> _edges;
    private readonly Lazy<IReadOnlyList<PartitionEntry>> _entries;
    private readonly Lazy<IReadOnlyList<GroupMembers>> _groups;

    /// <summary>Takes entries and groups in any order; the last of several with one name stands.</summary>
    [JsonConstructor]
    public PartitionMap(long revision, IReadOnlyList<GroupMembers> groups, IReadOnlyList<PartitionEntry> entries)
        : this(revision, ByEdge(revision, groups, entries))
    {
    }

    private PartitionMap(long revision, Dictionary<string, EdgePartitions> edges)
    {
        Revision = revision;
        _edges = edges;
        _entries = new(() => edges.Count == 1 ? edges.Values.First().Entries
            : [.. edges.Values.SelectMany(e => e.Entries).OrderBy(e => e.Id).ThenBy(e => e.Edge, StringComparer.Ordinal)]);
        _groups = new(() => [.. edges.OrderBy(e => e.Key, StringComparer.Ordinal).SelectMany(e => e.Value.Groups)]);
    }

    /// <summary>Goes up with every change; 0 for a map that says nothing.</summary>
    public long Revision { get; }

    public IReadOnlyList<GroupMembers> Groups => _groups.Value;

    /// <summary>By window, then by name.</summary>
    public IReadOnlyList<PartitionEntry> Entries => _entries.Value;

    /// <summary>The edges whose partitions are in it, in no particular order.</summary>
    [JsonIgnore]
    public IReadOnlyCollection<string> Edges => _edges.Keys;

    /// <summary>The revision of an edge's own map that is in this one; 0 where there is none.</summary>
    public long RevisionOf(string edge) => _edges.TryGetValue(edge, out var own) ? own.Revision : 0;

    /// <summary>What one edge said, as its own map; <see cref="Empty"/> where it said nothing.</summary>
    public PartitionMap Of(string edge) => _edges.TryGetValue(edge, out var own) ? new(own.Revision, new() { [edge] = own }) : Empty;

    /// <summary>This map with what one edge says now; the others' parts are shared, not copied.</summary>
    /// <param name="revision">Of the resulting map.</param>
    /// <param name="edge">Whose part is replaced.</param>
    /// <param name="own">Its own map; null takes it out.</param>
    public PartitionMap With(long revision, string edge, PartitionMap? own) => With(revision, [new(edge, own)]);

    /// <summary>The same for several edges at once.</summary>
    public PartitionMap With(long revision, IEnumerable<KeyValuePair<string, PartitionMap?>> parts)
    {
        var edges = new Dictionary<string, EdgePartitions>(_edges, StringComparer.Ordinal);
        foreach (var (edge, own) in parts)
        {
            if (own is null)
            {
                edges.Remove(edge);
            }
            else
            {
                edges[edge] = own._edges.GetValueOrDefault(edge) is { } part && part.Revision == own.Revision ? part : new(own.Revision, own.GroupsOf(edge), own.EntriesOf(edge));
            }
        }
        return new(revision, edges);
    }

    public IReadOnlyList<PartitionEntry> EntriesOf(string edge) => _edges.TryGetValue(edge, out var own) ? own.Entries : [];

    public IReadOnlyList<GroupMembers> GroupsOf(string edge) => _edges.TryGetValue(edge, out var own) ? own.Groups : [];

    /// <summary>
    /// The partition a series is predicted to be in at a time (the specification's getPartition); null where nothing is predicted.
    /// Of a series that moved between edges, the partition expected to hold more.
    /// </summary>
    public PartitionEntry? Find(string series, long time) => LargestOf(FindAll(series, new(time, time + 1)));

    /// <summary>The same on one edge, for those who know where the series is: of a fleet, the others' parts are not looked through.</summary>
    public PartitionEntry? Find(string series, long time, string edge) => LargestOf(FindAll(series, new(time, time + 1), edge));

    private static PartitionEntry? LargestOf(IEnumerable<PartitionEntry> entries)
    {
        PartitionEntry? best = null;
        foreach (var entry in entries)
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
    public IEnumerable<PartitionEntry> FindAll(string series, TimeRange range) => _edges.Values.SelectMany(edge => edge.FindAll(series, range));

    /// <summary>The same on one edge, for those who know where the series is.</summary>
    public IEnumerable<PartitionEntry> FindAll(string series, TimeRange range, string edge) =>
        _edges.TryGetValue(edge, out var own) ? own.FindAll(series, range) : [];

    public PartitionEntry? Find(string edge, PartitionId id) => _edges.TryGetValue(edge, out var own) ? own.Find(id) : null;

    /// <summary>The members of an entry's group, or null where the map was not told of them.</summary>
    public GroupMembers? MembersOf(PartitionEntry entry) => _edges.TryGetValue(entry.Edge, out var own) ? own.MembersOf(entry.Id) : null;

    private static Dictionary<string, EdgePartitions> ByEdge(long revision, IReadOnlyList<GroupMembers> groups, IReadOnlyList<PartitionEntry> entries)
    {
        var groupsOf = groups.ToLookup(g => g.Edge, StringComparer.Ordinal);
        var entriesOf = entries.ToLookup(e => e.Edge, StringComparer.Ordinal);
        return groupsOf.Select(g => g.Key).Union(entriesOf.Select(e => e.Key), StringComparer.Ordinal)
            .ToDictionary(edge => edge, edge => new EdgePartitions(revision, groupsOf[edge], entriesOf[edge]), StringComparer.Ordinal);
    }
}
