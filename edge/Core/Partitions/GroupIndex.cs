namespace Foretier.Core.Partitions;

/// <summary>
/// The way from a series to the groups it is in, without the names: of each only a hash of 64 bits is kept, sixteen bytes a series where a table of names takes two
/// hundred, and a router may be asked about every edge of a fleet. Two series with one hash would be looked for in each other's partitions: the map is a hint.
/// </summary>
internal sealed class GroupIndex
{
    private readonly ulong[] _hashes;
    private readonly int[][] _groupsOf;

    private GroupIndex(ulong[] hashes, int[][] groupsOf) => (_hashes, _groupsOf) = (hashes, groupsOf);

    /// <summary>Series with the same history of groups share one array.</summary>
    public static GroupIndex Of(IReadOnlyList<GroupMembers> groups)
    {
        var index = new Dictionary<ulong, int[]>();
        for (var i = 0; i < groups.Count; i++)
        {
            var grown = new Dictionary<int[], int[]>(ReferenceEqualityComparer.Instance);
            int[] alone = [i];
            foreach (var series in groups[i].Series)
            {
                var hash = HashOf(series);
                if (!index.TryGetValue(hash, out var before))
                {
                    index[hash] = alone;
                    continue;
                }
                if (before[^1] == i)
                {
                    // Named twice.
                    continue;
                }
                if (!grown.TryGetValue(before, out var after))
                {
                    grown[before] = after = [.. before, i];
                }
                index[hash] = after;
            }
        }
        var (hashes, groupsOf) = (index.Keys.ToArray(), index.Values.ToArray());
        Array.Sort(hashes, groupsOf);
        return new(hashes, groupsOf);
    }

    /// <returns>Places of its groups; null where it is in none.</returns>
    public int[]? Find(string series) => Array.BinarySearch(_hashes, HashOf(series)) is >= 0 and var at ? _groupsOf[at] : null;

    /// <summary>FNV-1a.</summary>
    private static ulong HashOf(string name)
    {
        var hash = 14695981039346656037UL;
        foreach (var character in name)
        {
            hash = (hash ^ character) * 1099511628211UL;
        }
        return hash;
    }
}
