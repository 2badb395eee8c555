using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Foretier.Core.Segments.Integers;

/// <summary>Integers by a <see cref="PrefixCode"/> over the frequent ones; the rest follow behind, packed. Layout in FORMAT.md.</summary>
internal static class PrefixColumn
{
    /// <summary>From this many on there are four streams, so that a decoder works on four codes at once.</summary>
    private const int FourStreamsFrom = 512;

    // Stands where an escape was read until its integer is filled in; the encoder never gives it a code, for it is not below SymbolMax.
    private const long Escaped = long.MinValue;

    public static void Write(ByteWriter to, ReadOnlySpan<long> reduced, PrefixPlan plan)
    {
        var lengths = PrefixCode.LengthsOf(plan.Frequencies);
        var codes = PrefixCode.CodesOf(lengths);
        var gaps = new long[plan.Symbols.Length];
        var index = new ushort[PrefixPlan.SymbolMax];
        for (var i = 0; i < gaps.Length; i++)
        {
            gaps[i] = plan.Symbols[i] - (i == 0 ? 0 : plan.Symbols[i - 1] + 1);
            index[plan.Symbols[i]] = (ushort)(i + 1);
        }
        to.VarUInt((ulong)gaps.Length);
        IntColumn.WritePacked(to, gaps);
        IntColumn.WritePacked(to, Array.ConvertAll(lengths, length => (long)length));
        var escapes = new List<long>();
        var streams = StreamsOf(reduced.Length);
        var body = new ByteWriter(reduced.Length);
        for (var stream = 0; stream < streams; stream++)
        {
            var start = body.Length;
            var bits = new BitWriter(body);
            foreach (var integer in reduced[StartOf(stream, streams, reduced.Length)..StartOf(stream + 1, streams, reduced.Length)])
            {
                var symbol = (ulong)integer < PrefixPlan.SymbolMax ? index[(int)integer] : 0;
                bits.Write(codes[symbol], lengths[symbol]);
                if (symbol == 0)
                {
                    escapes.Add(integer);
                }
            }
            bits.Flush();
            to.VarUInt((ulong)(body.Length - start));
        }
        to.Bytes(body.Written);
        to.VarUInt((ulong)escapes.Count);
        IntColumn.WritePacked(to, CollectionsMarshal.AsSpan(escapes));
    }

    [SkipLocalsInit]
    public static void Read(ref ByteReader from, scoped Span<long> integers)
    {
        var count = from.Count(PrefixPlan.SymbolMax - 1, "symbols");
        Span<long> symbols = count < 256 ? stackalloc long[count + 1] : new long[count + 1];
        Span<long> wide = count < 256 ? stackalloc long[count + 1] : new long[count + 1];
        IntColumn.ReadPacked(ref from, symbols[1..]);
        IntColumn.ReadPacked(ref from, wide);
        Span<byte> lengths = count < 256 ? stackalloc byte[count + 1] : new byte[count + 1];
        symbols[0] = Escaped;
        var (last, bits) = (-1L, 0);
        for (var i = 0; i <= count; i++)
        {
            if ((ulong)wide[i] > PrefixCode.LengthMax || i > 0 && (ulong)symbols[i] >= PrefixPlan.SymbolMax)
            {
                throw new SegmentFormatException("symbols or code lengths out of bounds");
            }
            lengths[i] = (byte)wide[i];
            bits = Math.Max(bits, lengths[i]);
            if (i > 0)
            {
                symbols[i] = last += symbols[i] + 1;
            }
        }
        Span<ushort> table = stackalloc ushort[1 << bits];
        PrefixCode.FillTable(lengths, bits, table);
        ReadStreams(ref from, table, symbols, integers);
        Fill(ref from, integers);
    }

