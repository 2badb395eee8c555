using CsCheck;
using Foretier.Core.Rollups;

namespace Foretier.Tests.Unit.Rollups;

public class QuantileSketchTests
{
    private static readonly Gen<double[]> Numbers = Gen.OneOf(Gen.Double[-1e6, 1e6], Gen.Double[-1e-300, 1e-300], Gen.Double[-1e300, 1e300], Gen.Const(0.0)).Array[1, 300];

    [Fact]
    public void Any_value_of_any_numbers_is_within_one_percent_of_the_number_of_that_rank() => Numbers.Sample(numbers =>
    {
        var sketch = SketchOf(numbers);
        var sorted = numbers.Order().ToArray();
        for (var i = 0; i < sorted.Length; i++)
        {
            var quantile = sorted.Length == 1 ? 0 : i / (double)(sorted.Length - 1);
            // A rank that is not quite whole lies between two neighbours.
            var rank = (int)Math.Floor(quantile * (sorted.Length - 1));
            var (low, high) = (sorted[rank], sorted[Math.Min(rank + 1, sorted.Length - 1)]);
            if (rank == i && quantile * (sorted.Length - 1) == i)
            {
                Assert.InRange(sketch.ValueAt(quantile, sorted[0], sorted[^1]), low - Math.Abs(low) * 0.01, low + Math.Abs(low) * 0.01);
            }
            else
            {
                Assert.InRange(sketch.ValueAt(quantile, sorted[0], sorted[^1]), low - Math.Abs(low) * 0.01, high + Math.Abs(high) * 0.01);
            }
        }
    }, iter: 300);

    [Fact]
    public void Parts_merge_in_any_order_to_the_sketch_of_all() => Numbers.Sample(numbers =>
    {
        var middle = numbers.Length / 3;
        var merged = SketchOf(numbers[middle..]);
        merged.Merge(SketchOf(numbers[..middle]));
        var whole = SketchOf(numbers);
        Assert.Equal(whole.Keys.ToArray(), merged.Keys.ToArray());
        Assert.Equal(whole.Counts.ToArray(), merged.Counts.ToArray());
        Assert.Equal(whole.Count, merged.Count);
    }, iter: 300);

    [Fact]
    public void The_ends_are_exact_and_what_is_no_number_is_left_out()
    {
        var sketch = SketchOf([double.NegativeInfinity, -double.Epsilon, 0, double.MaxValue, double.PositiveInfinity, double.NaN]);
        Assert.Equal(5, sketch.Count);
        Assert.Equal(double.NegativeInfinity, sketch.ValueAt(0, double.NegativeInfinity, double.PositiveInfinity));
        Assert.Equal(double.PositiveInfinity, sketch.ValueAt(1, double.NegativeInfinity, double.PositiveInfinity));
        Assert.Equal(0, sketch.ValueAt(0.5, double.NegativeInfinity, double.PositiveInfinity));
        Assert.True(double.IsNaN(new QuantileSketch().ValueAt(0.5, 0, 0)));
    }

    private static QuantileSketch SketchOf(double[] numbers)
    {
        var sketch = new QuantileSketch();
        foreach (var number in numbers)
        {
            sketch.Add(number);
        }
        return sketch;
    }
}
