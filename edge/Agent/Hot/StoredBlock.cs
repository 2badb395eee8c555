using System.Buffers;
using System.Buffers.Binary;
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
    public BlockHead Head => new(Key, Count, Version, Bytes, EndTime);

    public static long KeyOf(int series, long offset) => ((long)series << SeriesShift) | offset;

    public Layer ToLayer(Core.Partitions.Window window) => Segment.Length > 0 ? Layer.Of(Version, Core.Segments.Segment.Open(Segment), Rollups)
        : Layer.OfRollups(Version, Rollups, window.Start + StartOffset, EndTime);
}

/// <summary>What a window file says of itself, changed in the same transaction as its blocks.</summary>
/// <param name="Version">The last flush.</param>
/// <param name="Position">All samples of journal records up to this one are in the file.</param>
/// <param name="Count">Samples in it.</param>
/// <param name="Superseded">Samples that were accepted and replaced by later ones, since the file was made.</param>
/// <param name="From">Time of the first sample.</param>
/// <param name="To">Just after the last one.</param>
/// <param name="Dropped">What earlier generations of the window had, so that the file explains itself should the store's facts be older.</param>
/// <param name="Lost">Samples that were in the file and could not be read again.</param>
/// <param name="WrittenAt">When the last flush was; 0 in files of older versions.</param>
/// <param name="Removed">
/// Null in a file of samples. Else it has only their rollups, and this says how many of them nobody else was known to have.
/// </param>
internal sealed record WindowMeta(long Version, long Position, long Count, long Superseded, long From, long To, DroppedPart Dropped, long Lost = 0,
    long WrittenAt = 0, long? Removed = null)
{
    private const byte Format = 3;

    /// <summary>Samples that were deleted since the file was made.</summary>
    public long Erased { get; init; }

    /// <summary>What was deleted, for whoever has older flushes. In the file it is a document of its own.</summary>
    public IReadOnlyList<StoredTombstone> Tombstones { get; init; } = [];

    public static WindowMeta Empty(DroppedPart dropped) => new(dropped.Through, dropped.Position, 0, 0, long.MaxValue, long.MinValue, dropped);

    /// <summary>format u8 · crc32c u32 of the rest · the fields as varints.</summary>
    public byte[] Encode()
    {
        var into = new ArrayBufferWriter<byte>(96);
        foreach (var field in (ReadOnlySpan<long>)[Version, Position, Count, Superseded, From, To, Dropped.Through, Dropped.Position, Dropped.Unique,
            Dropped.Superseded, Dropped.Lost, Lost, WrittenAt, Removed ?? -1, Dropped.Erased, Erased])
        {
            RecordWriter.WriteSigned(into, field);
        }
        var bytes = new byte[5 + into.WrittenCount];
        bytes[0] = Format;
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(1), Crc32C.Compute(into.WrittenSpan));
        into.WrittenSpan.CopyTo(bytes.AsSpan(5));
        return bytes;
    }

    /// <returns>Null where the bytes are damaged, or none.</returns>
    /// <exception cref="InvalidDataException">A newer program wrote them.</exception>
    public static WindowMeta? TryDecode(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length <= 5 || BinaryPrimitives.ReadUInt32LittleEndian(bytes[1..]) != Crc32C.Compute(bytes[5..]))
        {
            return null;
        }
        if (bytes[0] is not (2 or Format))
        {
            throw new InvalidDataException($"a window file has format {bytes[0]}, which this version does not know");
        }
        var from = new RecordReader(bytes[5..]);
        var meta = new WindowMeta(from.Signed(), from.Signed(), from.Signed(), from.Signed(), from.Signed(), from.Signed(),
            new(from.Signed(), from.Signed(), from.Signed(), from.Signed(), from.Signed()), from.Signed());
        meta = from.AtEnd ? meta : meta with { WrittenAt = from.Signed(), Removed = from.Signed() is >= 0 and var removed ? removed : null };
        return bytes[0] == 2 ? meta : meta with { Dropped = meta.Dropped with { Erased = from.Signed() }, Erased = from.Signed() };
    }
}

/// <summary>What a block has, without its samples.</summary>
internal readonly record struct BlockHead(long Key, int Count, long Version, int Bytes, long EndTime)
{
    public int Series => (int)(Key >> StoredBlock.SeriesShift);
    public long StartOffset => Key & ((1L << StoredBlock.SeriesShift) - 1);
}
