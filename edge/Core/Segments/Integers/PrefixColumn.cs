using System.Buffers.Binary;

namespace Foretier.Core.Segments.Integers;

/// <summary>Integers by a <see cref="PrefixCode"/> over the frequent ones; the rest follow behind, packed. Layout in FORMAT.md.</summary>
internal static partial class PrefixColumn
{
    /// <summary>Stands where an escape was read until its integer is filled in; no symbol is that large.</summary>
    public const uint Escaped = 1 << 20;

    /// <summary>From this many on there are four streams, so that a decoder works on four codes at once.</summary>
    private const int FourStreamsFrom = 512;

    // In an entry of the encoder: code | length << 16 | this.
    private const uint IsEscape = 1u << 31;

    /// <param name="reduced">Scratch afterwards.</param>
    /// <param name="tally">The symbols that get codes, and how many escapes there are.</param>
    public static void Write(ByteWriter to, Span<long> reduced, scoped in SymbolTally tally)
    {
        var symbols = tally.Symbols;
        using var rentedLengths = new Rented<byte>(2 * (symbols.Length + 1));
        using var rentedColumn = new Rented<long>(symbols.Length + 1);
        using var rentedFrequencies = new Rented<int>(symbols.Length + 1);
        var lengths = rentedLengths.Span[..(symbols.Length + 1)];
        var column = rentedColumn.Span;
        var frequencies = rentedFrequencies.Span;
        // The escape is the first of the frequencies; where it is never used it has no code.
        frequencies[0] = tally.Escapes;
        tally.Counts.CopyTo(frequencies[1..]);
        if (tally.Escapes > 0)
        {
            PrefixCode.LengthsOf(frequencies, lengths);
        }
        else
        {
            lengths[0] = 0;
            LengthsWithoutEscape(frequencies[1..], lengths[1..], rentedLengths.Span[lengths.Length..^1]);
        }
        using var rentedEntries = new Rented<uint>(SymbolTally.SymbolMax + 1 + symbols.Length + 1);
        // The last is that of all numbers above the symbols.
        var entries = rentedEntries.Span[..(symbols[^1] + 2)];
        var codes = rentedEntries.Span[(SymbolTally.SymbolMax + 1)..];
        PrefixCode.EntriesOf(lengths, codes);
        if (tally.Escapes > 0)
        {
            entries.Fill(codes[0] | IsEscape);
        }
        for (var i = 0; i < symbols.Length; i++)
        {
            column[i] = symbols[i] - (i == 0 ? 0 : symbols[i - 1] + 1);
            entries[symbols[i]] = codes[i + 1];
        }
        to.VarUInt((ulong)symbols.Length);
        IntColumn.WritePacked(to, column[..symbols.Length]);
        for (var i = 0; i < lengths.Length; i++)
        {
            column[i] = lengths[i];
        }
        IntColumn.WritePacked(to, column);
        WriteStreams(to, reduced, entries, tally.Escapes);
    }

    /// <summary>Short enough to be read in pairs, where that makes the codes no longer by more than a hundredth.</summary>
    private static void LengthsWithoutEscape(ReadOnlySpan<int> frequencies, Span<byte> lengths, Span<byte> shorter)
    {
        PrefixCode.LengthsOf(frequencies, lengths);
        if (frequencies.Length > 1 << PairBitsMax || !lengths.ContainsAnyExceptInRange((byte)0, (byte)PairBitsMax))
        {
            return;
        }
        PrefixCode.LengthsOf(frequencies, shorter, PairBitsMax);
        long bestBits = 0, bits = 0;
        for (var i = 0; i < lengths.Length; i++)
        {
            bestBits += (long)frequencies[i] * lengths[i];
            bits += (long)frequencies[i] * shorter[i];
        }
        if (bits * 100 <= bestBits * 101)
        {
            shorter.CopyTo(lengths);
        }
    }

    private static void WriteStreams(ByteWriter to, Span<long> reduced, ReadOnlySpan<uint> entries, int escapes)
    {
        using var rented = new Rented<long>(escapes + 1);
        if (escapes > 0)
        {
            Escape(reduced, entries, rented.Span);
        }
        // Twelve bits a code at most, and room for the last word; the lengths go in front of the streams when they are known.
        using var body = new Rented<byte>(reduced.Length * 3 / 2 + 64);
        var at = 0;
        var streams = StreamsOf(reduced.Length);
        for (var stream = 0; stream < streams; stream++)
        {
            var length = WriteStream(body.Span[at..], reduced[StartOf(stream, streams, reduced.Length)..StartOf(stream + 1, streams, reduced.Length)], entries);
            to.VarUInt((ulong)length);
            at += length;
        }
        to.Bytes(body.Span[..at]);
        if (escapes > 0)
        {
            to.VarUInt((ulong)escapes);
            IntColumn.WritePacked(to, rented.Span[..escapes]);
        }
    }

    /// <summary>Moves what has no code of its own to <paramref name="escaped"/>, which has room for one more.</summary>
    private static void Escape(Span<long> reduced, ReadOnlySpan<uint> entries, Span<long> escaped)
    {
        var count = 0;
        foreach (ref var number in reduced)
        {
            var symbol = SymbolTally.SymbolOf(number, entries.Length - 1);
            // Written always, and kept if it is one: a branch would often go wrong.
            escaped[count] = number;
            count += (int)(entries[symbol] >> 31);
            number = symbol;
        }
    }

    /// <summary>Gives the bytes that it took.</summary>
    private static int WriteStream(Span<byte> to, ReadOnlySpan<long> numbers, ReadOnlySpan<uint> entries)
    {
        ulong pending = 0;
        int used = 0, at = 0;
        for (; numbers.Length >= 4; numbers = numbers[4..])
        {
            // Two and two first: there is less to wait for. Four codes and the seven bits left over are less than a word.
            var (a, b, c, d) = (entries[(int)numbers[0]], entries[(int)numbers[1]], entries[(int)numbers[2]], entries[(int)numbers[3]]);
            var (front, back) = (LengthOf(a) + LengthOf(b), LengthOf(c) + LengthOf(d));
            var bits = CodeOf(a) | CodeOf(b) << LengthOf(a) | (CodeOf(c) | CodeOf(d) << LengthOf(c)) << front;
            pending |= bits << used;
            used += front + back;
            BinaryPrimitives.WriteUInt64LittleEndian(to[at..], pending);
            at += used >> 3;
            pending >>= used & ~7;
            used &= 7;
        }
        foreach (var number in numbers)
        {
            pending |= CodeOf(entries[(int)number]) << used;
            used += LengthOf(entries[(int)number]);
        }
        BinaryPrimitives.WriteUInt64LittleEndian(to[at..], pending);
        return at + ((used + 7) >> 3);
    }

    private static ulong CodeOf(uint entry) => (ushort)entry;

    private static int LengthOf(uint entry) => (int)(entry >> 16) & 15;

    private static int StreamsOf(int count) => count >= FourStreamsFrom ? 4 : 1;

    // The first three of four are equally long, so that they run in step; the last has what is left, which is no more.
    private static int StartOf(int stream, int streams, int count) => stream == streams ? count : stream * ((count + streams - 1) / streams);
}
