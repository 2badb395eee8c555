using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Foretier.Core.Segments.Integers;

namespace Foretier.Core.Segments.Values;

/// <summary>
/// Fractions that are no decimals: the bits of each double cut in two (ALP-RD, SIGMOD 2024). The left ones, sign, exponent and a little more,
/// are among few in a column and stand in a dictionary; the right ones are as good as noise and are packed as they are.
/// </summary>
internal static class SplitValues
{
    /// <summary>Left parts in the dictionary; any other is an exception.</summary>
    private const int LeftsMax = 8;

    /// <summary>A left part is at most so wide.</summary>
    private const int LeftBitsMax = 16;

    /// <summary>What a value takes about.</summary>
    public static double BitsOf(ReadOnlySpan<double> values) =>
        Cut(MemoryMarshal.Cast<double, ulong>(values), stackalloc ushort[LeftsMax]).BitsEach;

    public static void Write(ByteWriter to, ReadOnlySpan<double> values)
    {
        var bits = MemoryMarshal.Cast<double, ulong>(values);
        Span<ushort> lefts = stackalloc ushort[LeftsMax];
        var (right, count, _) = Cut(bits, lefts);
        lefts = lefts[..count];
        var indexBits = BitOperations.Log2((uint)count * 2 - 1);
        using var rented = new Rented<ulong>(bits.Length);
        using var rentedExceptions = new Rented<int>(bits.Length);
        var indexes = rented.Span;
        var exceptions = 0;
        for (var i = 0; i < bits.Length; i++)
        {
            var index = lefts.IndexOf((ushort)(bits[i] >> right));
            indexes[i] = (ulong)Math.Max(index, 0);
            if (index < 0)
            {
                rentedExceptions.Span[exceptions++] = i;
            }
        }
        to.Byte(right);
        to.Byte(count);
        foreach (var left in lefts)
        {
            to.VarUInt(left);
        }
        BitPack.Pack(indexes, indexBits, to.Reserve(BitPack.BytesOf(bits.Length, indexBits)));
        BitPack.Pack(bits, right, to.Reserve(BitPack.BytesOf(bits.Length, right)));
        Exceptions.Write(to, values, rentedExceptions.Span[..exceptions]);
    }

    public static void Read(ref ByteReader from, Span<double> values)
    {
        var right = from.Byte();
        var count = from.Count(LeftsMax, "left parts");
        if (right is < 64 - LeftBitsMax or > 63 || count == 0)
        {
            throw new SegmentFormatException($"doubles cut at bit {right} with {count} left parts");
        }
        Span<ulong> lefts = stackalloc ulong[LeftsMax];
        lefts.Clear();
        for (var i = 0; i < count; i++)
        {
            lefts[i] = (ulong)from.Count((1 << (64 - right)) - 1, "as a left part") << right;
        }
        var indexBits = BitOperations.Log2((uint)count * 2 - 1);
        using var rented = new Rented<ulong>(values.Length);
        BitPack.Unpack(from.Bytes(BitPack.BytesOf(values.Length, indexBits)), indexBits, rented.Span);
        var bits = MemoryMarshal.Cast<double, ulong>(values);
        BitPack.Unpack(from.Bytes(BitPack.BytesOf(values.Length, right)), right, bits);
        Join(rented.Span, lefts, bits);
        Exceptions.Read(ref from, values);
    }

    // An index has at most three bits, and the dictionary is filled up with zeros.
    private static void Join(ReadOnlySpan<ulong> indexes, ReadOnlySpan<ulong> lefts, Span<ulong> bits)
    {
        var i = 0;
        if (Vector512.IsHardwareAccelerated && Lanes.IsOn)
        {
            ref var first = ref MemoryMarshal.GetReference(bits);
            ref var from = ref MemoryMarshal.GetReference(indexes);
            var all = Vector512.Create(lefts);
            for (; i + 8 <= bits.Length; i += 8)
            {
                (Vector512.LoadUnsafe(ref first, (nuint)i) | Vector512.Shuffle(all, Vector512.LoadUnsafe(ref from, (nuint)i))).StoreUnsafe(ref first, (nuint)i);
            }
        }
        for (; i < bits.Length; i++)
        {
            bits[i] |= lefts[(int)indexes[i] & (LeftsMax - 1)];
        }
    }

    /// <summary>Where to cut, and the commonest left parts there: what packs a spread sample best.</summary>
    private static (int Right, int Count, double BitsEach) Cut(ReadOnlySpan<ulong> bits, Span<ushort> lefts)
    {
        Span<ushort> sample = stackalloc ushort[Math.Min(bits.Length, 256)];
        for (var i = 0; i < sample.Length; i++)
        {
            sample[i] = (ushort)(bits[(int)((long)i * bits.Length / sample.Length)] >> (64 - LeftBitsMax));
        }
        // Sorted once: equal left parts lie side by side wherever they are cut.
        sample.Sort();
        Span<(int Times, int Left)> top = stackalloc (int, int)[LeftsMax];
        var (bestBits, bestRight, bestCount) = (double.MaxValue, 63, 1);
        for (var right = 63; right >= 64 - LeftBitsMax; right--)
        {
            var distinct = 0;
            for (int i = 0, end; i < sample.Length; i = end)
            {
                var left = sample[i] >> (right - (64 - LeftBitsMax));
                for (end = i + 1; end < sample.Length && sample[end] >> (right - (64 - LeftBitsMax)) == left; end++)
                {
                }
                // The most frequent first, of equals the lower.
                var place = distinct;
                while (place > 0 && top[place - 1].Times < end - i)
                {
                    place--;
                }
                if (place < LeftsMax)
                {
                    distinct = Math.Min(distinct + 1, LeftsMax);
                    top[place..(distinct - 1)].CopyTo(top[(place + 1)..]);
                    top[place] = (end - i, left);
                }
            }
            var held = 0;
            for (var count = 1; count <= distinct; count++)
            {
                held += top[count - 1].Times;
                var estimate = right + BitOperations.Log2((uint)count * 2 - 1) + Exceptions.BitsMin * (double)(sample.Length - held) / sample.Length;
                if (estimate < bestBits)
                {
                    (bestBits, bestRight, bestCount) = (estimate, right, count);
                    for (var i = 0; i < count; i++)
                    {
                        lefts[i] = (ushort)top[i].Left;
                    }
                }
            }
        }
        return (bestRight, bestCount, bestBits);
    }
}
