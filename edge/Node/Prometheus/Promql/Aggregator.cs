namespace Foretier.Node.Prometheus.Promql;

/// <summary>Puts series together, step by step.</summary>
internal static class Aggregator
{
    public static PromValue Apply(AggregateExpr aggregate, PromValue operand, int steps)
    {
        if (operand.Scalar is not null)
        {
            throw PromException.BadData($"{aggregate.Function} takes series, not numbers");
        }
        var groups = operand.Series.GroupBy(series => aggregate.IsWithout ? series.Labels.Without([.. aggregate.Labels, LabelSet.Name]) : series.Labels.Only(aggregate.Labels));
        return PromValue.Of(aggregate.Function is Aggregation.TopK or Aggregation.BottomK
            ? groups.SelectMany(group => Extremes(aggregate, [.. group], steps))
            : groups.Select(group => new SteppedSeries(group.Key, Of(aggregate, [.. group], steps))));
    }

    private static double?[] Of(AggregateExpr aggregate, List<SteppedSeries> series, int steps)
    {
        var values = new double?[steps];
        var there = new double[series.Count];
        for (var step = 0; step < steps; step++)
        {
            var count = 0;
            foreach (var one in series)
            {
                if (one.Values[step] is { } value)
                {
                    there[count++] = value;
                }
            }
            values[step] = count == 0 ? null : Of(aggregate, there.AsSpan(0, count));
        }
        return values;
    }

    private static double Of(AggregateExpr aggregate, ReadOnlySpan<double> values) => aggregate.Function switch
    {
        Aggregation.Sum => Statistics.Sum(values),
        Aggregation.Avg => Statistics.Mean(values),
        Aggregation.Min => Statistics.Min(values),
        Aggregation.Max => Statistics.Max(values),
        Aggregation.Count => values.Length,
        Aggregation.Stddev => Statistics.Stddev(values),
        _ => Statistics.Quantile(values, aggregate.Parameter),
    };

    /// <summary>The series with the largest or smallest values, at each step others.</summary>
    private static IEnumerable<SteppedSeries> Extremes(AggregateExpr aggregate, List<SteppedSeries> series, int steps)
    {
        var kept = series.ConvertAll(one => new SteppedSeries(one.Labels, new double?[steps]));
        var wanted = (int)Math.Clamp(double.IsNaN(aggregate.Parameter) ? 0 : aggregate.Parameter, 0, series.Count);
        for (var step = 0; step < steps; step++)
        {
            var there = Enumerable.Range(0, series.Count).Where(i => series[i].Values[step] is not null);
            var ordered = aggregate.Function == Aggregation.TopK ? there.OrderByDescending(i => series[i].Values[step]!.Value) : there.OrderBy(i => double.IsNaN(series[i].Values[step]!.Value)).ThenBy(i => series[i].Values[step]!.Value);
            foreach (var i in ordered.Take(wanted))
            {
                kept[i].Values[step] = series[i].Values[step];
            }
        }
        return kept;
    }
}
