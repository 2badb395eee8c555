using CsCheck;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Segments;
using static Foretier.Tests.Unit.Segments.SegmentAssert;

namespace Foretier.Tests.Unit.Segments;

public class SegmentTests
{
    [Fact]
    public void Samples_of_every_shape_come_back_bit_for_bit_with_their_rollup() =>
        SegmentGen.Samples.Sample(samples => RoundTrips(samples), iter: 2000);

    [Fact]
    public void Special_doubles_come_back_bit_for_bit_each_alone_and_all_together()
    {
        foreach (var special in SegmentGen.SpecialDoubles)
        {
            Assert.True(RoundTrips(SegmentGen.Build(1_489_017_377_000_000, [1], [special], null)), $"{special:R}");
            Assert.True(RoundTrips(SegmentGen.Build(1_489_017_377_000_000, [1, 1, 1], [21.5, special, 21.6], null)), $"{special:R}");
        }
        var all = SegmentGen.SpecialDoubles;
        Assert.True(RoundTrips(SegmentGen.Build(0, Enumerable.Repeat(1L, all.Length).ToArray(), all, null)));
    }

    /// <summary>Left to the compiler, the bits changed while the program ran, with what it inlined where.</summary>
    [Theory]
    [InlineData(2)]
    [InlineData(2 * Segment.StatisticsFrom)]
    public void A_sum_that_is_no_number_is_the_same_one_whichever_numbers_made_it(int count)
    {
        double[] strange = [BitConverter.Int64BitsToDouble(0x7FF8_0000_DEAD_BEEF), BitConverter.Int64BitsToDouble(unchecked((long)0xFFF0_0000_0000_0001))];
        foreach (var pair in new[] { strange, [strange[1], strange[0]], [double.PositiveInfinity, double.NegativeInfinity] })
        {
            var samples = SegmentGen.Build(0, Enumerable.Repeat(1L, count).ToArray(), Enumerable.Range(0, count).Select(i => pair[i % 2]).ToArray(), null);
            var merged = RollupOf(samples);
            merged.Merge(RollupOf(samples));
            Assert.True(SameBits(double.NaN, RollupOf(samples).SumHigh));
            Assert.True(SameBits(double.NaN, Segment.Encode(samples).Summary.SumHigh));
            Assert.True(SameBits(double.NaN, merged.SumHigh));
        }
    }

    [Theory]
    [InlineData(255)]
    [InlineData(256)]
    [InlineData(4096)]
    [InlineData(4097)]
    [InlineData(20_000)]
    public void Long_series_come_back_and_have_their_summary_without_decoding(int count)
    {
        var samples = Readings(count, withStates: false);
        Assert.True(RoundTrips(samples));
        Assert.True(RoundTrips(Readings(count, withStates: true)));
        var segment = Segment.Encode(samples);
        Assert.Equal(count >= Segment.StatisticsFrom, segment.HasStatistics);
    }

    [Fact]
    public void A_part_of_the_range_comes_back_as_a_slice_of_the_whole()
    {
        var samples = Readings(10_000, withStates: true);
        var segment = Segment.Open(Segment.Encode(samples).Bytes);
        Gen.Select(Gen.Int[-10, 10_010], Gen.Int[-10, 10_010]).Sample((from, to) =>
        {
            var range = new TimeRange(samples.FirstTime + from * 1_000_000L, samples.FirstTime + to * 1_000_000L + 1);
            var part = new SampleColumns();
            segment.Decode(part, range);
            return Same(range.IsEmpty ? new() : samples.Slice(range), part);
        }, iter: 50);
    }

