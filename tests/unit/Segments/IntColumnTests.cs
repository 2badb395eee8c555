using CsCheck;
using Foretier.Core.Segments;
using Foretier.Core.Segments.Integers;

namespace Foretier.Tests.Unit.Segments;

public class IntColumnTests
{
    private static readonly Gen<long[]> Columns = Gen.Int[1, 900].SelectMany(n => Gen.OneOf(
        Gen.Long.Array[n],
        Gen.Long[-5, 5].Array[n],
        Gen.Int[0, 63].SelectMany(width => Gen.Long[0, long.MaxValue >> width]).Array[n],
        Gen.Select(Gen.Int[0, 40], Gen.Long, (which, outlier) => which == 0 ? outlier : which).Array[n],
        Gen.Select(Gen.Int[0, 9].Array[n], Gen.Long[2, 1L << 40], (ints, scale) => Array.ConvertAll(ints, i => 17 + i * scale)),
        // Steps that gather around a few lengths, as a prefix code likes them.
        Gen.Select(Gen.Int[0, 3], Gen.Int[-2, 2], Gen.Int[0, 50], (k, jitter, rare) => rare == 0 ? 100_000L : 600 * (k + 1) + jitter).Array[n]));

    [Fact]
    public void Integers_of_every_shape_come_back() => Columns.Sample(integers => ComesBack(integers), iter: 1500);

    [Fact]
    public void Extremes_come_back()
    {
        Assert.True(ComesBack([long.MinValue, long.MaxValue]));
        Assert.True(ComesBack([long.MaxValue, long.MinValue, 0, -1, 1]));
        Assert.True(ComesBack([.. Enumerable.Range(0, 4096).Select(i => i % 3 == 0 ? long.MinValue : i % 7)]));
        Assert.True(ComesBack([.. Enumerable.Range(0, 4096).Select(i => (long)i)]));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(40)]
    [InlineData(4096)]
    public void Code_lengths_make_a_whole_code_within_the_limit_however_steep_the_frequencies(int count)
    {
        var frequencies = Enumerable.Range(0, count).Select(i => (int)Math.Min(1 << 30, Math.Max(1, Math.Pow(1.7, i)))).ToArray();
        var lengths = new byte[frequencies.Length];
        PrefixCode.LengthsOf(frequencies, lengths);
        Assert.Equal(1 << PrefixCode.LengthMax, lengths.Sum(length => (1 << PrefixCode.LengthMax) >> length));
        Assert.InRange(lengths.Max(), 1, PrefixCode.LengthMax);
    }

    [Fact]
    public void Every_width_of_packing_comes_back() => Gen.Select(Gen.Int[0, 64], Gen.ULong.Array[0, 200]).Sample((width, numbers) =>
    {
        var masked = Array.ConvertAll(numbers, number => width == 0 ? 0 : number & (ulong.MaxValue >> (64 - width)));
        var packed = new byte[BitPack.BytesOf(numbers.Length, width)];
        BitPack.Pack(numbers, width, packed);
        var unpacked = new ulong[numbers.Length];
        BitPack.Unpack(packed, width, unpacked);
        return masked.AsSpan().SequenceEqual(unpacked);
    });

    private static bool ComesBack(long[] integers)
    {
        var to = new ByteWriter();
        IntColumn.Write(to, integers);
        var read = new long[integers.Length];
        var from = new ByteReader(to.Written);
        IntColumn.Read(ref from, read);
        return from.Left == 0 && integers.AsSpan().SequenceEqual(read);
    }
}
