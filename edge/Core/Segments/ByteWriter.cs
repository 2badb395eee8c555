using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;

namespace Foretier.Core.Segments;

/// <summary>A growing buffer of little-endian fields and LEB128 varints; the buffer is lent by the pool until it is disposed of.</summary>
public sealed class ByteWriter(int capacity = 256) : IDisposable
{
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(capacity);

    public int Length { get; private set; }
    public ReadOnlySpan<byte> Written => _buffer.AsSpan(0, Length);
    public ReadOnlyMemory<byte> WrittenMemory => _buffer.AsMemory(0, Length);

    public void Clear() => Length = 0;

    /// <summary>Takes back what was written after the first <paramref name="length"/> bytes.</summary>
    public void Truncate(int length) => Length = length;

    /// <summary>Nothing may be written or read afterwards.</summary>
    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_buffer);
        (_buffer, Length) = ([], 0);
    }

    /// <summary>Zeroed room for <paramref name="count"/> bytes, to be filled before the next call.</summary>
    public Span<byte> Reserve(int count)
    {
        if (count > _buffer.Length - Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(checked((int)BitOperations.RoundUpToPowerOf2((uint)(Length + count))));
            Written.CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = larger;
        }
        var room = _buffer.AsSpan(Length, count);
        room.Clear();
        Length += count;
        return room;
    }

    public void Byte(int value) => Reserve(1)[0] = checked((byte)value);

    public void UInt32(uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Reserve(4), value);

    public void Int64(long value) => BinaryPrimitives.WriteInt64LittleEndian(Reserve(8), value);

    public void Bytes(ReadOnlySpan<byte> bytes) => bytes.CopyTo(Reserve(bytes.Length));

    public void VarUInt(ulong value)
    {
        Span<byte> bytes = stackalloc byte[10];
        var length = 0;
        while (value >= 0x80)
        {
            bytes[length++] = (byte)(value | 0x80);
            value >>= 7;
        }
        bytes[length++] = (byte)value;
        Bytes(bytes[..length]);
    }

    /// <summary>Signed, zigzag: small numbers of either sign are short.</summary>
    public void VarInt(long value) => VarUInt(ZigZag.Encode(value));

    /// <summary>How many bytes <see cref="VarUInt"/> takes.</summary>
    public static int VarUIntLength(ulong value) => (Bits.Length(value | 1) + 6) / 7;
}
