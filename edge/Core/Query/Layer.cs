using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Segments;

namespace Foretier.Core.Query;

/// <summary>
/// A run of one series' samples as a tier holds it: a stored segment, with or without its rollups, or open samples in memory (sorted, unique).
/// Where layers overlap in time, the one with the higher version wins sample by sample.
/// </summary>
public sealed record Layer
{
    private Layer(long version) => Version = version;

    public static Layer Of(long version, Segment segment, ReadOnlyMemory<byte> rollups = default) =>
        new(version) { Segment = segment, Rollups = rollups, FirstTime = segment.FirstTime, LastTime = segment.LastTime };

    public static Layer Of(long version, SampleColumns samples) =>
        new(version) { Samples = samples, FirstTime = samples.FirstTime, LastTime = samples.LastTime };

    /// <summary>A run whose samples are not kept any more: it answers only what its rollups can.</summary>
    public static Layer OfRollups(long version, ReadOnlyMemory<byte> rollups, long firstTime, long lastTime) =>
        new(version) { Rollups = rollups, FirstTime = firstTime, LastTime = lastTime };

    /// <summary>No samples, but the end of those that older versions have within the range; those of its own version came after it.</summary>
    public static Layer Tombstone(long version, TimeRange range) => new(version) { IsTombstone = true, FirstTime = range.From, LastTime = range.To - 1 };

    public bool IsTombstone { get; private init; }

    /// <summary>The flush that wrote it; <see cref="long.MaxValue"/> for memory.</summary>
    public long Version { get; }
    public Segment? Segment { get; private init; }
    public ReadOnlyMemory<byte> Rollups { get; private init; }
    public SampleColumns? Samples { get; private init; }

    /// <summary>Samples that can be decoded.</summary>
    public int Count => Segment?.Count ?? Samples?.Count ?? 0;

    public long FirstTime { get; private init; }

    /// <summary>Inclusive.</summary>
    public long LastTime { get; private init; }

    public SampleColumns Decode()
    {
        if (Samples is not null)
        {
            return Samples;
        }
        if (Segment is null)
        {
            throw new SegmentFormatException("only rollups are kept of these samples");
        }
        var samples = new SampleColumns(Segment.Count);
        Segment.Decode(samples);
        return samples;
    }
}
