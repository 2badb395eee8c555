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
}
