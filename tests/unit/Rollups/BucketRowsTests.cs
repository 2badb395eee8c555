using CsCheck;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Tests.Unit.Segments;

namespace Foretier.Tests.Unit.Rollups;

public class BucketRowsTests
{
    [Fact]
    public void Rows_are_in_order_and_each_start_is_there_once_whatever_was_there_before()
    {
        // Arrays are borrowed: those of one case have what another left in them.
        Gen.Select(Gen.Int[0, 40].Array[0, 200], Gen.Int[0, 64]).Sample((starts, capacity) =>
        {
            using var rows = new BucketRows(capacity: capacity);
            for (var i = 0; i < starts.Length; i++)
            {
                rows.Add(starts[i], i, starts[i], i % 7 == 0 ? "on" : null);
            }
            var expected = starts.Select((start, i) => (Start: (long)start, Time: i)).GroupBy(s => s.Start).OrderBy(g => g.Key).ToList();
            return rows.Rows.ToArray().Select(row => (row.Start, row.Rollup.Count, row.Rollup.FirstTime, row.Rollup.LastTime, row.Rollup.FirstState, row.Rollup.Numbers))
                .SequenceEqual(expected.Select(g => (g.Key, (long)g.Count(), (long)g.First().Time, (long)g.Last().Time, g.First().Time % 7 == 0 ? "on" : null,
                    (long)g.Count(s => s.Time % 7 != 0))));
        });
    }

    [Fact]
    public void Samples_added_as_columns_are_to_the_bit_those_added_one_by_one() =>
        Gen.Select(Gen.Select(Gen.Int[0, 90], Gen.OneOf(SegmentGen.AnyBits, Gen.Double[-100, 100])).Array[1, 200], Gen.Int[0, 40], Gen.Int[1, 50], Gen.Int[0, 60]).Sample((samples, step, from, hasStates) =>
        {
            var columns = new SampleColumns();
            long time = 0;
            foreach (var (after, value) in samples)
            {
                columns.Add(time += after + 1, value, hasStates == 0 && after % 5 == 0 ? "on" : null);
            }
            var grid = new BucketGrid(new(from, time - from), step);
            using var whole = new BucketRows();
            using var single = new BucketRows();
            // Into rows that have something already, as with the parts of a longer range.
            whole.Add(columns, grid);
            whole.Add(columns, grid);
            for (var twice = 0; twice < 2; twice++)
            {
                for (var i = 0; i < columns.Count; i++)
                {
                    if (grid.Range.Contains(columns.Times[i]))
                    {
                        single.Add(grid.StartOf(columns.Times[i]), columns.Times[i], columns.Values[i], columns.StateAt(i));
                    }
                }
            }
            return whole.Rows.ToArray().Select(Bits).SequenceEqual(single.Rows.ToArray().Select(Bits));
        });

    private static (long, long, long, long, long, long, long, long, long, long, long, string?, string?) Bits(BucketRow row)
    {
        static long Of(double value) => BitConverter.DoubleToInt64Bits(value);
        var rollup = row.Rollup;
        return (row.Start, rollup.Count, rollup.Numbers, rollup.FirstTime, rollup.LastTime, Of(rollup.Min), Of(rollup.Max), Of(rollup.SumHigh), Of(rollup.SumLow), Of(rollup.First),
            Of(rollup.Last), rollup.FirstState, rollup.LastState);
    }

    [Fact]
    public void What_was_given_back_is_not_read_any_more()
    {
        var rows = new BucketRows(capacity: 100);
        rows.Add(0, 0, 1, null);
        rows.Dispose();
        rows.Dispose();
        Assert.Throws<ObjectDisposedException>(() => rows.Rows.Length);
        Assert.Throws<ObjectDisposedException>(() => rows.Add(0, 0, 1, null));
    }
}
