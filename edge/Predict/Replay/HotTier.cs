namespace Foretier.Predict.Replay;

/// <summary>The fast tier in a replay: what is on it, and what it cost to bring it there.</summary>
/// <param name="sizes">Of every resource.</param>
/// <param name="capacity">What fits on it, in the unit of the sizes.</param>
public sealed class HotTier(IReadOnlyList<double> sizes, double capacity)
{
    private readonly bool[] _isHot = new bool[sizes.Count];

    public IReadOnlyList<double> Sizes => sizes;
    public double Capacity => capacity;
    public double Used { get; private set; }
    public ReadOnlySpan<bool> IsHot => _isHot;

    /// <summary>Resources brought here and sent away, since the count began.</summary>
    public long Promotions { get; private set; }
    public long Demotions { get; private set; }

    /// <summary>The sizes of all that moved, since the count began.</summary>
    public double Moved { get; private set; }

    public bool Has(int key) => _isHot[key];

    /// <summary>Moves made so far were part of getting started.</summary>
    public void BeginCount() => (Promotions, Demotions, Moved) = (0, 0, 0);

    /// <exception cref="InvalidOperationException">It does not fit: the policy's mistake.</exception>
    public void Promote(int key)
    {
        if (_isHot[key])
        {
            return;
        }
        if (Used + sizes[key] > capacity * (1 + 1e-9))
        {
            throw new InvalidOperationException($"resource {key} of size {sizes[key]} does not fit into {capacity - Used}");
        }
        _isHot[key] = true;
        Used += sizes[key];
        Promotions++;
        Moved += sizes[key];
    }

    public void Demote(int key)
    {
        if (_isHot[key])
        {
            _isHot[key] = false;
            Used -= sizes[key];
            Demotions++;
            Moved += sizes[key];
        }
    }

    /// <summary>Makes it hold exactly these: first what leaves, then what comes.</summary>
    public void Become(IReadOnlyList<bool> chosen)
    {
        for (var key = 0; key < chosen.Count; key++)
        {
            if (!chosen[key])
            {
                Demote(key);
            }
        }
        for (var key = 0; key < chosen.Count; key++)
        {
            if (chosen[key])
            {
                Promote(key);
            }
        }
    }
}
