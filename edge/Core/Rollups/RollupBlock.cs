using Foretier.Core.Segments;

namespace Foretier.Core.Rollups;

/// <summary>
/// Encoded rollups of one series at one step, the companion of a segment: exactly the samples of that segment, no others.
/// Layout in FORMAT.md, beside that of segments.
/// </summary>
public static class RollupBlock
{
    /// <summary>The version this program writes, and the newest that it reads.</summary>
    public const int Version = 2;

    private const byte Magic = 0xF8;

    // Magic, version, step, a count of rows and the checksum.
    private const int BytesMin = 4 + Checksum.Length;

    /// <summary>Rows that are packed together: bounds what a damaged header can ask for.</summary>
    private const int GroupRowsMax = 4096;

    /// <summary>Encodes rows of a step (µs). Every field comes back bit for bit.</summary>
    public static byte[] Encode(long step, BucketRows rows)
    {
        var to = new ByteWriter(rows.Count * 16 + 32);
        to.Byte(Magic);
        to.Byte(Version);
        to.VarInt(step);
        to.VarUInt((ulong)rows.Count);
        for (var start = 0; start < rows.Count; start += GroupRowsMax)
        {
            RollupColumns.Write(to, rows.Rows.Slice(start, Math.Min(GroupRowsMax, rows.Count - start)), step);
        }
        return Checksum.Seal(to);
    }

    /// <exception cref="SegmentFormatException">The bytes are not a rollup block, are damaged, or have an unknown version.</exception>
    public static BucketRows Decode(ReadOnlySpan<byte> bytes, out long step)
    {
        var from = new ByteReader(Checksum.Open(bytes, Magic, Version, BytesMin, "rollup block"));
        step = from.VarInt();
        var rows = new BucketRows();
        for (var left = from.Count(int.MaxValue, "rows"); left > 0; left -= GroupRowsMax)
        {
            RollupColumns.Read(ref from, Math.Min(GroupRowsMax, left), step, rows);
        }
        from.ExpectEnd("rollup block");
        return rows;
    }
}
