using System.Buffers.Binary;

namespace Foretier.Core.Segments;

/// <summary>Reads what <see cref="ByteWriter"/> wrote; never past the end, and never more than there is.</summary>
public ref struct ByteReader(ReadOnlySpan<byte> bytes)
{
    private readonly ReadOnlySpan<byte> _bytes = bytes;

    public int Position { get; private set; }
    public readonly int Left => _bytes.Length - Position;

    public ReadOnlySpan<byte> Bytes(int count)
    {
        if (count < 0 || count > Left)
        {
            throw new SegmentFormatException($"cut off: {count} bytes are due at {Position}, {Left} are left");
        }
        Position += count;
        return _bytes.Slice(Position - count, count);
    }

    public int Byte() => Bytes(1)[0];

    /// <summary>The next byte, or -1 at the end; it stays to be read.</summary>
    public readonly int Peek() => Left > 0 ? _bytes[Position] : -1;

    public uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Bytes(4));

    public long Int64() => BinaryPrimitives.ReadInt64LittleEndian(Bytes(8));

    public ulong VarUInt()
    {
        ulong value = 0;
        for (var shift = 0; shift < 70; shift += 7)
        {
            var b = (ulong)Byte();
            if (shift == 63 && b > 1)
            {
                break;
            }
            value |= (b & 0x7F) << shift;
            if (b < 0x80)
            {
                return value;
            }
        }
        throw new SegmentFormatException($"a varint before byte {Position} is longer than 64 bits");
    }

    public long VarInt() => ZigZag.Decode(VarUInt());

    /// <summary>A varint that may not exceed <paramref name="max"/>: guards every allocation that a header asks for.</summary>
    public int Count(int max, string what)
    {
        var value = VarUInt();
        return value <= (ulong)max ? (int)value : throw new SegmentFormatException($"{value} {what} where at most {max} can be");
    }

    public readonly void ExpectEnd(string what)
    {
        if (Left != 0)
        {
            throw new SegmentFormatException($"{Left} bytes after the end of the {what}");
        }
    }
}
