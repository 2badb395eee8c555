using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Foretier.Core.Segments.Integers;

internal static partial class PrefixColumn
{
    /// <summary>Up to this many bits a code, a table tells two of them at once and is still filled in no time.</summary>
    private const int PairBitsMax = 5;

    // After a load at least 57 bits are there: four codes of up to twelve, or five pairs of up to ten.
    private const int CodesPerLoad = 4;
    private const int PairsPerLoad = 5;

    [SkipLocalsInit]
    public static void Read(ref ByteReader from, scoped Span<long> integers)
    {
        var count = from.Count(SymbolTally.SymbolMax - 1, "symbols");
        using var rented = new Rented<long>(count + 1);
        using var rentedSymbols = new Rented<uint>(count + 1);
        using var rentedLengths = new Rented<byte>(count + 1);
        var wide = rented.Span;
        var symbols = rentedSymbols.Span;
        var lengths = rentedLengths.Span;
        IntColumn.ReadPacked(ref from, wide[1..]);
        symbols[0] = Escaped;
        var last = -1L;
        for (var i = 1; i <= count; i++)
        {
            last = (ulong)wide[i] < SymbolTally.SymbolMax ? last + wide[i] + 1 : SymbolTally.SymbolMax;
            symbols[i] = last < SymbolTally.SymbolMax ? (uint)last : throw new SegmentFormatException("a symbol out of bounds");
        }
        IntColumn.ReadPacked(ref from, wide);
        var bits = 0;
        for (var i = 0; i <= count; i++)
        {
            if ((ulong)wide[i] > PrefixCode.LengthMax || (wide[i] == 0 && i > 0))
            {
                throw new SegmentFormatException($"a code of {wide[i]} bits");
            }
            lengths[i] = (byte)wide[i];
            bits = Math.Max(bits, lengths[i]);
        }
        Span<uint> table = stackalloc uint[1 << bits];
        PrefixCode.FillTable(lengths, symbols, bits, table);
        var hasEscape = lengths[0] > 0;
        ReadStreams(ref from, table, integers, mayPair: !hasEscape && last < 256 && bits <= PairBitsMax);
        if (hasEscape)
        {
            Fill(ref from, integers);
        }
    }

    private static void ReadStreams(ref ByteReader from, scoped ReadOnlySpan<uint> table, scoped Span<long> integers, bool mayPair)
    {
        if (StreamsOf(integers.Length) == 1)
        {
            ReadStream(from.Bytes(from.Count(from.Left, "bytes of codes")), 0, table, integers);
            return;
        }
        Span<int> sizes = stackalloc int[4];
        foreach (ref var size in sizes)
        {
            size = from.Count(from.Left, "bytes of codes");
        }
        var a = from.Bytes(sizes[0]);
        var b = from.Bytes(sizes[1]);
        var c = from.Bytes(sizes[2]);
        var d = from.Bytes(sizes[3]);
        Span<int> at = stackalloc int[4];
        var quarter = StartOf(1, 4, integers.Length);
        var done = mayPair && integers.Length <= Chunk.SamplesMax
            ? ReadPairs(a, b, c, d, table, integers, quarter, at) : ReadFour(a, b, c, d, table, integers, quarter, at);
        ReadStream(a, at[0], table, integers[done..quarter]);
        ReadStream(b, at[1], table, integers[(quarter + done)..(2 * quarter)]);
        ReadStream(c, at[2], table, integers[(2 * quarter + done)..(3 * quarter)]);
        ReadStream(d, at[3], table, integers[(3 * quarter + done)..]);
    }

