using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Segments;
using Foretier.Tests.Unit.Segments;

namespace Foretier.Tests.Unit.Rollups;

public class RollupDetailTests
{
    [Fact]
    public void A_counter_that_falls_between_two_rollups_began_anew_there()
    {
        var (before, after) = (RowsOf(RollupParts.Increase, [(1, 10), (2, 14)]), RowsOf(RollupParts.Increase, [(3, 3), (4, 5)]));
        before.Merge(after);
        Assert.Equal(4 + 3 + 2, before.Rows[0].Rollup.Detail!.Increase);
    }

    [Fact]
    public void A_state_holds_to_the_first_sample_of_the_next_rollup()
    {
        var rows = new BucketRows(RollupParts.Durations);
        rows.Add(0, 10, 0, "on");
        var later = new BucketRows(RollupParts.Durations);
        later.Add(0, 25, 0, "off");
        later.Add(0, 30, 0, "on");
        rows.Merge(later);
        Assert.Equal([new("off", 5), new("on", 15)], rows.Rows[0].Rollup.Detail!.Durations.OrderBy(d => d.Key));
    }

    [Fact]
    public void Spreads_of_parts_merge_to_that_of_the_whole_also_far_from_zero()
    {
        var random = new Random(5);
        var numbers = Enumerable.Range(0, 1000).Select(i => (Time: (long)i, Value: 1e9 + random.NextDouble())).ToArray();
        var merged = RowsOf(RollupParts.Spread, numbers[..377]);
        merged.Merge(RowsOf(RollupParts.Spread, numbers[377..]));
        var mean = numbers.Average(n => n.Value - 1e9);
        var expected = numbers.Sum(n => (n.Value - 1e9 - mean) * (n.Value - 1e9 - mean));
        Assert.Equal(expected, merged.Rows[0].Rollup.Detail!.M2, expected * 1e-6);
    }

    [Fact]
    public void What_was_merged_goes_on_by_itself()
    {
        var first = RowsOf(RollupParts.All, [(1, 10), (2, 14)]);
        var copy = new BucketRows(RollupParts.All);
        copy.Merge(first);
        copy.Add(0, 3, 100, null);
        Assert.Equal(2, first.Rows[0].Rollup.Detail!.Sketch.Count);
        Assert.Equal(4, first.Rows[0].Rollup.Detail!.Increase);
    }

    [Fact]
    public void Every_part_of_samples_of_every_shape_comes_back_bit_for_bit() => CsCheck.Check.Sample(SegmentGen.Samples, samples =>
    {
        foreach (var step in new[] { Instant.Minute, Instant.Hour })
        {
            var rows = new BucketRows(RollupParts.All);
            rows.Add(samples, new(TimeRange.Everything, step));
            var plain = new BucketRows();
            plain.Add(samples, new(TimeRange.Everything, Instant.Day));
            var block = RollupBlock.Encode([new(Instant.Day, plain), new(step, rows)]);
            var back = RollupBlock.Coarsest(block, (_, parts) => parts == RollupParts.All)!;
            Assert.Equal(step, back.Step);
            Assert.Equal(rows.Count, back.Rows.Count);
            for (var i = 0; i < rows.Count; i++)
            {
                AssertSame(rows.Rows[i].Rollup, back.Rows.Rows[i].Rollup);
            }
            Assert.Equal(Instant.Day, RollupBlock.Coarsest(block, (_, _) => true)!.Step);
        }
    }, iter: 100);

    [Fact]
    public void A_companion_is_kept_only_where_it_is_much_smaller_than_its_segment()
    {
        var samples = new SampleColumns();
        var random = new Random(3);
        for (int i = 0, level = 2150; i < 40_000; i++, level += random.Next(-2, 3))
        {
            samples.Add(i * Instant.Second, level / 100.0);
        }
        var bytes = Segment.Encode(samples).Bytes.Length;
        Assert.InRange(RollupBlock.CompanionOf(samples, bytes).Length, 1, bytes);
        Assert.Empty(RollupBlock.CompanionOf(samples, 40));
        Assert.Empty(RollupBlock.CompanionOf(samples.Slice(new(0, Instant.Second)), 1_000_000));
    }

    private static void AssertSame(Rollup expected, Rollup actual)
    {
        Assert.True(SegmentAssert.Same(expected, actual));
        var (a, b) = (expected.Detail!, actual.Detail!);
        Assert.True(SegmentAssert.SameBits(a.M2, b.M2) && SegmentAssert.SameBits(a.Resets, b.Resets) && a.HasNumber == b.HasNumber
            && (!a.HasNumber || (SegmentAssert.SameBits(a.FirstNumber, b.FirstNumber) && SegmentAssert.SameBits(a.LastNumber, b.LastNumber))));
        Assert.Equal(a.Durations.OrderBy(d => d.Key, StringComparer.Ordinal), b.Durations.OrderBy(d => d.Key, StringComparer.Ordinal));
        Assert.Equal(a.Sketch.Keys.ToArray(), b.Sketch.Keys.ToArray());
        Assert.Equal(a.Sketch.Counts.ToArray(), b.Sketch.Counts.ToArray());
    }

    private static BucketRows RowsOf(RollupParts parts, (long Time, double Value)[] samples)
    {
        var rows = new BucketRows(parts);
        foreach (var (time, value) in samples)
        {
            rows.Add(0, time, value, null);
        }
        return rows;
    }
}
