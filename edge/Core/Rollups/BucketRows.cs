using System.Buffers;
using Foretier.Core.Samples;

namespace Foretier.Core.Rollups;

/// <summary>A rollup and the start of the step it covers, µs.</summary>
public struct BucketRow(long start, Rollup rollup)
{
    public long Start = start;
    public Rollup Rollup = rollup;
}

/// <summary>
/// Rollups by bucket start, ascending. Adding in time order is O(1); anywhere else is a binary search. Many rows lie in a borrowed array, which
/// <see cref="Dispose"/> gives back: rows are nearly all of what answering a question would leave to the collector. Who does not dispose leaves it that.
/// </summary>
/// <param name="parts">What is computed besides what every rollup has; with any of it, samples and rollups are added in order of time.</param>
/// <param name="capacity">How many rows there may be, where that is known.</param>
public sealed class BucketRows(RollupParts parts = RollupParts.None, int capacity = 0) : IDisposable
{
    /// <summary>Fewer rows are cheaper made than borrowed.</summary>
    private const int BorrowedMin = 16;

    private BucketRow[]? _rows = Take(capacity);
    private int _count;

    public RollupParts Parts { get; } = parts;
    public int Count => _count;

    /// <exception cref="ObjectDisposedException">They were given back.</exception>
    public ReadOnlySpan<BucketRow> Rows => Written;

    private Span<BucketRow> Written => (_rows ?? throw new ObjectDisposedException(nameof(BucketRows))).AsSpan(0, _count);

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
        for (var (i, bucket) = (from, default(TimeRange)); i < to;)
        {
            bucket = grid.BucketOf(times[i], bucket);
            var end = i + 1;
            while (end < to && times[end] < bucket.To)
            {
                end++;
            }
            ref var rollup = ref At(bucket.From);
            if (states.IsEmpty && rollup.Detail is null)
            {
                rollup.AddNumbers(times[i..end], values[i..end]);
                i = end;
                continue;
            }
            for (; i < end; i++)
            {
                rollup.Add(times[i], values[i], states.IsEmpty ? null : states[i]);
            }
        }
    }

    /// <summary>How many buckets the samples would take; the times must be sorted.</summary>
    public static int CountOf(SampleColumns samples, in BucketGrid grid)
    {
        var count = 0;
        for (var i = 0; i < samples.Count; count++)
        {
            i = samples.LowerBound(grid.BucketAt(grid.StartOf(samples.Times[i])).To);
        }
        return count;
    }

    public void Dispose()
    {
        if (_rows is not { } rows)
        {
            return;
        }
        Written.Clear();
        (_rows, _count) = (null, 0);
        Return(rows);
    }

    private static BucketRow[] Take(int capacity) => capacity < BorrowedMin ? new BucketRow[capacity] : ArrayPool<BucketRow>.Shared.Rent(capacity);

    private static void Return(BucketRow[] rows)
    {
        if (rows.Length >= BorrowedMin)
        {
            ArrayPool<BucketRow>.Shared.Return(rows);
        }
    }

    private ref Rollup At(long start)
    {
        var rows = Written;
        if (rows.IsEmpty || rows[^1].Start < start)
        {
            return ref Insert(rows.Length, start);
        }
        if (rows[^1].Start == start)
        {
            return ref rows[^1].Rollup;
        }
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
        return ref Insert(low, start);
    }

    private ref Rollup Insert(int index, long start)
    {
        var rows = _rows!;
        if (_count == rows.Length)
        {
            var wider = Take(Math.Max(4, _count * 2));
            rows.AsSpan().CopyTo(wider);
            rows.AsSpan().Clear();
            Return(rows);
            _rows = rows = wider;
        }
        ref var row = ref rows[index];
        if (index < _count)
        {
            rows.AsSpan(index, _count - index).CopyTo(rows.AsSpan(index + 1));
            row = default;
        }
        // Behind the last, rows are empty: made so, or left so by who gave them back. Not to write a whole row twice is a tenth of answering.
        _count++;
        row.Start = start;
        if (Parts != RollupParts.None)
        {
            row.Rollup.Detail = new(Parts);
        }
        return ref row.Rollup;
    }
}