    /// <summary>Four streams in step, as long as whole words can be loaded from all; gives how many of each are done and where each stands.</summary>
    private static int ReadFour(
        ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, ReadOnlySpan<byte> c, ReadOnlySpan<byte> d,
        ReadOnlySpan<uint> table, Span<long> integers, int quarter, Span<int> at)
    {
        int bitA = 0, bitB = 0, bitC = 0, bitD = 0, i = 0;
        var mask = (uint)table.Length - 1;
        ref var entries = ref MemoryMarshal.GetReference(table);
        ref var ofA = ref integers[0];
        ref var ofB = ref integers[quarter];
        ref var ofC = ref integers[2 * quarter];
        ref var ofD = ref integers[3 * quarter];
        for (var end = integers.Length - 3 * quarter - CodesPerLoad; i <= end && CanLoad(a, bitA) && CanLoad(b, bitB) && CanLoad(c, bitC) && CanLoad(d, bitD);)
        {
            ulong inA = Load(a, bitA), inB = Load(b, bitB), inC = Load(c, bitC), inD = Load(d, bitD);
            for (var stop = i + CodesPerLoad; i < stop; i++)
            {
                Unsafe.Add(ref ofA, i) = Next(ref inA, ref bitA, mask, ref entries);
                Unsafe.Add(ref ofB, i) = Next(ref inB, ref bitB, mask, ref entries);
                Unsafe.Add(ref ofC, i) = Next(ref inC, ref bitC, mask, ref entries);
                Unsafe.Add(ref ofD, i) = Next(ref inD, ref bitD, mask, ref entries);
            }
        }
        (at[0], at[1], at[2], at[3]) = (bitA, bitB, bitC, bitD);
        return i;
    }

    /// <summary>As <see cref="ReadFour"/>, but two codes a step into bytes, which are widened at the end.</summary>
    [SkipLocalsInit]
    private static int ReadPairs(
        ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, ReadOnlySpan<byte> c, ReadOnlySpan<byte> d,
        ReadOnlySpan<uint> table, Span<long> integers, int quarter, Span<int> at)
    {
        // A table of all that two codes can be: total length | first << 8 | second << 16.
        Span<uint> pairs = stackalloc uint[table.Length * table.Length];
        for (var i = 0; i < pairs.Length; i++)
        {
            var first = table[i & (table.Length - 1)];
            var second = table[(i >> (int)(first & 63)) & (table.Length - 1)];
            pairs[i] = ((first & 63) + (second & 63)) | (first >> 6 << 8) | (second >> 6 << 16);
        }
        Span<byte> bytes = stackalloc byte[Chunk.SamplesMax + 4];
        int bitA = 0, bitB = 0, bitC = 0, bitD = 0, done = 0;
        var mask = (uint)pairs.Length - 1;
        ref var entries = ref MemoryMarshal.GetReference(pairs);
        ref var ofA = ref bytes[0];
        ref var ofB = ref bytes[quarter];
        ref var ofC = ref bytes[2 * quarter];
        ref var ofD = ref bytes[3 * quarter];
        for (var end = integers.Length - 3 * quarter - 2 * PairsPerLoad; done <= end && CanLoad(a, bitA) && CanLoad(b, bitB) && CanLoad(c, bitC) && CanLoad(d, bitD);)
        {
            ulong inA = Load(a, bitA), inB = Load(b, bitB), inC = Load(c, bitC), inD = Load(d, bitD);
            for (var stop = done + 2 * PairsPerLoad; done < stop; done += 2)
            {
                Unsafe.WriteUnaligned(ref Unsafe.Add(ref ofA, done), NextPair(ref inA, ref bitA, mask, ref entries));
                Unsafe.WriteUnaligned(ref Unsafe.Add(ref ofB, done), NextPair(ref inB, ref bitB, mask, ref entries));
                Unsafe.WriteUnaligned(ref Unsafe.Add(ref ofC, done), NextPair(ref inC, ref bitC, mask, ref entries));
                Unsafe.WriteUnaligned(ref Unsafe.Add(ref ofD, done), NextPair(ref inD, ref bitD, mask, ref entries));
            }
        }
        (at[0], at[1], at[2], at[3]) = (bitA, bitB, bitC, bitD);
        for (var stream = 0; stream < 4; stream++)
        {
            Widen(bytes.Slice(stream * quarter, done), integers.Slice(stream * quarter, done));
        }
        return done;
    }

