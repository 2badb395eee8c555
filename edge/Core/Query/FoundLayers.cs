using Foretier.Core.Samples;

namespace Foretier.Core.Query;

/// <summary>
/// Layers by series, as a source goes through its files. Where a file has a single layer of a series, as most have, the list that is remembered of it is
/// handed on as it is.
/// </summary>
/// <param name="series">How many series are looked for.</param>
public sealed class FoundLayers(int series)
{
    private readonly Dictionary<string, IReadOnlyList<Layer>> _layers = new(series, StringComparer.Ordinal);

    public Dictionary<string, IReadOnlyList<Layer>>.Enumerator GetEnumerator() => _layers.GetEnumerator();

    /// <summary>Adds those of a file's layers that meet the range and are later than a version.</summary>
    /// <returns>From the first sample of them to the last.</returns>
    public TimeRange Add(string name, IReadOnlyList<Layer> stored, TimeRange range, long after = long.MinValue)
    {
        var extent = TimeRange.Nothing;
        for (var i = 0; i < stored.Count; i++)
        {
            var layer = stored[i];
            if (layer.Version <= after || layer.FirstTime >= range.To || layer.LastTime < range.From)
            {
                continue;
            }
            extent = extent.Hull(new(layer.FirstTime, layer.LastTime + 1));
            if (stored.Count > 1 || !_layers.TryAdd(name, stored))
            {
                OwnOf(name).Add(layer);
            }
        }
        return extent;
    }

    public void Add(string name, Layer layer) => OwnOf(name).Add(layer);

    /// <summary>The series is gone through, whatever is found of it.</summary>
    public void Note(string name) => OwnOf(name);

    /// <summary>What is there of a series as a list to be added to, which a remembered one is not.</summary>
    private List<Layer> OwnOf(string name)
    {
        var known = _layers.GetValueOrDefault(name);
        if (known is Found own)
        {
            return own;
        }
        own = known is null ? [] : [.. known];
        _layers[name] = own;
        return own;
    }

    /// <summary>Told from remembered lists by its type.</summary>
    private sealed class Found : List<Layer>;
}