    [Fact]
    public void Buckets_added_by_chunk_statistics_equal_those_of_the_samples()
    {
        var samples = Readings(30_000, withStates: false);
        var segment = Segment.Open(Segment.Encode(samples).Bytes);
        foreach (var step in new long[] { 0, 60_000_000, 3_600_000_000, 86_400_000_000 })
        {
            var grid = new BucketGrid(new(samples.FirstTime + 1234, samples.LastTime - 1234), step);
            BucketRows expected = new(), actual = new();
            expected.Add(samples, grid);
            segment.AddTo(actual, grid);
            Assert.Equal(expected.Count, actual.Count);
            for (var i = 0; i < expected.Count; i++)
            {
                var (e, a) = (expected.Rows[i].Rollup, actual.Rows[i].Rollup);
                Assert.Equal((expected.Rows[i].Start, e.Count, e.Min, e.Max, e.First, e.Last), (actual.Rows[i].Start, a.Count, a.Min, a.Max, a.First, a.Last));
                Assert.Equal(e.Sum, a.Sum, 1e-12 * Math.Abs(e.Sum));
            }
        }
    }

    [Fact]
    public void Samples_that_do_not_ascend_are_refused()
    {
        Assert.Throws<ArgumentException>(() => Segment.Encode(new SampleColumns()));
        Assert.Throws<ArgumentException>(() => Segment.Encode(SegmentGen.Build(5, [0, 0], [1, 2], null)));
        Assert.Throws<ArgumentException>(() => Segment.Encode(SegmentGen.Build(5, [-1, 0], [1, 2], null)));
        Assert.Throws<ArgumentException>(() => Segment.Encode(SegmentGen.Build(long.MinValue, [long.MaxValue, 2, 0], [1, 2, 3], null)));
    }

    [Fact]
    public void One_reading_takes_at_most_forty_bytes_and_steady_ones_next_to_nothing()
    {
        Assert.InRange(Segment.Encode(SegmentGen.Build(1_489_017_377_123_456, [1], [21.5], null)).Bytes.Length, 1, 30);
        Assert.InRange(Segment.Encode(SegmentGen.Build(1_489_017_377_123_456, [1], [Math.PI], null)).Bytes.Length, 1, 40);
        var steady = SegmentGen.Build(1_489_017_377_000_000, Enumerable.Repeat(1_000_000L, 3600).ToArray(), Enumerable.Repeat(21.5, 3600).ToArray(), null);
        Assert.InRange(Segment.Encode(steady).Bytes.Length, 1, 70);
        var switches = SegmentGen.Build(
            1_489_017_377_000_000, Enumerable.Repeat(1_000_000L, 200).ToArray(), new double[200],
            Enumerable.Range(0, 200).Select(i => (string?)(i % 2 == 0 ? "on" : "off")).ToArray());
        Assert.InRange(Segment.Encode(switches).Bytes.Length, 1, 50);
    }

    internal static bool RoundTrips(SampleColumns samples) => RoundTrips(samples, out _);

    internal static bool RoundTrips(SampleColumns samples, out int bytes)
    {
        var expected = RollupOf(samples);
        var encoded = Segment.Encode(samples);
        bytes = encoded.Bytes.Length;
        var opened = Segment.Open(encoded.Bytes);
        var decoded = new SampleColumns();
        opened.Decode(decoded);
        return Same(samples, decoded)
            && (opened.Count, opened.FirstTime, opened.LastTime) == (samples.Count, samples.FirstTime, samples.LastTime)
            && (encoded.Count, encoded.FirstTime, encoded.LastTime) == (samples.Count, samples.FirstTime, samples.LastTime)
            && Same(expected, opened.Summary) && Same(expected, encoded.Summary);
    }

    private static SampleColumns Readings(int count, bool withStates)
    {
        var random = new Random(7);
        var samples = new SampleColumns(count);
        var (time, level) = (1_489_017_377_000_000L, 2150);
        for (var i = 0; i < count; i++)
        {
            samples.Add(time, withStates && i % 50 == 0 ? 0 : level / 100.0, withStates && i % 50 == 0 ? "offline" : null);
            time += random.Next(100) == 0 ? 5_000_000 : 1_000_000;
            level += random.Next(-3, 4);
        }
        return samples;
    }
}
