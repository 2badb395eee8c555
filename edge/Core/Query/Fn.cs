using System.Globalization;
using Foretier.Core.Rollups;

namespace Foretier.Core.Query;

/// <summary>What kinds of functions there are. Names in the API are the lower-case ones, words joined by <c>_</c>.</summary>
public enum FnKind
{
    Raw,
    Avg,
    Min,
    Max,
    Sum,
    Count,
    First,
    Last,
    Stddev,
    Rate,
    Increase,
    RollingAvg,
    Duration,

    /// <summary>The last: it has no name of its own.</summary>
    Quantile,
}

/// <summary>What can be asked of a series.</summary>
/// <param name="Percent">Of a quantile, 0 to 100.</param>
public readonly record struct Fn(FnKind Kind, double Percent = 0)
{
#pragma warning disable CA1308 // the API's names are lower-case
    private static readonly string[] NamesOfKinds = [.. Enum.GetValues<FnKind>().Select(kind => kind == FnKind.RollingAvg ? "rolling_avg" : kind.ToString().ToLowerInvariant())];
#pragma warning restore CA1308

    public static Fn Raw => new(FnKind.Raw);
    public static Fn Avg => new(FnKind.Avg);
    public static Fn Min => new(FnKind.Min);
    public static Fn Max => new(FnKind.Max);
    public static Fn Sum => new(FnKind.Sum);
    public static Fn Count => new(FnKind.Count);
    public static Fn First => new(FnKind.First);
    public static Fn Last => new(FnKind.Last);
    public static Fn Stddev => new(FnKind.Stddev);
    public static Fn Rate => new(FnKind.Rate);
    public static Fn Increase => new(FnKind.Increase);
    public static Fn RollingAvg => new(FnKind.RollingAvg);
    public static Fn Duration => new(FnKind.Duration);

    /// <summary>p50 is Quantile(50).</summary>
    public static Fn Quantile(double percent) => new(FnKind.Quantile, percent);

    public string Name => Kind == FnKind.Quantile ? string.Create(CultureInfo.InvariantCulture, $"p{Percent}") : NamesOfKinds[(int)Kind];

    /// <summary>What a rollup must have for it.</summary>
    public RollupParts Needs => Kind switch
    {
        FnKind.Stddev => RollupParts.Spread,
        FnKind.Rate or FnKind.Increase => RollupParts.Increase,
        FnKind.Duration => RollupParts.Durations,
        FnKind.Quantile => RollupParts.Sketch,
        _ => RollupParts.None,
    };

    /// <summary>False where the value is within an error bound.</summary>
    public bool IsExact => Kind != FnKind.Quantile;

    /// <summary>Every name, for those who are told what there is; any p0 to p100 with decimals will do.</summary>
    public static IEnumerable<string> Names => NamesOfKinds[..(int)FnKind.Quantile]
        .Concat(["p50", "p90", "p95", "p99", "p99.9 (any percentile)"]);

    public static bool TryParse(string name, out Fn fn)
    {
        for (var kind = FnKind.Raw; kind < FnKind.Quantile; kind++)
        {
            fn = new(kind);
            if (string.Equals(fn.Name, name, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }
        fn = default;
        if (name.Length < 2 || name[0] is not ('p' or 'P')
            || !double.TryParse(name.AsSpan(1), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var percent) || percent > 100)
        {
            return false;
        }
        fn = Quantile(percent);
        return true;
    }
}
