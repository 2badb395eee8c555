using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Foretier.Agent.Hot;

/// <summary>The primitive forms of journal records: varints, zigzag, text.</summary>
internal static class RecordWriter
{
    public static void WriteVarint(IBufferWriter<byte> into, ulong value)
    {
        var span = into.GetSpan(10);
        var n = 0;
        for (; value >= 0x80; value >>= 7)
        {
            span[n++] = (byte)(value | 0x80);
        }
        span[n++] = (byte)value;
        into.Advance(n);
    }

    public static void WriteSigned(IBufferWriter<byte> into, long value) => WriteVarint(into, (ulong)((value << 1) ^ (value >> 63)));

    public static void WriteByte(IBufferWriter<byte> into, byte value)
    {
        into.GetSpan(1)[0] = value;
        into.Advance(1);
    }

    public static void WriteDouble(IBufferWriter<byte> into, double value)
    {
        BinaryPrimitives.WriteDoubleLittleEndian(into.GetSpan(8), value);
        into.Advance(8);
    }

    public static void WriteText(IBufferWriter<byte> into, string text)
    {
        var length = Encoding.UTF8.GetByteCount(text);
        WriteVarint(into, (ulong)length);
        Encoding.UTF8.GetBytes(text, into.GetSpan(length));
        into.Advance(length);
    }
}

/// <summary>Reads what <see cref="RecordWriter"/> wrote.</summary>
/// <exception cref="FormatException">The record ends early: it passed its checksum, so a newer program wrote it.</exception>
internal ref struct RecordReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    public readonly bool AtEnd => _rest.IsEmpty;

    public readonly ReadOnlySpan<byte> Rest => _rest;

    public ulong Varint()
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var b = Byte();
            value |= (ulong)(b & 0x7F) << shift;
            if (b < 0x80)
            {
                return value;
            }
        }
        throw new FormatException("a number in a journal record is too long");
    }

    public long Signed()
    {
        var value = Varint();
        return (long)(value >> 1) ^ -(long)(value & 1);
    }

    public byte Byte() => Take(1)[0];
    public double Double() => BinaryPrimitives.ReadDoubleLittleEndian(Take(8));
    public string Text() => Encoding.UTF8.GetString(Take(checked((int)Varint())));

    public ReadOnlySpan<byte> Take(int length)
    {
        if (length < 0 || length > _rest.Length)
        {
            throw new FormatException("a journal record ends early");
        }
        var taken = _rest[..length];
        _rest = _rest[length..];
        return taken;
    }
}