    private static void ReadStreams(ref ByteReader from, scoped ReadOnlySpan<ushort> table, scoped ReadOnlySpan<long> symbols, scoped Span<long> integers)
    {
        if (StreamsOf(integers.Length) == 1)
        {
            ReadStream(from.Bytes(from.Count(from.Left, "bytes of codes")), 0, table, symbols, integers);
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
        int second = StartOf(1, 4, integers.Length), third = StartOf(2, 4, integers.Length), fourth = StartOf(3, 4, integers.Length);
        var ofA = integers[..second];
        var ofB = integers[second..third];
        var ofC = integers[third..fourth];
        var ofD = integers[fourth..];
        int bitA = 0, bitB = 0, bitC = 0, bitD = 0, i = 0;
        var mask = (ulong)table.Length - 1;
        // 57 bits are there after a load at least: four codes of up to twelve.
        for (; i + 4 <= ofD.Length && CanLoad(a, bitA) && CanLoad(b, bitB) && CanLoad(c, bitC) && CanLoad(d, bitD); i += 4)
        {
            ulong inA = Load(a, bitA), inB = Load(b, bitB), inC = Load(c, bitC), inD = Load(d, bitD);
            for (var j = i; j < i + 4; j++)
            {
                ofA[j] = Next(ref inA, ref bitA, mask, table, symbols);
                ofB[j] = Next(ref inB, ref bitB, mask, table, symbols);
                ofC[j] = Next(ref inC, ref bitC, mask, table, symbols);
                ofD[j] = Next(ref inD, ref bitD, mask, table, symbols);
            }
        }
        ReadStream(a, bitA, table, symbols, ofA[i..]);
        ReadStream(b, bitB, table, symbols, ofB[i..]);
        ReadStream(c, bitC, table, symbols, ofC[i..]);
        ReadStream(d, bitD, table, symbols, ofD[i..]);
    }

    private static void ReadStream(ReadOnlySpan<byte> bytes, int bit, ReadOnlySpan<ushort> table, ReadOnlySpan<long> symbols, scoped Span<long> integers)
    {
        var mask = (ulong)table.Length - 1;
        var i = 0;
        for (; i + 4 <= integers.Length && CanLoad(bytes, bit); i += 4)
        {
            var bits = Load(bytes, bit);
            integers[i] = Next(ref bits, ref bit, mask, table, symbols);
            integers[i + 1] = Next(ref bits, ref bit, mask, table, symbols);
            integers[i + 2] = Next(ref bits, ref bit, mask, table, symbols);
            integers[i + 3] = Next(ref bits, ref bit, mask, table, symbols);
        }
        Span<byte> padded = stackalloc byte[8];
        for (; i < integers.Length; i++)
        {
            padded.Clear();
            var at = Math.Min(bit >> 3, bytes.Length);
            bytes[at..Math.Min(at + 8, bytes.Length)].CopyTo(padded);
            var bits = BinaryPrimitives.ReadUInt64LittleEndian(padded) >> (bit & 7);
            integers[i] = Next(ref bits, ref bit, mask, table, symbols);
        }
        if ((bit + 7) / 8 != bytes.Length)
        {
            throw new SegmentFormatException("a stream of codes that is longer or shorter than its bytes");
        }
    }

    private static void Fill(ref ByteReader from, scoped Span<long> integers)
    {
        var escapes = new long[from.Count(integers.Length, "escapes")];
        IntColumn.ReadPacked(ref from, escapes);
        var at = 0;
        foreach (var escape in escapes)
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
    private static long Next(ref ulong bits, ref int bit, ulong mask, ReadOnlySpan<ushort> table, ReadOnlySpan<long> symbols)
    {
        var entry = (uint)table[(int)(bits & mask)];
        var length = (int)(entry & 15);
        bits >>= length;
        bit += length;
        return symbols[(int)(entry >> 4)];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool CanLoad(ReadOnlySpan<byte> bytes, int bit) => (bit >> 3) + 8 <= bytes.Length;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Load(ReadOnlySpan<byte> bytes, int bit) => BinaryPrimitives.ReadUInt64LittleEndian(bytes[(bit >> 3)..]) >> (bit & 7);

    private static int StreamsOf(int count) => count >= FourStreamsFrom ? 4 : 1;

    // The first three of four are equally long, so that they run in step; the last has what is left, which is no more.
    private static int StartOf(int stream, int streams, int count) => stream == streams ? count : stream * ((count + streams - 1) / streams);
}
