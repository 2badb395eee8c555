namespace Foretier.Node.Prometheus.Promql;

/// <summary>Operators between numbers and series; series meet those that have the same labels.</summary>
internal static class Joiner
{
    public static PromValue Apply(BinaryExpr binary, PromValue left, PromValue right) => (left.Scalar, right.Scalar) switch
    {
        ({ } a, { } b) => PromValue.Of(a.Zip(b, binary.Operator.Apply).ToArray()),
        ({ } a, null) => PromValue.Of(Evaluator.Distinct(right.Series.Select(series => Map(binary, series, (value, step) => Result(binary, a[step], value, value))))),
        (null, { } b) => PromValue.Of(Evaluator.Distinct(left.Series.Select(series => Map(binary, series, (value, step) => Result(binary, value, b[step], value))))),
        _ => Join(binary, left, right),
    };

    private static PromValue Join(BinaryExpr binary, PromValue left, PromValue right)
    {
        var others = Evaluator.Distinct(right.Series.Select(series => series with { Labels = series.Labels.WithoutName() })).ToDictionary(series => series.Labels);
        Evaluator.Distinct(left.Series.Select(series => series with { Labels = series.Labels.WithoutName() }));
        return PromValue.Of(from series in left.Series
                            let other = others.GetValueOrDefault(series.Labels.WithoutName())
                            where other is not null
                            select Map(binary, series, (value, step) => other.Values[step] is { } b ? Result(binary, value, b, value) : null));
    }

    /// <summary>A comparison without bool keeps the value of the series, and its name, where it holds.</summary>
    private static double? Result(BinaryExpr binary, double a, double b, double kept)
    {
        var result = binary.Operator.Apply(a, b);
        return !binary.Operator.IsComparison || binary.IsBool ? result : result != 0 ? kept : null;
    }

    private static SteppedSeries Map(BinaryExpr binary, SteppedSeries series, Func<double, int, double?> apply)
    {
        var values = new double?[series.Values.Length];
        for (var step = 0; step < values.Length; step++)
        {
            values[step] = series.Values[step] is { } value ? apply(value, step) : null;
        }
        return new(binary.Operator.IsComparison && !binary.IsBool ? series.Labels : series.Labels.WithoutName(), values);
    }
}
