using Foretier.Core.Samples;

namespace Foretier.Core.Rollups;

/// <summary>
/// The steps a question asks for: buckets [Origin + n·Step, Origin + (n+1)·Step) clipped to the range. Step 0 means one bucket, the whole range,
/// named by Origin. A bucket is named by its start; the first one may begin before the range, but only samples within the range are in it.
/// </summary>
public readonly record struct BucketGrid(TimeRange Range, long Step, long Origin = 0)
{
    /// <summary>
    /// Where buckets are not all of one length (days of a time zone): their starts, ascending, and the end of the last. They cover the range;
    /// Step is then only nominal.
    /// </summary>
    public IReadOnlyList<long>? Edges { get; init; }

    public long StartOf(long time) => Edges is { } edges ? edges[IndexOf(edges, time)] : Step == 0 ? Origin : Instant.Floor(time, Step, Origin);

    /// <summary>The bucket of a start, before clipping.</summary>
    public TimeRange BucketAt(long start)
    {
        if (Edges is { } edges)
        {
            var index = IndexOf(edges, start);
            return new(edges[index], edges[index + 1]);
        }
        return Step == 0 ? new(Origin, Range.To) : new(start, start > long.MaxValue - Step ? long.MaxValue : start + Step);
    }

    /// <summary>The bucket of a time, before clipping; sooner told where it is the one after <paramref name="last"/>, as with samples in order.</summary>
    internal TimeRange BucketOf(long time, in TimeRange last)
    {
        var isNext = Edges is null && last.Length == Step && time >= last.To && time - last.To < Step && last.To <= long.MaxValue - Step;
        return isNext ? new(last.To, last.To + Step) : BucketAt(StartOf(time));
    }

    /// <summary>How many buckets the range touches.</summary>
    public long Count => Range.IsEmpty ? 0
        : Edges is { } edges ? IndexOf(edges, Range.To - 1) - IndexOf(edges, Range.From) + 1
        : Step == 0 ? 1 : checked((StartOf(Range.To - 1) - StartOf(Range.From)) / Step) + 1;

    /// <summary>The buckets that the range touches, in order.</summary>
    public IEnumerable<TimeRange> Buckets()
    {
        if (Range.IsEmpty)
        {
            yield break;
        }
        for (var bucket = BucketAt(StartOf(Range.From)); ; bucket = BucketAt(bucket.To))
        {
            yield return bucket;
            if (bucket.To >= Range.To)
            {
                yield break;
            }
        }
    }

    /// <summary>True where no bucket cuts through a step of stored rollups.</summary>
    public bool IsAligned(long step) =>
        IsMadeOf(step) && Range.From % step == 0 && Range.To % step == 0;

    /// <summary>True where [from, to] (both inclusive) lies in the range and in one bucket, so that a summary of it can be taken whole.</summary>
    public bool HoldsWhole(long from, long to) => Range.Contains(from) && Range.Contains(to) && StartOf(from) == StartOf(to);

    /// <summary>True where every bucket begins on a multiple of a step, so that rollups of that step do not lie across two.</summary>
    public bool IsMadeOf(long step) => Edges is { } edges ? edges.All(edge => edge % step == 0)
        : Step == 0 || (Step % step == 0 && Origin % step == 0);

    private static int IndexOf(IReadOnlyList<long> edges, long time)
    {
        int low = 0, high = edges.Count - 2;
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            if (edges[middle] <= time)
            {
                low = middle;
            }
            else
            {
                high = middle - 1;
            }
        }
        return low;
    }
}
