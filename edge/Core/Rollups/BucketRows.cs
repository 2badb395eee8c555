using System.Runtime.InteropServices;
using Foretier.Core.Samples;

namespace Foretier.Core.Rollups;

/// <summary>A rollup and the start of the step it covers, µs.</summary>
public struct BucketRow(long start, Rollup rollup)
{
    public long Start = start;
    public Rollup Rollup = rollup;
}

/// <summary>Rollups by bucket start, ascending. Adding in time order is O(1); anywhere else is a binary search.</summary>
/// <param name="parts">What is computed besides what every rollup has; with any of it, samples and rollups are added in order of time.</param>
/// <param name="capacity">How many rows there may be, where that is known.</param>
public sealed class BucketRows(RollupParts parts = RollupParts.None, int capacity = 0)
{
    private readonly List<BucketRow> _rows = new(capacity);

    public RollupParts Parts { get; } = parts;
    public int Count => _rows.Count;
    public ReadOnlySpan<BucketRow> Rows => CollectionsMarshal.AsSpan(_rows);

    public void Add(long start, long time, double value, string? state) => At(start).Add(time, value, state);

    public void Merge(long start, in Rollup rollup) => At(start).Merge(rollup);

    /// <summary>Takes in samples of another series; see <see cref="Rollup.Pool"/>.</summary>
    public void Pool(BucketRows other)
    {
        foreach (ref readonly var row in other.Rows)
        {
            At(row.Start).Pool(row.Rollup);
        }
    }

    public void Merge(BucketRows other)
    {
        foreach (ref readonly var row in other.Rows)
        {
            At(row.Start).Merge(row.Rollup);
        }
    }

    /// <summary>Adds each sample that lies in the grid's range to its bucket; the times must be sorted.</summary>
    public void Add(SampleColumns samples, in BucketGrid grid)
    {
        var times = samples.Times;
        var values = samples.Values;
        var states = samples.States;
        int from = samples.LowerBound(grid.Range.From), to = samples.LowerBound(grid.Range.To);
        for (var i = from; i < to;)
        {
            var bucket = grid.BucketAt(grid.StartOf(times[i]));
            ref var rollup = ref At(bucket.From);
            do
            {
                rollup.Add(times[i], values[i], states.IsEmpty ? null : states[i]);
                i++;
            }
            while (i < to && times[i] < bucket.To);
        }
    }

    /// <summary>How many buckets the samples would take; the times must be sorted.</summary>
    internal static int CountOf(SampleColumns samples, in BucketGrid grid)
    {
        var count = 0;
        for (var i = 0; i < samples.Count; count++)
        {
            i = samples.LowerBound(grid.BucketAt(grid.StartOf(samples.Times[i])).To);
        }
        return count;
    }

    private ref Rollup At(long start)
    {
        var rows = CollectionsMarshal.AsSpan(_rows);
        if (rows.Length > 0 && rows[^1].Start == start)
        {
            return ref rows[^1].Rollup;
        }
        var index = rows.Length;
        if (rows.Length > 0 && rows[^1].Start > start)
        {
            int low = 0, high = rows.Length - 1;
            while (low < high)
            {
                var middle = (low + high) / 2;
                if (rows[middle].Start < start)
                {
                    low = middle + 1;
                }
                else
                {
                    high = middle;
                }
            }
            if (rows[low].Start == start)
            {
                return ref rows[low].Rollup;
            }
            index = low;
        }
        _rows.Insert(index, new(start, Parts == RollupParts.None ? default : new Rollup { Detail = new(Parts) }));
        return ref CollectionsMarshal.AsSpan(_rows)[index].Rollup;
    }
}
