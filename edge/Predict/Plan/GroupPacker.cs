namespace Foretier.Predict.Plan;

/// <summary>A series on its way into a group.</summary>
/// <param name="Bytes">What it needs of a partition.</param>
/// <param name="ReadsPerDay">What is expected to be read of it.</param>
internal readonly record struct PackedSeries(string Name, long Bytes, double ReadsPerDay);

/// <summary>A group being filled. Hot groups are called h0, h1, …, the others g0, g1, …</summary>
internal sealed class PackedGroup(string name)
{
    public string Name { get; } = name;
    public bool IsHot => Name[0] == 'h';
    public List<PackedSeries> Members { get; } = [];
    public long Bytes { get; private set; }

    public void Add(PackedSeries series)
    {
        Members.Add(series);
        Bytes += series.Bytes;
    }

    public void RemoveAt(int index)
    {
        Bytes -= Members[index].Bytes;
        Members.RemoveAt(index);
    }
}

/// <summary>
/// Puts the series of one account into groups: first fit, largest first, hot apart from cold, and as few changes as the target allows.
/// </summary>
/// <remarks>
/// 1. Everyone stays where they were. 2. Where moving is allowed: leavers are those gone hot or cold, the largest of a group that outgrew its
/// target, and all of a group nearly empty while another is too. 3. Newcomers and leavers go into the first group with room, or a new one.
/// New members fill a group to 0.8 of the target only, so that it can grow by a quarter before anyone has to leave.
/// </remarks>
internal sealed class GroupPacker(PlannerOptions options)
{
    private const double FillMax = 0.8;
    private const int NearlyEmptyPart = 4;

    /// <summary>What is hot stays so until it is read half as often as made it hot.</summary>
    private double HotUntil => options.FrequentReadsPerDay / 2;

    /// <param name="series">All that belong somewhere, in ordinal order of their names.</param>
    /// <param name="before">The groups so far: name and members.</param>
    /// <param name="mayMove">False for a window already announced: newcomers are added, nobody leaves.</param>
    public List<PackedGroup> Pack(
        IReadOnlyList<PackedSeries> series, IEnumerable<(string Name, IReadOnlyList<string> Members)> before, bool mayMove)
    {
        var homeless = series.ToDictionary(s => s.Name, StringComparer.Ordinal);
        List<PackedGroup> groups = [];
        foreach (var (name, members) in before)
        {
            var group = new PackedGroup(name);
            foreach (var member in members)
            {
                if (homeless.Remove(member, out var known))
                {
                    group.Add(known);
                }
                else if (!mayMove)
                {
                    group.Add(new(member, 0, 0));
                }
            }
            groups.Add(group);
        }
        if (mayMove)
        {
            Loosen(groups, homeless);
        }
        foreach (var newcomer in homeless.Values.OrderByDescending(s => s.Bytes).ThenBy(s => s.Name, StringComparer.Ordinal))
        {
            FirstFit(groups, newcomer).Add(newcomer);
        }
        groups.RemoveAll(group => group.Members.Count == 0);
        return groups;
    }

    private void Loosen(List<PackedGroup> groups, Dictionary<string, PackedSeries> homeless)
    {
        void Leave(PackedGroup group, int index)
        {
            homeless.Add(group.Members[index].Name, group.Members[index]);
            group.RemoveAt(index);
        }

        foreach (var group in groups)
        {
            for (var i = group.Members.Count - 1; i >= 0; i--)
            {
                var reads = group.Members[i].ReadsPerDay;
                if (group.IsHot ? reads < HotUntil : reads >= options.FrequentReadsPerDay)
                {
                    Leave(group, i);
                }
            }
            while (group.Members.Count > 1 && (group.Bytes > options.PartitionBytesMax || group.Members.Count > options.SeriesPerGroupMax))
            {
                var largest = 0;
                for (var i = 1; i < group.Members.Count; i++)
                {
                    largest = group.Members[i].Bytes > group.Members[largest].Bytes ? i : largest;
                }
                Leave(group, largest);
            }
        }
        foreach (var emptyish in groups.Where(IsNearlyEmpty).GroupBy(g => g.IsHot).SelectMany(g => g.Skip(1)).ToList())
        {
            while (emptyish.Members.Count > 0)
            {
                Leave(emptyish, emptyish.Members.Count - 1);
            }
        }
    }

    private bool IsNearlyEmpty(PackedGroup group) =>
        group.Bytes < options.PartitionBytesMax / NearlyEmptyPart && group.Members.Count < options.SeriesPerGroupMax / NearlyEmptyPart;

    private PackedGroup FirstFit(List<PackedGroup> groups, PackedSeries series)
    {
        var hot = series.ReadsPerDay >= options.FrequentReadsPerDay;
        foreach (var group in groups)
        {
            // An empty group takes whatever comes: a series larger than the target has a partition to itself.
            if (group.IsHot == hot && (group.Members.Count == 0
                || (group.Members.Count < options.SeriesPerGroupMax && group.Bytes + series.Bytes <= options.PartitionBytesMax * FillMax)))
            {
                return group;
            }
        }
        var number = 0;
        string name;
        do
        {
            name = (hot ? "h" : "g") + (number++).ToString(System.Globalization.CultureInfo.InvariantCulture);
        }
        while (groups.Exists(group => group.Name == name));
        var added = new PackedGroup(name);
        groups.Add(added);
        return added;
    }
}
