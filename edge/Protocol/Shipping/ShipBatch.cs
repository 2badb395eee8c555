using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Foretier.Core.Partitions;
using Foretier.Core.Samples;

namespace Foretier.Protocol.Shipping;

/// <summary>
/// What an edge sends down to its gateway in one request: every segment of one window that was flushed in (After, Through],
/// immutable once sent. The gateway files the bytes as they are.
/// </summary>
/// <remarks>
/// Layout, little endian: "FSB1" · after i64 · through i64 · window start i64 · window length i64 · segments i32, then for each:
/// name (u16 length + UTF-8) · unit (u16 + UTF-8, 0 = none) · kind (u16 + UTF-8) · version i64 · segment (i32 + bytes) · rollups (i32 + bytes).
/// "FSB2" where there are tombstones: after the segments their number i32, then for each: name · unit · kind · version i64 · from i64 · to i64.
/// The digest is SHA-256 over all of it.
/// </remarks>
public sealed record ShipBatch(Window Window, long After, long Through, IReadOnlyList<ShippedSegment> Segments)
{
    private static ReadOnlySpan<byte> Magic => "FSB1"u8;
    private static ReadOnlySpan<byte> MagicWithTombstones => "FSB2"u8;

    /// <summary>What was deleted in these flushes.</summary>
    public IReadOnlyList<ShippedTombstone> Tombstones { get; init; } = [];

    public byte[] ToBytes()
    {
        var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes, Encoding.UTF8, leaveOpen: true);
        writer.Write(Tombstones.Count > 0 ? MagicWithTombstones : Magic);
        writer.Write(After);
        writer.Write(Through);
        writer.Write(Window.Start);
        writer.Write(Window.Length);
        writer.Write(Segments.Count);
        foreach (var segment in Segments)
        {
            WriteText(writer, segment.Series);
            WriteText(writer, segment.Unit ?? "");
            WriteText(writer, segment.Kind);
            writer.Write(segment.Version);
            writer.Write(segment.Bytes.Length);
            writer.Write(segment.Bytes.Span);
            writer.Write(segment.Rollups.Length);
            writer.Write(segment.Rollups.Span);
        }
        if (Tombstones.Count > 0)
        {
            writer.Write(Tombstones.Count);
            foreach (var tombstone in Tombstones)
            {
                WriteText(writer, tombstone.Series);
                WriteText(writer, tombstone.Unit ?? "");
                WriteText(writer, tombstone.Kind);
                writer.Write(tombstone.Version);
                writer.Write(tombstone.Range.From);
                writer.Write(tombstone.Range.To);
            }
        }
        writer.Flush();
        return bytes.ToArray();
    }

    public static string DigestOf(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    /// <exception cref="FormatException">The bytes are not a batch, or are cut off.</exception>
    public static ShipBatch Parse(ReadOnlyMemory<byte> bytes)
    {
        var at = 0;
        ReadOnlyMemory<byte> Take(int length)
        {
            if (length < 0 || length > bytes.Length - at)
            {
                throw new FormatException($"batch is cut off at byte {at} of {bytes.Length}");
            }
            at += length;
            return bytes.Slice(at - length, length);
        }
        long Int64() => BinaryPrimitives.ReadInt64LittleEndian(Take(8).Span);
        int Int32() => BinaryPrimitives.ReadInt32LittleEndian(Take(4).Span);
        string Text() => Encoding.UTF8.GetString(Take(BinaryPrimitives.ReadUInt16LittleEndian(Take(2).Span)).Span);

        var magic = Take(4).Span;
        var hasTombstones = magic.SequenceEqual(MagicWithTombstones);
        if (!hasTombstones && !magic.SequenceEqual(Magic))
        {
            throw new FormatException("not a batch of format FSB1 or FSB2");
        }
        long after = Int64(), through = Int64();
        var window = new Window(Int64(), Int64());
        var count = Int32();
        if (count < 0 || window.Length <= 0 || through <= after)
        {
            throw new FormatException("batch header is impossible");
        }
        var segments = new List<ShippedSegment>(Math.Min(count, 4096));
        for (var i = 0; i < count; i++)
        {
            var name = Text();
            var unit = Text();
            var kind = Text();
            var version = Int64();
            var segment = Take(Int32());
            segments.Add(new(name, unit.Length == 0 ? null : unit, kind, version, segment, Take(Int32())));
        }
        var tombstones = new List<ShippedTombstone>();
        for (var left = hasTombstones ? Int32() : 0; left > 0; left--)
        {
            string name = Text(), unit = Text(), kind = Text();
            tombstones.Add(new(name, unit.Length == 0 ? null : unit, kind, Int64(), new(Int64(), Int64())));
        }
        return at == bytes.Length
            ? new(window, after, through, segments) { Tombstones = tombstones }
            : throw new FormatException($"{bytes.Length - at} bytes after the end of the batch");
    }

    private static void WriteText(BinaryWriter writer, string text)
    {
        var utf8 = Encoding.UTF8.GetBytes(text);
        writer.Write(checked((ushort)utf8.Length));
        writer.Write(utf8);
    }
}

/// <param name="Version">The flush that wrote it, in (After, Through].</param>
/// <param name="Bytes">A segment, see the FORMAT.md of Core.</param>
/// <param name="Rollups">Its 1m rollups, or empty.</param>
public sealed record ShippedSegment(
    string Series, string? Unit, string Kind, long Version, ReadOnlyMemory<byte> Bytes, ReadOnlyMemory<byte> Rollups);

/// <summary>The samples of a series in a range that were accepted before its flush are deleted.</summary>
/// <param name="Version">The flush it belongs to, in (After, Through]: older ones end, those of this flush came after it.</param>
public sealed record ShippedTombstone(string Series, string? Unit, string Kind, long Version, TimeRange Range);

/// <summary>The gateway's durable acknowledgement of a batch.</summary>
/// <param name="Through">The last flush of this window that it holds.</param>
/// <param name="Accepted">Samples in the batch; 0 when it had been received before.</param>
/// <param name="Superseded">Of these, how many replaced samples already there.</param>
/// <param name="Deleted">Samples on its disk that the batch's tombstones ended.</param>
public sealed record ShipReceipt(long Through, long Accepted, long Superseded, long Deleted = 0);
