namespace Foretier.Core.Segments.Integers;

/// <summary>
/// A canonical Huffman code of at most <see cref="LengthMax"/> bits: the lengths alone make it, shorter codes first, equal lengths by index.
/// Codes are stored with their first bit lowest, so that a decoder finds the next one in the low bits of what it loads.
/// </summary>
internal static class PrefixCode
{
    /// <summary>A decoding table of 2^12 entries of two bytes stays in the first-level cache.</summary>
    public const int LengthMax = 12;

    /// <summary>Code lengths for these frequencies (each above 0, at least two, at most 2^12 of them), optimal but for the limit.</summary>
    public static void LengthsOf(ReadOnlySpan<int> frequencies, Span<byte> lengths, int lengthMax = LengthMax)
    {
        var count = frequencies.Length;
        using var rentedOrder = new Rented<ulong>(count);
        using var rentedNodes = new Rented<long>(2 * (2 * count - 1));
        // The two-queue method: leaves ascend as sorted, and inner nodes are made in ascending order of themselves.
        var weights = rentedNodes.Span[..(2 * count - 1)];
        var parents = rentedNodes.Span[(2 * count - 1)..];
        var order = rentedOrder.Span;
        for (var i = 0; i < count; i++)
        {
            order[i] = (ulong)frequencies[i] << 32 | (uint)i;
        }
        order.Sort();
        for (var i = 0; i < count; i++)
        {
            weights[i] = (long)(order[i] >> 32);
        }
        int leaf = 0, inner = count;
        for (var node = count; node < weights.Length; node++)
        {
            var weight = 0L;
            for (var side = 0; side < 2; side++)
            {
                var lighter = inner == node || (leaf < count && weights[leaf] <= weights[inner]) ? leaf++ : inner++;
                weight += weights[lighter];
                parents[lighter] = node;
            }
            weights[node] = weight;
        }
        // From the root down, each weight makes room for its depth.
        weights[^1] = 0;
        for (var node = weights.Length - 2; node >= 0; node--)
        {
            weights[node] = weights[(int)parents[node]] + 1;
            if (node < count)
            {
                lengths[(int)(uint)order[node]] = (byte)Math.Min(weights[node], lengthMax);
            }
        }
        Limit(lengths, order, lengthMax);
    }

    /// <summary>Cut-off lengths claim more room than there is: the rarest that can still grow do, then the rest is given back.</summary>
    private static void Limit(Span<byte> lengths, ReadOnlySpan<ulong> rarestFirst, int lengthMax)
    {
        var room = 1 << lengthMax;
        var used = 0;
        foreach (var length in lengths)
        {
            used += room >> length;
        }
        for (var i = 0; used > room; i = (i + 1) % rarestFirst.Length)
        {
            ref var length = ref lengths[(int)(uint)rarestFirst[i]];
            if (length < lengthMax)
            {
                used -= room >> length;
                length++;
                used += room >> length;
            }
        }
        for (var i = rarestFirst.Length - 1; i >= 0 && used < room; i--)
        {
            ref var length = ref lengths[(int)(uint)rarestFirst[i]];
            while (length > 1 && used + (room >> length) <= room)
            {
                used += room >> length;
                length--;
            }
        }
    }

    /// <summary>The code of each symbol, first bit lowest, and above it, from bit 16 on, its length.</summary>
    public static void EntriesOf(ReadOnlySpan<byte> lengths, Span<uint> entries)
    {
        Span<int> next = stackalloc int[LengthMax + 1];
        FirstCodes(lengths, next);
        for (var symbol = 0; symbol < lengths.Length; symbol++)
        {
            var length = lengths[symbol];
            entries[symbol] = length == 0 ? 0 : Reversed(next[length]++, length) | (uint)length << 16;
        }
    }

    /// <summary>The first code of each length: codes of a length follow on those of the one before.</summary>
    /// <param name="next">By length.</param>
    private static void FirstCodes(ReadOnlySpan<byte> lengths, Span<int> next)
    {
        Span<int> counts = stackalloc int[LengthMax + 1];
        counts.Clear();
        foreach (var length in lengths)
        {
            counts[length]++;
        }
        counts[0] = 0;
        next[0] = 0;
        for (var length = 1; length <= LengthMax; length++)
        {
            next[length] = (next[length - 1] + counts[length - 1]) << 1;
        }
    }

    /// <summary>
    /// For every 2^<paramref name="bits"/> low bits the symbol they begin with and its length: symbol · 64 + length. Length 0: not used.
    /// </summary>
    /// <exception cref="SegmentFormatException">The lengths are not those of a whole code.</exception>
    public static void FillTable(ReadOnlySpan<byte> lengths, ReadOnlySpan<uint> symbols, int bits, Span<uint> table)
    {
        var used = 0;
        foreach (var length in lengths)
        {
            used += length == 0 ? 0 : 1 << (bits - length);
        }
        if (used != 1 << bits)
        {
            throw new SegmentFormatException("code lengths that do not make a whole code");
        }
        Span<int> next = stackalloc int[LengthMax + 1];
        FirstCodes(lengths, next);
        for (var symbol = 0; symbol < lengths.Length; symbol++)
        {
            int length = lengths[symbol];
            if (length == 0)
            {
                continue;
            }
            var entry = (symbols[symbol] << 6) | (uint)length;
            for (var at = (int)Reversed(next[length]++, length); at < table.Length; at += 1 << length)
            {
                table[at] = entry;
            }
        }
    }

    private static uint Reversed(int code, int length)
    {
        var bits = (uint)code;
        bits = (bits & 0x5555) << 1 | (bits >> 1 & 0x5555);
        bits = (bits & 0x3333) << 2 | (bits >> 2 & 0x3333);
        bits = (bits & 0x0F0F) << 4 | (bits >> 4 & 0x0F0F);
        return (bits & 0x00FF) << 8 >> (16 - length) | bits >> 8 >> (16 - length);
    }
}
