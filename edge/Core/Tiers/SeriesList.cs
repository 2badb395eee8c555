namespace Foretier.Core.Tiers;

/// <summary>The series of a catalog at one moment. Immutable.</summary>
internal sealed class SeriesList(SeriesInfo[] all)
{
    private SeriesInfo[]? _byName;
    private Dictionary<string, int>? _byEdge;

    public IReadOnlyList<SeriesInfo> All => all;

    /// <summary>Both <see cref="Named"/> and <see cref="CountOf"/> were asked before: the first to ask makes what they look in.</summary>
    public bool IsIndexed => _byName is not null && _byEdge is not null;

    /// <summary>How many an edge took in.</summary>
    public int CountOf(string edge) => (_byEdge ??= all.CountBy(series => series.Edge).ToDictionary()).GetValueOrDefault(edge);

    /// <summary>Those of one name, one for each edge that has it.</summary>
    public IEnumerable<SeriesInfo> Named(string name)
    {
        // Sorted when first asked: a few bytes a series, where a table of lists would take a hundred.
        var sorted = _byName ??= [.. all.OrderBy(series => series.Name, StringComparer.Ordinal)];
        int low = 0, high = sorted.Length;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (string.CompareOrdinal(sorted[middle].Name, name) < 0)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }
        for (; low < sorted.Length && sorted[low].Name == name; low++)
        {
            yield return sorted[low];
        }
    }
}
