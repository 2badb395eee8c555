using CsCheck;
using Foretier.Core.Rollups;

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
