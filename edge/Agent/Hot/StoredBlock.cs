using Foretier.Core.Query;
using Foretier.Core.Segments;

namespace Foretier.Agent.Hot;

/// <summary>
/// A block of one series as the window file holds it. Blocks of a series never overlap in time, and the key orders them by time:
/// series · 2^40 + µs from the window's start to the first sample (a day has less than 2^40 µs).
/// </summary>
internal sealed record StoredBlock(long Key, long EndTime, int Count, long Version, byte[] Segment, byte[]? Rollups)
{
    public const int SeriesShift = 40;

    public int Series => (int)(Key >> SeriesShift);
    public long StartOffset => Key & ((1L << SeriesShift) - 1);
    public int Bytes => Segment.Length + (Rollups?.Length ?? 0);
    public uint Checksum => Crc32C.Compute(Rollups, Crc32C.Compute(Segment));

    public static long KeyOf(int series, long offset) => ((long)series << SeriesShift) | offset;

    public Layer ToLayer() => Layer.Of(Version, Core.Segments.Segment.Open(Segment), Rollups);
}

/// <summary>What a window file says of itself, changed in the same transaction as its blocks.</summary>
/// <param name="Version">The last flush.</param>
/// <param name="Position">All samples of journal records up to this one are in the file.</param>
/// <param name="Count">Samples in it.</param>
/// <param name="Superseded">Samples that were accepted and replaced by later ones, since the file was made.</param>
/// <param name="From">Time of the first sample.</param>
/// <param name="To">Just after the last one.</param>
/// <param name="Dropped">What earlier generations of the window had, so that the file explains itself should the store's facts be older.</param>
internal sealed record WindowMeta(long Version, long Position, long Count, long Superseded, long From, long To, DroppedPart Dropped)
{
    public static WindowMeta Empty(DroppedPart dropped) => new(dropped.Through, dropped.Position, 0, 0, long.MaxValue, long.MinValue, dropped);
}

/// <summary>The head of a block, for counting.</summary>
internal readonly record struct BlockHead(long Key, int Count, long Version, int Bytes);
