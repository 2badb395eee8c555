using System.Buffers.Binary;

namespace Foretier.Core.Segments.Integers;

/// <summary>
/// Numbers of one fixed width, one after the other from the lowest bit up: number i is at bits [i·w, (i+1)·w), so eight of them are w whole bytes.
/// </summary>
internal static class BitPack
{
    public static int BytesOf(int count, int width) => (int)(((long)count * width + 7) / 8);

    /// <summary>Packs the low <paramref name="width"/> bits of each number into zeroed room of <see cref="BytesOf"/> bytes.</summary>
    public static void Pack(ReadOnlySpan<ulong> numbers, int width, Span<byte> into)
    {
        if (width == 0)
        {
            return;
        }
        var mask = ulong.MaxValue >> (64 - width);
        ulong pending = 0;
        int used = 0, at = 0;
        foreach (var number in numbers)
        {
            var bits = number & mask;
            pending |= bits << used;
            used += width;
            if (used >= 64)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(into[at..], pending);
                at += 8;
                used -= 64;
                // What did not fit; a shift by 64 would be a shift by 0.
                pending = used == 0 ? 0 : bits >> (width - used);
            }
        }
        for (; used > 0; used -= 8, pending >>= 8)
        {
            into[at++] = (byte)pending;
        }
    }

    public static void Unpack(ReadOnlySpan<byte> bytes, int width, Span<ulong> numbers)
    {
        if (width == 0)
        {
            numbers.Clear();
            return;
        }
        var mask = ulong.MaxValue >> (64 - width);
        // As long as nine bytes can be loaded a number is a load, a shift and a mask; the last few are read from a padded copy.
        var safe = width > 56 ? 9 : 8;
        var i = 0;
        if (width <= 56)
        {
            var bit = 0;
            for (; i < numbers.Length && (bit >> 3) + safe <= bytes.Length; i++, bit += width)
            {
                numbers[i] = (BinaryPrimitives.ReadUInt64LittleEndian(bytes[(bit >> 3)..]) >> (bit & 7)) & mask;
            }
        }
        else
        {
            for (var bit = 0; i < numbers.Length && (bit >> 3) + safe <= bytes.Length; i++, bit += width)
            {
                numbers[i] = Wide(bytes, bit, mask);
            }
        }
        if (i == numbers.Length)
        {
            return;
        }
        var start = (int)((long)i * width >> 3);
        Span<byte> tail = stackalloc byte[32];
        bytes[start..].CopyTo(tail);
        for (var bit = (int)((long)i * width & 7); i < numbers.Length; i++, bit += width)
        {
            numbers[i] = Wide(tail, bit, mask);
        }
    }

    private static ulong Wide(ReadOnlySpan<byte> bytes, int bit, ulong mask)
    {
        var shift = bit & 7;
        var low = BinaryPrimitives.ReadUInt64LittleEndian(bytes[(bit >> 3)..]) >> shift;
        return (shift == 0 ? low : low | ((ulong)bytes[(bit >> 3) + 8] << (64 - shift))) & mask;
    }
}
