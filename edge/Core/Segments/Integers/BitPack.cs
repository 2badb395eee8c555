using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Foretier.Core.Segments.Integers;

/// <summary>
/// Numbers of one fixed width. Whole blocks of 256 lie in four lanes of 64-bit words (as in FastLanes, VLDB 2023): number i of a block is the
/// (i / 4)-th of lane i mod 4, so that one load, shift and mask gives four in a row. What is left follows one after the other:
/// number i at bits [i·w, (i+1)·w).
/// </summary>
internal static class BitPack
{
    public const int Block = 256;
    private const int Rows = Block / Lanes.Count;

    public static int BytesOf(int count, int width) => (int)(((long)count * width + 7) / 8);

    /// <summary>Packs the low <paramref name="width"/> bits of each number into room of <see cref="BytesOf"/> bytes.</summary>
    public static void Pack(ReadOnlySpan<ulong> numbers, int width, Span<byte> into)
    {
        if (width == 0)
        {
            return;
        }
        for (; numbers.Length >= Block; numbers = numbers[Block..], into = into[(Block / 8 * width)..])
        {
            if (Lanes.IsOn)
            {
                PackBlock(numbers[..Block], width, into);
                continue;
            }
            for (var lane = 0; lane < Lanes.Count; lane++)
            {
                PackRow(numbers[lane..Block], Lanes.Count, width, into[(8 * lane)..], 8 * Lanes.Count);
            }
        }
        PackRow(numbers, 1, width, into, 8);
    }

    public static void Unpack(ReadOnlySpan<byte> bytes, int width, Span<ulong> numbers)
    {
        if (width == 0)
        {
            numbers.Clear();
            return;
        }
        for (; numbers.Length >= Block; numbers = numbers[Block..], bytes = bytes[(Block / 8 * width)..])
        {
            if (Lanes.IsOn)
            {
                UnpackBlock(bytes[..(Block / 8 * width)], width, numbers);
            }
            else
            {
                UnpackLanes(bytes[..(Block / 8 * width)], width, numbers);
            }
        }
        UnpackRest(bytes, width, numbers);
    }

    private static void PackBlock(ReadOnlySpan<ulong> numbers, int width, Span<byte> into)
    {
        ref var from = ref MemoryMarshal.GetReference(numbers);
        ref var to = ref Unsafe.As<byte, ulong>(ref MemoryMarshal.GetReference(into[..(Block / 8 * width)]));
        var mask = Vector256.Create(ulong.MaxValue >> (64 - width));
        var pending = Vector256<ulong>.Zero;
        var used = 0;
        for (var row = 0; row < Rows; row++)
        {
            var bits = Vector256.LoadUnsafe(ref from, (nuint)(row * Lanes.Count)) & mask;
            pending |= bits << used;
            used += width;
            if (used >= 64)
            {
                pending.StoreUnsafe(ref to);
                to = ref Unsafe.Add(ref to, Lanes.Count);
                used -= 64;
                pending = used == 0 ? Vector256<ulong>.Zero : bits >> (width - used);
            }
        }
    }

    private static void UnpackBlock(ReadOnlySpan<byte> bytes, int width, Span<ulong> numbers)
    {
        ref var from = ref Unsafe.As<byte, ulong>(ref MemoryMarshal.GetReference(bytes));
        ref var to = ref MemoryMarshal.GetReference(numbers[..Block]);
        var mask = Vector256.Create(ulong.MaxValue >> (64 - width));
        var word = Vector256.LoadUnsafe(ref from);
        var used = 0;
        for (var row = 0; row < Rows - 1; row++)
        {
            var bits = word >> used;
            used += width;
            if (used >= 64)
            {
                from = ref Unsafe.Add(ref from, Lanes.Count);
                word = Vector256.LoadUnsafe(ref from);
                used -= 64;
                bits |= used == 0 ? Vector256<ulong>.Zero : word << (width - used);
            }
            (bits & mask).StoreUnsafe(ref to, (nuint)(row * Lanes.Count));
        }
        // The last row ends with its word: there is none to load after it.
        ((word >> used) & mask).StoreUnsafe(ref to, (Rows - 1) * Lanes.Count);
    }

    private static void PackRow(ReadOnlySpan<ulong> numbers, int every, int width, Span<byte> into, int stride)
    {
        var mask = ulong.MaxValue >> (64 - width);
        ulong pending = 0;
        int used = 0, at = 0;
        for (var i = 0; i < numbers.Length; i += every)
        {
            var bits = numbers[i] & mask;
            pending |= bits << used;
            used += width;
            if (used >= 64)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(into[at..], pending);
                at += stride;
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

    private static void UnpackLanes(ReadOnlySpan<byte> bytes, int width, Span<ulong> numbers)
    {
        var mask = ulong.MaxValue >> (64 - width);
        for (var i = 0; i < Block; i++)
        {
            var bit = i / Lanes.Count * width;
            var at = (bit / 64 * Lanes.Count + i % Lanes.Count) * 8;
            var bits = BinaryPrimitives.ReadUInt64LittleEndian(bytes[at..]) >> (bit % 64);
            if (bit % 64 + width > 64)
            {
                bits |= BinaryPrimitives.ReadUInt64LittleEndian(bytes[(at + 8 * Lanes.Count)..]) << (64 - bit % 64);
            }
            numbers[i] = bits & mask;
        }
    }

    private static void UnpackRest(ReadOnlySpan<byte> bytes, int width, Span<ulong> numbers)
    {
        var mask = ulong.MaxValue >> (64 - width);
        var i = 0;
        if (width <= 56)
        {
            // Eight bytes have all of a number, wherever in the first of them it begins.
            ref var from = ref MemoryMarshal.GetReference(bytes);
            for (var bit = 0; i < numbers.Length && (bit >> 3) + sizeof(ulong) <= bytes.Length; i++, bit += width)
            {
                numbers[i] = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref from, bit >> 3)) >> (bit & 7) & mask;
            }
        }
        // As long as nine bytes can be loaded a number is a load, a shift and a mask; the last few are read from a padded copy.
        for (var bit = i * width; i < numbers.Length && (bit >> 3) + 9 <= bytes.Length; i++, bit += width)
        {
            numbers[i] = Wide(bytes, bit, mask);
        }
        if (i == numbers.Length)
        {
            return;
        }
        Span<byte> tail = stackalloc byte[32];
        bytes[(i * width >> 3)..].CopyTo(tail);
        for (var bit = i * width & 7; i < numbers.Length; i++, bit += width)
        {
            numbers[i] = Wide(tail, bit, mask);
        }
    }

    private static ulong Wide(ReadOnlySpan<byte> bytes, int bit, ulong mask)
    {
        var shift = bit & 7;
        var low = BinaryPrimitives.ReadUInt64LittleEndian(bytes[(bit >> 3)..]) >> shift;
        // In two steps: a shift by 64 would be a shift by 0.
        return (low | ((ulong)bytes[(bit >> 3) + 8] << 1 << (63 - shift))) & mask;
    }
}
