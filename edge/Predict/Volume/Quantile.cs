namespace Foretier.Predict.Volume;

/// <summary>Empirical quantiles.</summary>
public static class Quantile
{
    /// <summary>
    /// The value at position p·(n+1), between neighbours in proportion, so that a new observation of the same kind lies below it with
    /// probability p; NaN with fewer than <paramref name="countMin"/> values. Sorts <paramref name="values"/>.
    /// </summary>
    public static double Of(Span<double> values, double p, int countMin)
    {
        if (values.Length == 0 || values.Length < countMin)
        {
            return double.NaN;
        }
        values.Sort();
        var at = Math.Clamp(p * (values.Length + 1) - 1, 0, values.Length - 1);
        var below = (int)at;
        return below + 1 < values.Length ? values[below] + (at - below) * (values[below + 1] - values[below]) : values[below];
    }

    /// <summary>The same of at least one value, without sorting them all: changes their order, in time that grows as their number.</summary>
    internal static float Select(Span<float> values, float p)
    {
        var at = Math.Clamp(p * (values.Length + 1) - 1, 0, values.Length - 1);
        var below = (int)at;
        var low = Nth(values, below);
        if (below + 1 >= values.Length || at <= below)
        {
            return low;
        }
        // What stands behind the n-th is no smaller than it.
        var high = float.MaxValue;
        foreach (var value in values[(below + 1)..])
        {
            high = Math.Min(high, value);
        }
        return low + (at - below) * (high - low);
    }

    /// <summary>Hoare's selection, from the median of three.</summary>
    private static float Nth(Span<float> values, int n)
    {
        int from = 0, to = values.Length - 1;
        while (to - from > 16)
        {
            var middle = values[(from + to) / 2];
            var pivot = Math.Max(Math.Min(values[from], values[to]), Math.Min(Math.Max(values[from], values[to]), middle));
            int left = from, right = to;
            while (left <= right)
            {
                while (values[left] < pivot)
                {
                    left++;
                }
                while (values[right] > pivot)
                {
                    right--;
                }
                if (left <= right)
                {
                    (values[left], values[right]) = (values[right], values[left]);
                    left++;
                    right--;
                }
            }
            if (n <= right)
            {
                to = right;
            }
            else if (n >= left)
            {
                from = left;
            }
            else
            {
                return values[n];
            }
        }
        values.Slice(from, to - from + 1).Sort();
        return values[n];
    }
}
