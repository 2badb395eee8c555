using CsCheck;
using Foretier.Core.Samples;
using Foretier.Core.Segments;
using Foretier.Core.Segments.Integers;
using Foretier.Core.Segments.Values;

namespace Foretier.Tests.Unit.Segments;

/// <summary>Vectors and plain loops give the same bytes and the same bits. (Other tests that run meanwhile do not mind which is in use.)</summary>
public class LanesTests
{
    private static readonly Gen<SampleColumns> Long = Gen.Select(Gen.Int[0, 2], Gen.Int[500, 5_000], Gen.Int, (shape, count, seed) =>
    {
        var random = new Random(seed);
        var samples = new SampleColumns();
        var level = 2_000;
        for (var i = 0; i < count; i++)
        {
            level += random.Next(-3, 4);
            samples.Add(i * 1_000_000L + random.Next(50) * 1_000, shape switch { 0 => level / 100.0, 1 => random.NextDouble() * 40, _ => random.Next(1 << 20) });
        }
        return samples;
    });

    [Fact]
    public void Segments_are_the_same_bytes_and_give_the_same_samples_either_way() => Gen.OneOf(Long, SegmentGen.Samples).Sample(samples =>
    {
        var (wide, plain) = (With(true, () => Segment.Encode(samples)), With(false, () => Segment.Encode(samples)));
        return wide.Bytes.Span.SequenceEqual(plain.Bytes.Span)
            && SegmentAssert.Same(samples, With(true, () => Decoded(plain))) && SegmentAssert.Same(samples, With(false, () => Decoded(wide)))
            && SegmentAssert.Same(wide.Summary, plain.Summary);
    }, iter: 300);

    [Fact]
    public void Decimals_are_the_same_bytes_either_way_whatever_stands_between_them() => Gen.OneOf(
        Gen.Int[-9_999, 9_999].Select(i => i / 100.0), Gen.Int[0, 99].Select(i => i / 10.0), Gen.Long[1L << 50, 1L << 54].Select(i => (double)i),
        Gen.Const(-0.0), Gen.Const(double.NaN), Gen.Const(double.NegativeInfinity), Gen.Double).Array[1, 100].Sample(values =>
    {
        byte[] Written()
        {
            using var to = new ByteWriter();
            ValueColumn.Write(to, values);
            return to.Written.ToArray();
        }
        var (wide, plain) = (With(true, Written), With(false, Written));
        var read = new double[values.Length];
        var from = new ByteReader(wide);
        ValueColumn.Read(ref from, read);
        return wide.AsSpan().SequenceEqual(plain) && values.Zip(read).All(pair => SegmentAssert.SameBits(pair.First, pair.Second));
    });

    [Fact]
    public void Any_integer_divided_by_any_power_of_ten_is_rounded_as_a_division_is() =>
        Gen.Select(Gen.Int[0, DecimalScale.Max], Gen.OneOf(Gen.Long, Gen.Long[-1L << 53, 1L << 53], Gen.Long[-100_000, 100_000]).Array[1, 64]).Sample((decimals, integers) =>
        {
            var values = Array.ConvertAll(integers, BitConverter.Int64BitsToDouble);
            With(true, () => { DecimalLanes.Divide(values, decimals); return 0; });
            return Enumerable.Range(0, values.Length).All(i => SegmentAssert.SameBits(values[i], integers[i] / DecimalScale.Power(decimals)));
        }, iter: 20_000);

    [Fact]
    public void Running_sums_and_extremes_are_the_same_either_way() => Gen.Select(Gen.Long.Array[1, 300], Gen.Long, Gen.Long).Sample((numbers, start, by) =>
    {
        (long[] Numbers, long Sum, (long, long) Extremes) Run()
        {
            var own = (long[])numbers.Clone();
            var extremes = Running.Extremes(own);
            Running.Scale(own, start, by);
            var sum = Running.Sum(own, start);
            Running.Differences(own.AsSpan(own.Length / 2));
            return (own, sum, extremes);
        }
        var (wide, plain) = (With(true, Run), With(false, Run));
        return wide.Numbers.SequenceEqual(plain.Numbers) && (wide.Sum, wide.Extremes) == (plain.Sum, plain.Extremes);
    });

    private static T With<T>(bool vectors, Func<T> run)
    {
        Lanes.Use(vectors);
        try
        {
            return run();
        }
        finally
        {
            Lanes.Use(true);
        }
    }

    private static SampleColumns Decoded(Segment segment)
    {
        var samples = new SampleColumns();
        segment.Decode(samples);
        return samples;
    }
}
