using System.Buffers;
using System.Buffers.Binary;
using Foretier.Core.Segments;

namespace Foretier.Agent.Hot;

/// <summary>
/// A block as bytes that say what they are, wherever they are found:
/// <code>
/// "FB" · header length u8 · header · crc32c u32 of the header · crc32c u32 of the rest · segment · rollups
/// header: key · end time · samples · version · segment bytes · rollup bytes, as varints
/// </code>
/// The header has a sum of its own: what a damaged block had can then still be told.
/// </summary>
internal static class BlockFrame
{
    private const int HeaderAt = 3;

    public static byte[] Encode(StoredBlock block)
    {
        var header = new ArrayBufferWriter<byte>(48);
        foreach (var field in (ReadOnlySpan<long>)[block.Key, block.EndTime, block.Count, block.Version, block.Segment.Length, block.Rollups?.Length ?? 0])
        {
            RecordWriter.WriteSigned(header, field);
        }
        var length = header.WrittenCount;
        var frame = new byte[HeaderAt + length + 8 + block.Bytes];
        (frame[0], frame[1], frame[2]) = ((byte)'F', (byte)'B', (byte)length);
        header.WrittenSpan.CopyTo(frame.AsSpan(HeaderAt));
        var body = frame.AsSpan(HeaderAt + length + 8);
        block.Segment.CopyTo(body);
        block.Rollups?.CopyTo(body[block.Segment.Length..]);
        BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(HeaderAt + length), Crc32C.Compute(header.WrittenSpan));
        BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(HeaderAt + length + 4), Crc32C.Compute(body));
        return frame;
    }

    /// <summary>Reads the block at the start of the bytes.</summary>
    /// <param name="head">What it has or had; default where not even that can be read.</param>
    /// <returns>Null where it is damaged.</returns>
    public static StoredBlock? TryDecode(ReadOnlySpan<byte> frame, out BlockHead head)
    {
        if (!TryHead(frame, out head, out var at, out var segment, out var rollups) || frame.Length < at + segment + rollups)
        {
            return null;
        }
        var body = frame.Slice(at, segment + rollups);
        return BinaryPrimitives.ReadUInt32LittleEndian(frame[(at - 4)..]) != Crc32C.Compute(body) ? null
            : new(head.Key, head.EndTime, head.Count, head.Version, body[..segment].ToArray(), rollups == 0 ? null : body[segment..].ToArray());
    }

    /// <summary>Reads only what the block at the start of the bytes has.</summary>
    public static bool TryHead(ReadOnlySpan<byte> frame, out BlockHead head) => TryHead(frame, out head, out _, out _, out _);

    /// <summary>The next place where a block may begin; -1 if there is none.</summary>
    public static int NextIn(ReadOnlySpan<byte> bytes, int from)
    {
        var at = bytes[from..].IndexOf("FB"u8);
        return at < 0 ? -1 : from + at;
    }

    private static bool TryHead(ReadOnlySpan<byte> frame, out BlockHead head, out int body, out int segment, out int rollups)
    {
        (head, body, segment, rollups) = (default, 0, 0, 0);
        if (frame.Length < HeaderAt || frame[0] != 'F' || frame[1] != 'B' || frame[2] == 0 || frame.Length < HeaderAt + frame[2] + 8)
        {
            return false;
        }
        var header = frame.Slice(HeaderAt, frame[2]);
        body = HeaderAt + header.Length + 8;
        if (BinaryPrimitives.ReadUInt32LittleEndian(frame[(HeaderAt + header.Length)..]) != Crc32C.Compute(header))
        {
            return false;
        }
        var from = new RecordReader(header);
        long key = from.Signed(), end = from.Signed(), count = from.Signed(), version = from.Signed();
        (segment, rollups) = (checked((int)from.Signed()), checked((int)from.Signed()));
        head = new(key, (int)count, version, segment + rollups, end);
        return true;
    }
}
