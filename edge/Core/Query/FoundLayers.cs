using Foretier.Core.Samples;

namespace Foretier.Core.Query;

/// <summary>
/// Layers by series, as a source goes through its files. Series are told by their places in the request. Where a file has a single layer of a series, as most
/// have, the list that is remembered of it is handed on as it is.
/// </summary>
/// <param name="series">How many are asked for.</param>
public sealed class FoundLayers(int series)
{
    private readonly IReadOnlyList<Layer>?[] _layers = new IReadOnlyList<Layer>?[series];

    /// <summary>In all of them together.</summary>
    public long Samples { get; private set; }

    /// <summary>What is there of a series; null where it was not come across.</summary>
    public IReadOnlyList<Layer>? Of(int place) => _layers[place];

    /// <summary>Adds those of a file's layers that meet the range and are later than a version.</summary>
    /// <returns>From the first sample of them to the last.</returns>
    public TimeRange Add(int place, IReadOnlyList<Layer> stored, TimeRange range, long after = long.MinValue)
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
            Samples += layer.Count;
            if (stored.Count == 1 && _layers[place] is null)
            {
                _layers[place] = stored;
            }
            else
            {
                OwnOf(place).Add(layer);
            }
        }
        return extent;
    }

    public void Add(int place, Layer layer)
    {
        Samples += layer.Count;
        OwnOf(place).Add(layer);
    }

    /// <summary>The series is gone through, whatever is found of it.</summary>
    public void Note(int place) => OwnOf(place);

    /// <summary>What is there of a series as a list to be added to, which a remembered one is not.</summary>
    private Found OwnOf(int place)
    {
        if (_layers[place] is Found own)
        {
            return own;
        }
        own = [.. _layers[place] ?? []];
        _layers[place] = own;
        return own;
    }

    /// <summary>Told from remembered lists by its type.</summary>
    private sealed class Found : List<Layer>;
}
