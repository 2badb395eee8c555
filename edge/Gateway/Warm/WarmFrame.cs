using System.Buffers.Binary;
using Foretier.Core.Segments;
using Microsoft.Win32.SafeHandles;

namespace Foretier.Gateway.Warm;

/// <summary>
/// One received batch as it lies in a warm file, whole, so that the catalog can be made again from the files.
/// </summary>
/// <remarks>
/// Little endian: "FWF1" · payload length u32 · after i64 · through i64 · CRC-32C of the payload u32 · CRC-32C of the 28 bytes before u32 ·
/// payload (a ShipBatch). After is the flush the gateway held when the batch came: of the batch, only segments of later flushes count.
/// </remarks>
internal readonly record struct WarmFrame(long After, long Through, long Offset, ReadOnlyMemory<byte> Payload)
{
    public const int HeaderBytes = 32;
    private static ReadOnlySpan<byte> Magic => "FWF1"u8;

    public long End => Offset + HeaderBytes + Payload.Length;

    public void Write(SafeFileHandle file)
    {
        var header = new byte[HeaderBytes];
        Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(4), (uint)Payload.Length);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(8), After);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(16), Through);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(24), Crc32C.Compute(Payload.Span));
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(28), Crc32C.Compute(header.AsSpan(0, 28)));
        RandomAccess.Write(file, [header, Payload], Offset);
    }

    /// <summary>The frame at an offset; false where there is none, or only a part of one.</summary>
    public static bool TryRead(SafeFileHandle file, long offset, out WarmFrame frame)
    {
        frame = default;
        var rest = RandomAccess.GetLength(file) - offset;
        Span<byte> header = stackalloc byte[HeaderBytes];
        if (rest < HeaderBytes || !TryFill(file, header, offset) || !header[..4].SequenceEqual(Magic)
            || BinaryPrimitives.ReadUInt32LittleEndian(header[28..]) != Crc32C.Compute(header[..28])
            || BinaryPrimitives.ReadUInt32LittleEndian(header[4..]) is var length && length > rest - HeaderBytes)
        {
            return false;
        }
        var payload = new byte[length];
        if (!TryFill(file, payload, offset + HeaderBytes) || BinaryPrimitives.ReadUInt32LittleEndian(header[24..]) != Crc32C.Compute(payload))
        {
            return false;
        }
        frame = new(BinaryPrimitives.ReadInt64LittleEndian(header[8..]), BinaryPrimitives.ReadInt64LittleEndian(header[16..]), offset, payload);
        return true;
    }

    /// <summary>Reads exactly as many bytes as fit, or none that count.</summary>
    public static bool TryFill(SafeFileHandle file, Span<byte> into, long offset)
    {
        while (into.Length > 0)
        {
            var read = RandomAccess.Read(file, into, offset);
            if (read == 0)
            {
                return false;
            }
            into = into[read..];
            offset += read;
        }
        return true;
    }
}
