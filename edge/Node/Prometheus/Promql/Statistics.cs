namespace Foretier.Node.Prometheus.Promql;

/// <summary>Of one value at least, as Prometheus has them: NaN loses against any number in min and max.</summary>
internal static class Statistics
{
    public static double Sum(ReadOnlySpan<double> values)
    {
        double sum = 0, carried = 0;
        foreach (var value in values)
        {
            // Neumaier: what the larger of both could not take.
            var next = sum + value;
            carried += Math.Abs(sum) >= Math.Abs(value) ? sum - next + value : value - next + sum;
            sum = next;
        }
        return double.IsFinite(sum) ? sum + carried : sum;
    }

    public static double Mean(ReadOnlySpan<double> values) => Sum(values) / values.Length;

    public static double Min(ReadOnlySpan<double> values) => Best(values, (value, best) => value < best);

    public static double Max(ReadOnlySpan<double> values) => Best(values, (value, best) => value > best);

    /// <summary>Of a population.</summary>
    public static double Stddev(ReadOnlySpan<double> values)
    {
        double mean = 0, m2 = 0;
        for (var i = 0; i < values.Length; i++)
        {
            var delta = values[i] - mean;
            mean += delta / (i + 1);
            m2 += delta * (values[i] - mean);
        }
        return Math.Sqrt(m2 / values.Length);
    }

    /// <summary>Between two neighbours it lies on the line between them.</summary>
    public static double Quantile(ReadOnlySpan<double> values, double quantile)
    {
        if (double.IsNaN(quantile))
        {
            return double.NaN;
        }
        if (quantile is < 0 or > 1)
        {
            return quantile < 0 ? double.NegativeInfinity : double.PositiveInfinity;
        }
        var sorted = values.ToArray();
        Array.Sort(sorted);
        var rank = quantile * (sorted.Length - 1);
        var lower = (int)Math.Floor(rank);
        var upper = Math.Min(sorted.Length - 1, lower + 1);
        var weight = rank - lower;
        return sorted[lower] * (1 - weight) + sorted[upper] * weight;
    }

    private static double Best(ReadOnlySpan<double> values, Func<double, double, bool> isBetter)
    {
        var best = values[0];
        foreach (var value in values)
        {
            best = double.IsNaN(best) || isBetter(value, best) ? value : best;
        }
        return best;
    }
}
