namespace Foretier.Node.Prometheus.Promql;

/// <summary>A parsed expression; what there is of PromQL here is in PROMQL.md.</summary>
internal abstract record Expr;

internal sealed record NumberExpr(double Value) : Expr;

/// <summary>The newest sample of each series that is not older than five minutes.</summary>
/// <param name="OffsetMs">How far back to look from each step.</param>
internal sealed record SelectorExpr(IReadOnlyList<Matcher> Matchers, long OffsetMs = 0) : Expr;

/// <summary>The samples of a time before each step, both ends included; only functions take it.</summary>
internal sealed record RangeExpr(SelectorExpr Selector, long RangeMs) : Expr;

internal sealed record OverTimeExpr(RangeFunction Function, RangeExpr Range, double Parameter) : Expr;

internal sealed record ElementExpr(Func<double, double> Function, Expr Operand) : Expr;

/// <param name="Parameter">Of quantile, topk and bottomk; else 0.</param>
/// <param name="Labels">What to group by, or what not to.</param>
internal sealed record AggregateExpr(Aggregation Function, Expr Operand, double Parameter, IReadOnlyList<string> Labels, bool IsWithout) : Expr;

/// <param name="IsBool">A comparison that gives 0 or 1 instead of leaving out what does not hold.</param>
internal sealed record BinaryExpr(BinaryOperator Operator, Expr Left, Expr Right, bool IsBool) : Expr;

internal enum Aggregation
{
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Stddev,
    Quantile,
    TopK,
    BottomK,
}

/// <param name="Priority">Higher binds closer.</param>
internal sealed record BinaryOperator(string Text, int Priority, bool IsComparison, Func<double, double, double> Apply)
{
    public static readonly IReadOnlyList<BinaryOperator> All =
    [
        new("^", 4, false, Math.Pow),
        new("*", 3, false, (a, b) => a * b),
        new("/", 3, false, (a, b) => a / b),
        new("%", 3, false, (a, b) => a % b),
        new("+", 2, false, (a, b) => a + b),
        new("-", 2, false, (a, b) => a - b),
        new("==", 1, true, (a, b) => a == b ? 1 : 0),
        new("!=", 1, true, (a, b) => a != b ? 1 : 0),
        new(">=", 1, true, (a, b) => a >= b ? 1 : 0),
        new("<=", 1, true, (a, b) => a <= b ? 1 : 0),
        new(">", 1, true, (a, b) => a > b ? 1 : 0),
        new("<", 1, true, (a, b) => a < b ? 1 : 0),
    ];
}
