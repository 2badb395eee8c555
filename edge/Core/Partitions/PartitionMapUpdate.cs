namespace Foretier.Core.Partitions;

/// <summary>
/// What changed between two revisions of one edge's map, as it goes up the link.
/// </summary>
/// <param name="Since">The revision this builds on; whoever holds another one asks for the whole map.</param>
/// <param name="Revision">The revision it leads to.</param>
/// <param name="Reset">This is the whole map, and older knowledge of the edge is void.</param>
/// <param name="Groups">New group versions. A version that no entry names any more is forgotten without being told.</param>
/// <param name="Entries">New or changed entries.</param>
/// <param name="Removed">Partitions that left the map.</param>
public sealed record PartitionMapUpdate(
    long Since, long Revision, bool Reset, IReadOnlyList<GroupMembers> Groups, IReadOnlyList<PartitionEntry> Entries, IReadOnlyList<PartitionId> Removed)
{
    public static PartitionMapUpdate Whole(PartitionMap map) => new(0, map.Revision, Reset: true, map.Groups, map.Entries, []);

    /// <summary>From one map of an edge to a later one of the same edge.</summary>
    public static PartitionMapUpdate Between(PartitionMap older, PartitionMap newer)
    {
        var kept = newer.Entries.Select(e => e.Id).ToHashSet();
        return new(older.Revision, newer.Revision, Reset: false,
            [.. newer.Groups.Where(g => g.Revision > older.Revision)],
            [.. newer.Entries.Where(e => e.Revision > older.Revision)],
            [.. older.Entries.Where(e => !kept.Contains(e.Id)).Select(e => e.Id)]);
    }

    /// <summary>The map that results from one edge's earlier map. Its revision must be <see cref="Since"/>, unless this is a reset.</summary>
    public PartitionMap ApplyTo(PartitionMap older)
    {
        if (Reset)
        {
            return new(Revision, Groups, Entries);
        }
        if (older.Revision != Since)
        {
            throw new ArgumentException($"the update builds on revision {Since}, the map is at {older.Revision}", nameof(older));
        }
        var removed = Removed.ToHashSet();
        PartitionEntry[] entries = [.. older.Entries.Where(e => !removed.Contains(e.Id)), .. Entries];
        var named = entries.Select(e => (e.Edge, e.Id.Account, e.Id.Group, e.Id.Version)).ToHashSet();
        return new(Revision, [.. older.Groups.Concat(Groups).Where(g => named.Contains((g.Edge, g.Account, g.Group, g.Version)))], entries);
    }
}
