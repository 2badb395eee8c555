using System.Globalization;
using System.Text;
using System.Text.Json;
using CsCheck;
using Foretier.Core.Query;
using Foretier.Node.Serve;

namespace Foretier.Tests.Unit.Node;

public class PointTextTests
{
    /// <summary>Few decimals, whole numbers of any size, any bits there are.</summary>
    private static readonly Gen<double> Numbers = Gen.OneOf(
        Gen.Select(Gen.Long[-2_000_000_000_000_000_000, 2_000_000_000_000_000_000], Gen.Int[0, 6], Gen.Int[0, 18]).Select(x => x.Item1 / (long)Math.Pow(10, x.Item3) / Math.Pow(10, x.Item2)),
        Gen.Int[-5_000, 5_000].Select(i => i / 100.0), Gen.Double);

    [Fact]
    public void Numbers_read_back_to_the_bit_and_no_text_is_longer_than_the_shortest() => Numbers.Sample(value =>
    {
        var text = Text(value);
        if (!double.IsFinite(value))
        {
            return text == "null";
        }
        return BitConverter.DoubleToInt64Bits(double.Parse(text, CultureInfo.InvariantCulture)) == BitConverter.DoubleToInt64Bits(value)
            && JsonDocument.Parse(text).RootElement.ValueKind == JsonValueKind.Number
            && text.Length <= Math.Max(value.ToString("R", CultureInfo.InvariantCulture).Length, 20);
    }, iter: 200_000);

    [Theory]
    [InlineData(0.0, "0")]
    [InlineData(-0.0, "-0")]
    [InlineData(21.5, "21.5")]
    [InlineData(-0.05, "-0.05")]
    [InlineData(100, "100")]
    [InlineData(0.1 + 0.2, "0.30000000000000004")]
    [InlineData(double.MaxValue, "1.7976931348623157E+308")]
    [InlineData(double.Epsilon, "5E-324")]
    [InlineData(double.NaN, "null")]
    public void Number_has_its_shortest_text(double value, string text) => Assert.Equal(text, Text(value));

    [Theory]
    [InlineData(1_489_017_600_000_000, 1.5, null, "[1489017600000,1.5]")]
    [InlineData(1_489_017_600_000_001, 1.5, null, "[1489017600000.001,1.5]")]
    [InlineData(-1_000, double.NaN, null, "[-1,null]")]
    [InlineData(0, 0, "a \"b\"\n\u0001ü", "[0,\"a \\u0022b\\u0022\\n\\u0001\\u00FC\"]")]
    public void Point_is_a_pair_of_epoch_milliseconds_and_value(long time, double value, string? state, string text)
    {
        var into = new byte[PointText.NumberBytesMax + 6 * (state?.Length ?? 0)];
        Assert.Equal(text, Encoding.UTF8.GetString(into, 0, default(PointText).Write(into, new ResultPoint(time, value, state))));
    }

    [Fact]
    public void Any_millisecond_is_written_with_all_its_digits() => Gen.OneOf(Gen.Long[-200_000_000, 200_000_000], Gen.Long[0, long.MaxValue / 1000], Gen.Long[long.MinValue / 1000, 0]).Sample(time =>
    {
        var into = new byte[PointText.NumberBytesMax];
        var text = Encoding.UTF8.GetString(into, 0, default(PointText).Write(into, new ResultPoint(time * 1000, 0)));
        return text == string.Create(CultureInfo.InvariantCulture, $"[{time},0]");
    });

    [Fact]
    public void A_number_has_the_same_text_whatever_was_written_before_it() => Numbers.Array[1, 20].Sample(values =>
    {
        var (into, text) = (new byte[PointText.NumberBytesMax], default(PointText));
        return Array.TrueForAll(values, value => Encoding.UTF8.GetString(into, 0, text.WriteNumber(into, value)) == Text(value));
    }, iter: 20_000);

    private static string Text(double value)
    {
        var into = new byte[PointText.NumberBytesMax];
        return Encoding.UTF8.GetString(into, 0, default(PointText).WriteNumber(into, value));
    }
}
