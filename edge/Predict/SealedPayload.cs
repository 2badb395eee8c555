using System.Buffers.Binary;
using Foretier.Core.Segments;

namespace Foretier.Predict;

/// <summary>
/// How small files of predictions are framed, so that damage is seen before a byte is believed:
/// magic (4 bytes) · format version u8 · payload length i32 · CRC-32C of all of that and the payload u32 · payload. Little endian.
/// </summary>
public static class SealedPayload
{
    private const int HeaderBytes = 4 + 1 + 4;

    public static void Write(Stream to, ReadOnlySpan<byte> magic, byte version, ReadOnlySpan<byte> payload)
    {
        Span<byte> header = stackalloc byte[HeaderBytes + 4];
        magic[..4].CopyTo(header);
        header[4] = version;
        BinaryPrimitives.WriteInt32LittleEndian(header[5..], payload.Length);
        var crc = Crc32C.Compute(payload, Crc32C.Compute(header[..HeaderBytes]));
        BinaryPrimitives.WriteUInt32LittleEndian(header[HeaderBytes..], crc);
        to.Write(header);
        to.Write(payload);
    }

    /// <summary>Reads to the end of the stream.</summary>
    /// <exception cref="InvalidDataException">Not this kind of file, newer than this program, cut off, or damaged; the message says which.</exception>
    public static ReadOnlyMemory<byte> Read(Stream from, ReadOnlySpan<byte> magic, byte versionMax, out byte version)
    {
        using var all = new MemoryStream();
        from.CopyTo(all);
        var bytes = new ReadOnlyMemory<byte>(all.GetBuffer(), 0, (int)all.Length);
        var span = bytes.Span;
        if (span.Length < HeaderBytes + 4 || !span[..4].SequenceEqual(magic[..4]))
        {
            throw new InvalidDataException("the file is empty, cut off or of another kind");
        }
        version = span[4];
        if (version == 0 || version > versionMax)
        {
            throw new InvalidDataException($"the file has format version {version}; this program reads up to {versionMax}");
        }
        var length = BinaryPrimitives.ReadInt32LittleEndian(span[5..]);
        if (length != span.Length - HeaderBytes - 4)
        {
            throw new InvalidDataException($"the file should have {length} bytes of content and has {span.Length - HeaderBytes - 4}");
        }
        var payload = bytes[(HeaderBytes + 4)..];
        if (Crc32C.Compute(payload.Span, Crc32C.Compute(span[..HeaderBytes])) != BinaryPrimitives.ReadUInt32LittleEndian(span[HeaderBytes..]))
        {
            throw new InvalidDataException("the checksum does not match the content");
        }
        return payload;
    }
}
