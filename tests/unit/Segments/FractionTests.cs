using CsCheck;
using Foretier.Core.Segments;
using Foretier.Core.Segments.Values;

namespace Foretier.Tests.Unit.Segments;

/// <summary>The encodings of fractions that are no decimals, each on its own, also where a column would take another.</summary>
public class FractionTests
{
    private static readonly Gen<double[]> Columns = Gen.Int[1, 900].SelectMany(n => Gen.OneOf(
        SegmentGen.AnyBits.Array[n], Gen.Double[20, 25].Array[n], Gen.Int[0, SegmentGen.SpecialDoubles.Length - 1].Select(i => SegmentGen.SpecialDoubles[i]).Array[n],
        Gen.Select(Gen.Int[0, 2], SegmentGen.AnyBits, (which, any) => which == 0 ? any : 1.5).Array[n], Gen.Float[0, 1].Select(f => (double)f).Array[n]));

    [Fact]
    public void Doubles_of_every_kind_come_back_from_a_dictionary_of_their_left_parts() => Columns.Sample(values =>
    {
        var to = new ByteWriter();
        SplitValues.Write(to, values);
        var from = new ByteReader(to.Written);
        var read = new double[values.Length];
        SplitValues.Read(ref from, read);
        return from.Left == 0 && SameBits(values, read);
    }, iter: 500);

    [Fact]
    public void Doubles_of_every_kind_come_back_from_what_they_differ_by() => Columns.Sample(values =>
    {
        var to = new ByteWriter();
        XorValues.Write(to, values);
        var from = new ByteReader(to.Written);
        var read = new double[values.Length];
        XorValues.Read(ref from, read);
        return from.Left == 0 && SameBits(values, read);
    }, iter: 500);

    [Fact]
    public void Noise_in_a_narrow_range_takes_less_than_its_eight_bytes()
    {
        var random = new Random(1);
        var steps = Enumerable.Repeat(1_000_000L, 4_000).ToArray();
        var segment = Segment.Encode(SegmentGen.Build(0, steps, Array.ConvertAll(steps, _ => 20 + 5 * random.NextDouble()), null));
        Assert.InRange(segment.Bytes.Length / 4_000.0, 6, 6.5);
    }

    [Fact]
    public void Readings_that_come_a_little_late_take_their_lateness_and_no_more()
    {
        var random = new Random(1);
        var times = Enumerable.Range(0, 4_001).Select(i => i * 1_000_000L + random.Next(50) * 1_000).ToArray();
        var steps = times.Skip(1).Zip(times, (next, time) => next - time).ToArray();
        var segment = Segment.Encode(SegmentGen.Build(0, steps, new double[4_000], null));
        // log2(50) bits are 0.71 bytes.
        Assert.InRange(segment.Bytes.Length / 4_000.0, 0.7, 0.78);
    }

    private static bool SameBits(double[] a, double[] b) =>
        a.AsSpan().SequenceEqual(b) || Enumerable.Range(0, a.Length).All(i => SegmentAssert.SameBits(a[i], b[i]));
}