    private static void Widen(ReadOnlySpan<byte> bytes, Span<long> integers)
    {
        var i = 0;
        if (Lanes.IsOn)
        {
            ref var first = ref MemoryMarshal.GetReference(MemoryMarshal.Cast<long, ulong>(integers));
            for (; i + 8 <= bytes.Length; i += 8)
            {
                var shorts = Vector128.WidenLower(Vector128.CreateScalar(BinaryPrimitives.ReadUInt64LittleEndian(bytes[i..])).AsByte());
                var (low, high) = Vector128.Widen(shorts);
                var (a, b) = Vector128.Widen(low);
                var (c, d) = Vector128.Widen(high);
                a.StoreUnsafe(ref first, (nuint)i);
                b.StoreUnsafe(ref first, (nuint)i + 2);
                c.StoreUnsafe(ref first, (nuint)i + 4);
                d.StoreUnsafe(ref first, (nuint)i + 6);
            }
        }
        for (; i < bytes.Length; i++)
        {
            integers[i] = bytes[i];
        }
    }

    private static void ReadStream(ReadOnlySpan<byte> bytes, int bit, ReadOnlySpan<uint> table, scoped Span<long> integers)
    {
        var mask = (uint)table.Length - 1;
        ref var entries = ref MemoryMarshal.GetReference(table);
        var i = 0;
        for (; i + CodesPerLoad <= integers.Length && CanLoad(bytes, bit);)
        {
            var bits = Load(bytes, bit);
            for (var stop = i + CodesPerLoad; i < stop; i++)
            {
                integers[i] = Next(ref bits, ref bit, mask, ref entries);
            }
        }
        // The last few from a copy with room behind it.
        var at = Math.Min(bit >> 3, bytes.Length);
        var left = bytes.Length - at;
        Span<byte> padded = stackalloc byte[24];
        padded.Clear();
        bytes.Slice(at, Math.Min(left, 16)).CopyTo(padded);
        bit -= 8 * at;
        for (; i < integers.Length && bit <= 8 * Math.Min(left, 16); i++)
        {
            var bits = Load(padded, bit);
            integers[i] = Next(ref bits, ref bit, mask, ref entries);
        }
        if (i < integers.Length || (bit + 7) / 8 != left)
        {
            throw new SegmentFormatException("a stream of codes that is longer or shorter than its bytes");
        }
    }

    private static void Fill(ref ByteReader from, scoped Span<long> integers)
    {
        using var rented = new Rented<long>(from.Count(integers.Length, "escapes"));
        IntColumn.ReadPacked(ref from, rented.Span);
        var at = 0;
        foreach (var escape in rented.Span)
        {
            var skip = integers[at..].IndexOf(Escaped);
            if (skip < 0)
            {
                throw new SegmentFormatException("more integers than escapes");
            }
            at += skip;
            integers[at++] = escape;
        }
        if (integers[at..].Contains(Escaped))
        {
            throw new SegmentFormatException("more escapes than integers");
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long Next(ref ulong bits, ref int bit, uint mask, ref uint table)
    {
        var entry = Unsafe.Add(ref table, (uint)bits & mask);
        bits >>= (int)entry;
        bit += (int)entry & 63;
        return entry >> 6;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ushort NextPair(ref ulong bits, ref int bit, uint mask, ref uint pairs)
    {
        var entry = Unsafe.Add(ref pairs, (uint)bits & mask);
        bits >>= (int)entry;
        bit += (byte)entry;
        return (ushort)(entry >> 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool CanLoad(ReadOnlySpan<byte> bytes, int bit) => (bit >> 3) + 8 <= bytes.Length;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Load(ReadOnlySpan<byte> bytes, int bit) =>
        BinaryPrimitives.ReadUInt64LittleEndian(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref MemoryMarshal.GetReference(bytes), bit >> 3), 8)) >> (bit & 7);
}
