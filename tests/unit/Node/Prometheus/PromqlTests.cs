using Foretier.Node.Prometheus;
using Foretier.Node.Prometheus.Promql;

namespace Foretier.Tests.Unit.Node.Prometheus;

public class PromqlTests
{
    [Theory]
    [InlineData("", "the expression ends at position 1 where a metric")]
    [InlineData("rate(m)", "a range such as metric[5m]")]
    [InlineData("m[5m]", "has to stand in a function")]
    [InlineData("m[5x]", "'5x' at position 3")]
    [InlineData("m{a=\"1\"", "the expression ends")]
    [InlineData("m{a==\"1\"}", "where =, !=, =~ or !~ should be")]
    [InlineData("{a=~\".*\"}", "one condition at least")]
    [InlineData("m{a=~\"(\"}", "is not a pattern")]
    [InlineData("m{a=~\"(.)\\\\1\"}", "is not a pattern")]
    [InlineData("a and b", "the operator 'and' is not answered here: put a Prometheus")]
    [InlineData("a / on(device) b", "matching by on()")]
    [InlineData("rate(m[5m:1m])", "a subquery")]
    [InlineData("histogram_quantile(0.9, m)", "the function histogram_quantile()")]
    [InlineData("1 > 2", "the word bool")]
    [InlineData("sum(1)", "takes series")]
    [InlineData("m $", "'$' at position 3")]
    [InlineData("\"open", "has no end")]
    public void What_is_wrong_is_said_with_its_place(string text, string why)
    {
        var refused = Assert.Throws<PromException>(() => Parser.Parse(text));
        Assert.Equal(400, refused.Status);
        Assert.Contains(why, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Nesting_is_bounded() =>
        Assert.Contains("nested deeper", Assert.Throws<PromException>(() => Parser.Parse(new string('(', 100_000) + "1")).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("2 + 3 * 4", 14)]
    [InlineData("(2 + 3) * 4", 20)]
    [InlineData("2 ^ 3 ^ 2", 512)]
    [InlineData("-2 ^ 2", -4)]
    [InlineData("10 - 4 - 3", 3)]
    [InlineData("7 % 4 / 2", 1.5)]
    [InlineData("3 > bool 2", 1)]
    public void Operators_bind_as_in_prometheus(string text, double expected) => Assert.Equal(expected, Constant(Parser.Parse(text)));

    private static double Constant(Expr expr) => expr switch
    {
        NumberExpr number => number.Value,
        BinaryExpr binary => binary.Operator.Apply(Constant(binary.Left), Constant(binary.Right)),
        _ => throw new InvalidOperationException(expr.ToString()),
    };

    [Theory]
    [InlineData("1h30m", 5_400_000)]
    [InlineData("500ms", 500)]
    [InlineData("1d", 86_400_000)]
    [InlineData("15", 15_000)]
    [InlineData("0.5", 500)]
    public void Steps_are_seconds_or_durations(string text, long ms)
    {
        Assert.True(PromTime.TryStep(text, out var step));
        Assert.Equal(ms, step);
    }

    [Fact]
    public void A_rate_reaches_to_the_ends_of_its_range_and_over_a_reset()
    {
        // 0, 10, 20, then a reset to 5, 15: grown by 20 + 5 + 10 in 40 s, samples 10 s apart; the range reaches 5 s further at both ends.
        long[] times = [5_000, 15_000, 25_000, 35_000, 45_000];
        double[] values = [100, 110, 120, 5, 15];
        var rate = RangeFunction.All["rate"].Apply(new(times, values, 0, 50_000), 0);
        Assert.Equal(35 * (50.0 / 40) / 50, rate!.Value, 12);
        Assert.Null(RangeFunction.All["rate"].Apply(new([1], [1], 0, 50_000), 0));
    }

    [Fact]
    public void A_quantile_lies_between_its_neighbours()
    {
        double[] values = [4, 1, 3, 2];
        Assert.Equal(2.5, Statistics.Quantile(values, 0.5));
        Assert.Equal(3.7, Statistics.Quantile(values, 0.9), 12);
        Assert.Equal(double.PositiveInfinity, Statistics.Quantile(values, 1.1));
        Assert.Equal(double.NegativeInfinity, Statistics.Quantile(values, -0.1));
    }
}
