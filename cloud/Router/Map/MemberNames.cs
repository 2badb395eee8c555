using System.Collections;
using Foretier.Core.Partitions;
using Foretier.Node.Hosting;
using Foretier.Node.Map;

namespace Foretier.Router.Map;

/// <summary>
/// The names in all of an edge's memberships, each once, in order, and packed. A router keeps the memberships of thousands of edges, each in every version that an
/// entry still names, and is asked for few of them: whoever reads names has them unpacked, for as long as no collection comes.
/// </summary>
internal sealed class MemberNames
{
    private readonly byte[] _packed;
    private readonly WeakReference<string[]> _unpacked;

    private MemberNames(string[] names)
    {
        _packed = PackedJson.Pack(names);
        _unpacked = new(names);
        Count = names.Length;
    }

    public int Count { get; }

    public IReadOnlyList<string> All
    {
        get
        {
            if (!_unpacked.TryGetTarget(out var names))
            {
                _unpacked.SetTarget(names = PackedJson.Unpack<string[]>(_packed, NodeJson.Options));
            }
            return names;
        }
    }

    /// <summary>An edge's map with a change in it, the members of its groups kept in this way.</summary>
    /// <param name="update">Of one edge.</param>
    /// <param name="older">The edge's map before it, kept in this way.</param>
    /// <returns>The same as <see cref="PartitionMapUpdate.ApplyTo"/>; names that came in disorder or twice are in order, once.</returns>
    public static PartitionMap Apply(PartitionMapUpdate update, PartitionMap older)
    {
        if (update.Groups.Count == 0)
        {
            return update.ApplyTo(older);
        }
        var before = update.Reset ? [] : older.Groups;
        var names = before.Select(group => group.Series).OfType<KeptMembers>().FirstOrDefault()?.Names;
        var places = names is null ? [] : PlacesIn(names.All);
        if (names is null || update.Groups.Any(group => !group.Series.All(places.ContainsKey)))
        {
            // What only groups had that no entry names any more is gone with the old list.
            string[] all = [.. before.Concat(update.Groups).SelectMany(group => group.Series).Distinct(StringComparer.Ordinal)];
            Array.Sort(all, StringComparer.Ordinal);
            names = new(all);
            places = PlacesIn(all);
            older = new(older.Revision, [.. before.Select(group => Keep(group, names, places))], older.Entries);
        }
        return (update with { Groups = [.. update.Groups.Select(group => Keep(group, names, places))] }).ApplyTo(older);
    }

    private static Dictionary<string, int> PlacesIn(IReadOnlyList<string> names)
    {
        var places = new Dictionary<string, int>(names.Count, StringComparer.Ordinal);
        for (var i = 0; i < names.Count; i++)
        {
            places.Add(names[i], i);
        }
        return places;
    }

    private static GroupMembers Keep(GroupMembers group, MemberNames names, Dictionary<string, int> places)
    {
        var marks = new byte[(names.Count + 7) / 8];
        var count = 0;
        foreach (var name in group.Series)
        {
            var (place, mark) = Math.DivRem(places[name], 8);
            count += (marks[place] >> mark & 1) ^ 1;
            marks[place] |= (byte)(1 << mark);
        }
        return group with { Series = new KeptMembers(names, marks, count) };
    }

    /// <summary>The members of one group: a bit for each name of the edge.</summary>
    private sealed class KeptMembers(MemberNames names, byte[] marks, int count) : IReadOnlyList<string>
    {
        public MemberNames Names => names;

        public int Count => count;

        public string this[int index] => this.Skip(index).First();

        public IEnumerator<string> GetEnumerator()
        {
            var all = names.All;
            for (var i = 0; i < all.Count; i++)
            {
                if ((marks[i / 8] >> (i % 8) & 1) != 0)
                {
                    yield return all[i];
                }
            }
        }

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
