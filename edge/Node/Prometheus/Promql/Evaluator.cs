using Foretier.Node.Keys;

namespace Foretier.Node.Prometheus.Promql;

/// <summary>One series of a result: a value for each step, null where it has none.</summary>
internal sealed record SteppedSeries(LabelSet Labels, double?[] Values);

/// <summary>What an expression is: a number for each step, or series.</summary>
internal sealed record PromValue(double[]? Scalar, IReadOnlyList<SteppedSeries> Series)
{
    public static PromValue Of(double[] scalar) => new(scalar, []);

    public static PromValue Of(IEnumerable<SteppedSeries> series) => new(null, [.. series.Where(one => Array.Exists(one.Values, value => value is not null))]);
}

/// <summary>The steps of a question: its ends included.</summary>
internal sealed record StepGrid(long FromMs, long ToMs, long StepMs)
{
    public const int CountMax = 11_000;

    public int Count => (int)((ToMs - FromMs) / StepMs) + 1;

    public long At(int step) => FromMs + step * StepMs;
}

/// <summary>
/// Evaluates an expression at each step. The samples of each selector are fetched once for all steps. The same results as Prometheus 2:
/// a sample counts for five minutes, ranges have both their ends.
/// </summary>
internal sealed class Evaluator(PromSource source, StepGrid steps, Caller caller, CancellationToken cancel)
{
    private const long LookbackMs = 5 * 60 * 1000;

    private readonly SortedSet<string> _warnings = new(StringComparer.Ordinal);

    /// <summary>What may be missing of the results.</summary>
    public IReadOnlyCollection<string> Warnings => _warnings;

    /// <exception cref="PromException">There is too much of it, or series that cannot be put together.</exception>
    public async Task<PromValue> EvaluateAsync(Expr expr) => expr switch
    {
        NumberExpr number => PromValue.Of(Enumerable.Repeat(number.Value, steps.Count).ToArray()),
        SelectorExpr selector => PromValue.Of((await FetchAsync(selector, LookbackMs).ConfigureAwait(false)).Select(series => Newest(series, selector.OffsetMs))),
        OverTimeExpr over => PromValue.Of(Distinct((await FetchAsync(over.Range.Selector, over.Range.RangeMs).ConfigureAwait(false)).Select(series => OverTime(series, over)))),
        ElementExpr element => Element(element.Function, await EvaluateAsync(element.Operand).ConfigureAwait(false)),
        AggregateExpr aggregate => Aggregator.Apply(aggregate, await EvaluateAsync(aggregate.Operand).ConfigureAwait(false), steps.Count),
        BinaryExpr binary => Joiner.Apply(binary, await EvaluateAsync(binary.Left).ConfigureAwait(false), await EvaluateAsync(binary.Right).ConfigureAwait(false)),
        _ => throw PromException.BadData("a range such as metric[5m] has to stand in a function such as rate()"),
    };

    private async Task<IReadOnlyList<PromSeries>> FetchAsync(SelectorExpr selector, long backMs)
    {
        var selection = await source.SelectAsync(selector.Matchers, steps.FromMs - backMs - selector.OffsetMs, steps.ToMs - selector.OffsetMs, caller, cancel).ConfigureAwait(false);
        if (selection.Warning is { } warning)
        {
            _warnings.Add(warning);
        }
        return selection.Series;
    }

    private SteppedSeries Newest(PromSeries series, long offset)
    {
        var values = new double?[steps.Count];
        for (var step = 0; step < values.Length; step++)
        {
            var time = steps.At(step) - offset;
            var last = series.LowerBound(time + 1) - 1;
            values[step] = last >= 0 && series.Times[last] >= time - LookbackMs ? series.Values[last] : null;
        }
        return new(series.Labels, values);
    }

    private SteppedSeries OverTime(PromSeries series, OverTimeExpr over)
    {
        var values = new double?[steps.Count];
        for (var step = 0; step < values.Length; step++)
        {
            var to = steps.At(step) - over.Range.Selector.OffsetMs;
            var from = to - over.Range.RangeMs;
            int first = series.LowerBound(from), end = series.LowerBound(to + 1);
            values[step] = end == first ? null
                : over.Function.Apply(new(series.Times.AsSpan(first, end - first), series.Values.AsSpan(first, end - first), from, to), over.Parameter);
        }
        return new(over.Function.KeepsName ? series.Labels : series.Labels.WithoutName(), values);
    }

    private static PromValue Element(Func<double, double> function, PromValue operand) => operand.Scalar is { } scalar
        ? PromValue.Of(Array.ConvertAll(scalar, value => function(value)))
        : PromValue.Of(Distinct(operand.Series.Select(series => new SteppedSeries(series.Labels.WithoutName(), Array.ConvertAll(series.Values, value => value is { } v ? function(v) : (double?)null)))));

    /// <summary>Without its name a metric may be taken for another: that has no answer, rather than one of both.</summary>
    internal static IReadOnlyList<SteppedSeries> Distinct(IEnumerable<SteppedSeries> series)
    {
        var all = series.ToList();
        return all.GroupBy(one => one.Labels).FirstOrDefault(group => group.Skip(1).Any()) is not { } twice ? all
            : throw PromException.Execution($"several metrics have the labels {twice.Key} once their names are gone; name one metric, or aggregate by __name__ before");
    }
}
