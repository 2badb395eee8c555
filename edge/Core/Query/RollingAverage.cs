using Foretier.Core.Rollups;

namespace Foretier.Core.Query;

/// <summary>The average over a window that ends with each step; windows reach back before the range.</summary>
internal static class RollingAverage
{
    public static IEnumerable<ResultPoint> PointsOf(SeriesGroup group)
    {
        var question = group.Question.Rolling!;
        var starts = question.Grid.Buckets().Select(bucket => bucket.From).ToList();
        var (sums, counts) = (new Total[starts.Count], new long[starts.Count]);
        foreach (var member in group.Members)
        {
            AddTo(sums, counts, starts, member.Rolling ?? new());
        }
        var steps = (int)(group.Question.Window / group.Question.Step);
        // From the end of its block of steps to each, and from each to the beginning: any window is one of each, and nothing is ever subtracted.
        var (tails, tailCounts) = (new Total[starts.Count], new long[starts.Count]);
        for (var i = starts.Count - 1; i >= 0; i--)
        {
            var isEnd = i % steps == steps - 1 || i == starts.Count - 1;
            tails[i] = isEnd ? sums[i] : tails[i + 1] + sums[i];
            tailCounts[i] = counts[i] + (isEnd ? 0 : tailCounts[i + 1]);
        }
        var (head, headCount) = (default(Total), 0L);
        var first = starts.BinarySearch(group.Grid.StartOf(group.Grid.Range.From));
        for (var i = 0; i < starts.Count; i++)
        {
            (head, headCount) = i % steps == 0 ? (sums[i], counts[i]) : (head + sums[i], headCount + counts[i]);
            var begin = Math.Max(0, i - steps + 1);
            var isWhole = begin / steps == i / steps;
            var sum = isWhole ? head : tails[begin] + head;
            var count = isWhole ? headCount : tailCounts[begin] + headCount;
            if (i >= first && count > 0)
            {
                yield return new(starts[i], sum.Value / count);
            }
        }
    }

    private static void AddTo(Total[] sums, long[] counts, List<long> starts, BucketRows rows)
    {
        for (int i = 0, at = 0; i < rows.Count; i++)
        {
            var row = rows.Rows[i];
            at = starts.BinarySearch(at, starts.Count - at, row.Start, null);
            sums[at] += new Total(row.Rollup.SumHigh, row.Rollup.SumLow);
            counts[at] += row.Rollup.Numbers;
        }
    }

    /// <summary>A sum and what rounding lost of it (Neumaier).</summary>
    private readonly record struct Total(double High, double Low)
    {
        public double Value => High + Low;

        public static Total operator +(Total a, Total b)
        {
            var high = a.High + b.High;
            var lost = !double.IsFinite(high) ? 0 : Math.Abs(a.High) >= Math.Abs(b.High) ? a.High - high + b.High : b.High - high + a.High;
            return new(high, a.Low + b.Low + lost);
        }
    }
}
