using Foretier.Core.Samples;

namespace Foretier.Core.Rollups;

/// <summary>
/// The steps a question asks for: buckets [Origin + n·Step, Origin + (n+1)·Step) clipped to the range. Step 0 means one bucket, the whole range,
/// named by Origin. A bucket is named by its start; the first one may begin before the range, but only samples within the range are in it.
/// </summary>
public readonly record struct BucketGrid(TimeRange Range, long Step, long Origin = 0)
{
    public long StartOf(long time) => Step == 0 ? Origin : Instant.Floor(time, Step, Origin);

    /// <summary>The bucket of a start, before clipping.</summary>
    public TimeRange BucketAt(long start) => Step == 0 ? new(Origin, Range.To) : new(start, start > long.MaxValue - Step ? long.MaxValue : start + Step);

    /// <summary>How many buckets the range touches.</summary>
    public long Count => Range.IsEmpty ? 0 : Step == 0 ? 1 : checked(StartOf(Range.To - 1) / Step - StartOf(Range.From) / Step) + 1;

    /// <summary>True where [from, to] (both inclusive) lies in the range and in one bucket, so that a summary of it can be taken whole.</summary>
    public bool HoldsWhole(long from, long to) => Range.Contains(from) && Range.Contains(to) && StartOf(from) == StartOf(to);
}
