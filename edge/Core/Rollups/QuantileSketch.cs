namespace Foretier.Core.Rollups;

/// <summary>
/// How many numbers fell into each of the intervals (γ^(k-1), γ^k], as in DDSketch: any value it gives back is within
/// <see cref="RelativeError"/> of the true one. Counts add up, so that sketches merge in any order to the same result.
/// </summary>
public sealed class QuantileSketch
{
    /// <summary>A little under the promised 1 %, so that rounding at the edge of an interval stays within it.</summary>
    public const double RelativeError = 0.0099;

    /// <summary>Above every k of a double: ln(1.8e308) / ln γ = 35,850, and 37,590 for the smallest.</summary>
    private const int Origin = 40_000;
    private const int Infinite = 2 * Origin;

    private static readonly double LogGamma = Math.Log((1 + RelativeError) / (1 - RelativeError));

    // Ascending, as the values they stand for: negative numbers have negative keys, zero is 0.
    private int[] _keys = [];
    private long[] _counts = [];

    /// <summary>Intervals in use.</summary>
    public int Length { get; private set; }
    public ReadOnlySpan<int> Keys => _keys.AsSpan(0, Length);
    public ReadOnlySpan<long> Counts => _counts.AsSpan(0, Length);
    public long Count { get; private set; }

    /// <summary>Adds a number; NaN has no place in an order and is left out.</summary>
    public void Add(double value)
    {
        if (!double.IsNaN(value))
        {
            Add(KeyOf(value), 1);
        }
    }

    public void Add(int key, long count)
    {
        Count += count;
        var at = Length > 0 && _keys[Length - 1] < key ? ~Length : Array.BinarySearch(_keys, 0, Length, key);
        if (at >= 0)
        {
            _counts[at] += count;
            return;
        }
        at = ~at;
        if (Length == _keys.Length)
        {
            Array.Resize(ref _keys, Math.Max(8, Length * 2));
            Array.Resize(ref _counts, _keys.Length);
        }
        Array.Copy(_keys, at, _keys, at + 1, Length - at);
        Array.Copy(_counts, at, _counts, at + 1, Length - at);
        (_keys[at], _counts[at]) = (key, count);
        Length++;
    }

    public void Merge(QuantileSketch other)
    {
        for (var i = 0; i < other.Length; i++)
        {
            Add(other._keys[i], other._counts[i]);
        }
    }

    public QuantileSketch Clone()
    {
        var clone = new QuantileSketch { _keys = Keys.ToArray(), _counts = Counts.ToArray(), Length = Length };
        clone.Count = Count;
        return clone;
    }

    /// <summary>
    /// The value with the share <paramref name="quantile"/> (0..1) of the numbers below it, between neighbours in proportion (as PERCENTILE_CONT
    /// of SQL does); NaN where there is none.
    /// </summary>
    /// <param name="min">The smallest number, known exactly.</param>
    /// <param name="max">The largest.</param>
    public double ValueAt(double quantile, double min, double max)
    {
        if (Count == 0)
        {
            return double.NaN;
        }
        var rank = quantile * (Count - 1);
        var below = (long)Math.Floor(rank);
        double low = At(below, min, max), share = rank - below;
        return share == 0 ? low : Between(low, At(below + 1, min, max), share);
    }

    private static double Between(double low, double high, double share) =>
        low == high ? low : low * (1 - share) + high * share;

    private double At(long rank, double min, double max)
    {
        // The ends are known.
        if (rank <= 0)
        {
            return min;
        }
        if (rank >= Count - 1)
        {
            return max;
        }
        var i = 0;
        for (var seen = _counts[0]; seen <= rank; seen += _counts[i])
        {
            i++;
        }
        return Math.Clamp(ValueOf(_keys[i]), min, max);
    }

    private static int KeyOf(double value)
    {
        if (value == 0)
        {
            return 0;
        }
        var key = double.IsInfinity(value) ? Infinite : Origin + (int)Math.Ceiling(Math.Log(Math.Abs(value)) / LogGamma);
        return value > 0 ? key : -key;
    }

    private static double ValueOf(int key)
    {
        if (key == 0)
        {
            return 0;
        }
        var size = Math.Abs(key) == Infinite ? double.PositiveInfinity
            // 2γ^k / (γ + 1), the value that is equally far, in proportion, from both ends.
            : Math.Exp((Math.Abs(key) - Origin) * LogGamma) * (1 - RelativeError);
        return key > 0 ? size : -size;
    }
}
