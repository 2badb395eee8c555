using System.Buffers.Binary;
using System.Text;
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
        Begin(header, magic, version, payload.Length);
        var crc = Crc32C.Compute(payload, Crc32C.Compute(header[..HeaderBytes]));
        BinaryPrimitives.WriteUInt32LittleEndian(header[HeaderBytes..], crc);
        to.Write(header);
        to.Write(payload);
    }

    /// <summary>Writes a payload that is too large to be in memory as a whole.</summary>
    /// <param name="to">Seekable.</param>
    /// <param name="payload">Called twice, to write the same each time: its length and checksum come first in the file.</param>
    public static void Write(Stream to, ReadOnlySpan<byte> magic, byte version, Action<BinaryWriter> payload)
    {
        Span<byte> header = stackalloc byte[HeaderBytes + 4];
        Begin(header, magic, version, checked((int)Pass(Stream.Null, 0).Bytes));
        var start = to.Position;
        to.Write(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header[HeaderBytes..], Pass(to, Crc32C.Compute(header[..HeaderBytes])).Crc);
        var end = to.Position;
        to.Position = start;
        to.Write(header);
        to.Position = end;

        (long Bytes, uint Crc) Pass(Stream through, uint crc)
        {
            using var summed = new SummedStream(through, crc);
            using (var writer = new BinaryWriter(summed, Encoding.UTF8, leaveOpen: true))
            {
                payload(writer);
            }
            return (summed.Position, summed.Crc);
        }
    }

    private static void Begin(Span<byte> header, ReadOnlySpan<byte> magic, byte version, int length)
    {
        magic[..4].CopyTo(header);
        header[4] = version;
        BinaryPrimitives.WriteInt32LittleEndian(header[5..], length);
    }

    /// <summary>Reads to the end of the stream.</summary>
    /// <returns>The payload, and nothing but it.</returns>
    /// <exception cref="InvalidDataException">Not this kind of file, newer than this program, cut off, or damaged; the message says which.</exception>
    public static MemoryStream Read(Stream from, ReadOnlySpan<byte> magic, byte versionMax, out byte version)
    {
        using var all = new MemoryStream(from.CanSeek ? (int)(from.Length - from.Position) : 0);
        from.CopyTo(all);
        var bytes = all.GetBuffer();
        var span = bytes.AsSpan(0, (int)all.Length);
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
        if (Crc32C.Compute(span[(HeaderBytes + 4)..], Crc32C.Compute(span[..HeaderBytes])) != BinaryPrimitives.ReadUInt32LittleEndian(span[HeaderBytes..]))
        {
            throw new InvalidDataException("the checksum does not match the content");
        }
        return new(bytes, HeaderBytes + 4, length, writable: false);
    }

    /// <summary>Passes bytes on; its position is how many, and their checksum is kept.</summary>
    private sealed class SummedStream(Stream to, uint crc) : Stream
    {
        private long _bytes;

        public uint Crc { get; private set; } = crc;
        public override bool CanRead => false;
        public override bool CanSeek => false;
        public override bool CanWrite => true;
        public override long Length => _bytes;
        public override long Position { get => _bytes; set => throw new NotSupportedException(); }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            Crc = Crc32C.Compute(buffer, Crc);
            _bytes += buffer.Length;
            to.Write(buffer);
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));
        public override void Flush() => to.Flush();
        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
