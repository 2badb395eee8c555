using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Foretier.Core.Partitions;

namespace Foretier.Protocol.Shipping;

/// <summary>
/// What an edge sends down to its gateway in one request: every segment of one window that was flushed in (After, Through],
/// immutable once sent. The gateway files the bytes as they are.
/// </summary>
/// <remarks>
/// Layout, little endian: "FSB1" · after i64 · through i64 · window start i64 · window length i64 · segments i32, then for each:
/// name (u16 length + UTF-8) · unit (u16 + UTF-8, 0 = none) · kind (u16 + UTF-8) · version i64 · segment (i32 + bytes) · rollups (i32 + bytes).
/// The digest is SHA-256 over all of it.
/// </remarks>
public sealed record ShipBatch(Window Window, long After, long Through, IReadOnlyList<ShippedSegment> Segments)
{
    private static ReadOnlySpan<byte> Magic => "FSB1"u8;

    public byte[] ToBytes()
    {
        var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes, Encoding.UTF8, leaveOpen: true);
        writer.Write(Magic);
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

        if (!Take(4).Span.SequenceEqual(Magic))
        {
            throw new FormatException("not a batch of format FSB1");
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
        return at == bytes.Length
            ? new(window, after, through, segments)
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

/// <summary>The gateway's durable acknowledgement of a batch.</summary>
/// <param name="Through">The last flush of this window that it holds.</param>
/// <param name="Accepted">Samples in the batch; 0 when it had been received before.</param>
/// <param name="Superseded">Of these, how many replaced samples already there.</param>
public sealed record ShipReceipt(long Through, long Accepted, long Superseded);
