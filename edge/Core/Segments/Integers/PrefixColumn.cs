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

    /// <param name="tally">The symbols that get codes, and how many escapes there are.</param>
    public static void Write(ByteWriter to, ReadOnlySpan<long> reduced, scoped in SymbolTally tally)
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
        using var rentedEntries = new Rented<uint>(SymbolTally.SymbolMax + symbols.Length + 1);
        var entries = rentedEntries.Span[..(symbols[^1] + 1)];
        var codes = rentedEntries.Span[SymbolTally.SymbolMax..];
        PrefixCode.EntriesOf(lengths, codes);
        var escape = codes[0] | IsEscape;
        if (tally.Escapes > 0)
        {
            entries.Fill(escape);
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
        WriteStreams(to, reduced, entries, escape, tally.Escapes);
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

    private static void WriteStreams(ByteWriter to, ReadOnlySpan<long> reduced, ReadOnlySpan<uint> entries, uint escape, int escapes)
    {
        using var rented = new Rented<long>(escapes);
        var escaped = 0;
        // Twelve bits a code at most, and room for the last word; the lengths go in front of the streams when they are known.
        using var body = new Rented<byte>(reduced.Length * 3 / 2 + 64);
        var streams = StreamsOf(reduced.Length);
        var at = 0;
        for (var stream = 0; stream < streams; stream++)
        {
            var start = at;
            ulong pending = 0;
            var used = 0;
            foreach (var integer in reduced[StartOf(stream, streams, reduced.Length)..StartOf(stream + 1, streams, reduced.Length)])
            {
                var entry = (ulong)integer < (ulong)entries.Length ? entries[(int)integer] : escape;
                if ((entry & IsEscape) != 0)
                {
                    rented.Span[escaped++] = integer;
                }
                pending |= (ulong)(ushort)entry << used;
                used += (int)(entry >> 16) & 15;
                if (used >= 48)
                {
                    BinaryPrimitives.WriteUInt64LittleEndian(body.Span[at..], pending);
                    at += 6;
                    pending >>= 48;
                    used -= 48;
                }
            }
            for (; used > 0; used -= 8, pending >>= 8)
            {
                body.Span[at++] = (byte)pending;
            }
            to.VarUInt((ulong)(at - start));
        }
        to.Bytes(body.Span[..at]);
        if (escapes > 0)
        {
            to.VarUInt((ulong)escaped);
            IntColumn.WritePacked(to, rented.Span[..escaped]);
        }
    }

    private static int StreamsOf(int count) => count >= FourStreamsFrom ? 4 : 1;

    // The first three of four are equally long, so that they run in step; the last has what is left, which is no more.
    private static int StartOf(int stream, int streams, int count) => stream == streams ? count : stream * ((count + streams - 1) / streams);
}
