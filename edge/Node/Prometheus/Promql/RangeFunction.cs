namespace Foretier.Node.Prometheus.Promql;

/// <summary>The samples a function looks at for one step.</summary>
/// <param name="FromMs">Where the range begins, included.</param>
/// <param name="ToMs">Where it ends, included.</param>
internal readonly ref struct RangeWindow(ReadOnlySpan<long> times, ReadOnlySpan<double> values, long fromMs, long toMs)
{
    public ReadOnlySpan<long> Times { get; } = times;
    public ReadOnlySpan<double> Values { get; } = values;
    public long FromMs { get; } = fromMs;
    public long ToMs { get; } = toMs;
}

/// <summary>A function over the samples of a range; the same results as Prometheus 2 gives.</summary>
/// <param name="KeepsName">The metric stays what it is.</param>
internal sealed record RangeFunction(RangeFunction.Over Apply, bool HasParameter = false, bool KeepsName = false)
{
    /// <returns>Null where the samples do not suffice; there is one at least.</returns>
    internal delegate double? Over(RangeWindow window, double parameter);

    public static readonly IReadOnlyDictionary<string, RangeFunction> All = new Dictionary<string, RangeFunction>
    {
        ["rate"] = new((window, _) => Extrapolated(window, isCounter: true) / ((window.ToMs - window.FromMs) / 1000.0)),
        ["increase"] = new((window, _) => Extrapolated(window, isCounter: true)),
        ["delta"] = new((window, _) => Extrapolated(window, isCounter: false)),
        ["irate"] = new((window, _) => Instant(window)),
        ["changes"] = new((window, _) => CountSteps(window.Values, (before, after) => before != after && !(double.IsNaN(before) && double.IsNaN(after)))),
        ["resets"] = new((window, _) => CountSteps(window.Values, (before, after) => after < before)),
        ["avg_over_time"] = new((window, _) => Statistics.Mean(window.Values)),
        ["min_over_time"] = new((window, _) => Statistics.Min(window.Values)),
        ["max_over_time"] = new((window, _) => Statistics.Max(window.Values)),
        ["sum_over_time"] = new((window, _) => Statistics.Sum(window.Values)),
        ["count_over_time"] = new((window, _) => window.Values.Length),
        ["last_over_time"] = new((window, _) => window.Values[^1], KeepsName: true),
        ["stddev_over_time"] = new((window, _) => Statistics.Stddev(window.Values)),
        ["quantile_over_time"] = new((window, quantile) => Statistics.Quantile(window.Values, quantile), HasParameter: true),
    };

    /// <summary>
    /// The growth over the whole range, from that between the first and the last sample: up to a range's end that is about as near as
    /// samples are to each other, else half a distance further; a counter not to below zero.
    /// </summary>
    private static double? Extrapolated(RangeWindow window, bool isCounter)
    {
        var times = window.Times;
        var values = window.Values;
        if (values.Length < 2)
        {
            return null;
        }
        var growth = values[^1] - values[0];
        for (var i = 1; isCounter && i < values.Length; i++)
        {
            growth += values[i] < values[i - 1] ? values[i - 1] : 0;
        }
        var sampled = (times[^1] - times[0]) / 1000.0;
        var toStart = (times[0] - window.FromMs) / 1000.0;
        var toEnd = (window.ToMs - times[^1]) / 1000.0;
        var distance = sampled / (values.Length - 1);
        if (isCounter && growth > 0 && values[0] >= 0)
        {
            toStart = Math.Min(toStart, sampled * (values[0] / growth));
        }
        var near = distance * 1.1;
        return growth * ((sampled + (toStart < near ? toStart : distance / 2) + (toEnd < near ? toEnd : distance / 2)) / sampled);
    }

    private static double? Instant(RangeWindow window)
    {
        if (window.Values.Length < 2)
        {
            return null;
        }
        var (before, last) = (window.Values[^2], window.Values[^1]);
        return (last < before ? last : last - before) / ((window.Times[^1] - window.Times[^2]) / 1000.0);
    }

    private static double CountSteps(ReadOnlySpan<double> values, Func<double, double, bool> counts)
    {
        var count = 0;
        for (var i = 1; i < values.Length; i++)
        {
            count += counts(values[i - 1], values[i]) ? 1 : 0;
        }
        return count;
    }
}
