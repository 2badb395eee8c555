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
    public static byte[] LengthsOf(ReadOnlySpan<int> frequencies, int lengthMax = LengthMax)
    {
        var count = frequencies.Length;
        var order = new int[count];
        var keys = frequencies.ToArray();
        for (var i = 0; i < count; i++)
        {
            order[i] = i;
        }
        Array.Sort(keys, order);
        // The two-queue method: leaves ascend as sorted, and inner nodes are made in ascending order of themselves.
        var weights = new long[2 * count - 1];
        var parents = new int[2 * count - 1];
        for (var i = 0; i < count; i++)
        {
            weights[i] = keys[i];
        }
        int leaf = 0, inner = count;
        for (var node = count; node < weights.Length; node++)
        {
            for (var side = 0; side < 2; side++)
            {
                var lighter = inner == node || (leaf < count && weights[leaf] <= weights[inner]) ? leaf++ : inner++;
                weights[node] += weights[lighter];
                parents[lighter] = node;
            }
        }
        var depths = new int[weights.Length];
        var lengths = new byte[count];
        for (var node = weights.Length - 2; node >= 0; node--)
        {
            depths[node] = depths[parents[node]] + 1;
            if (node < count)
            {
                lengths[order[node]] = (byte)Math.Min(depths[node], lengthMax);
            }
        }
        Limit(lengths, order, lengthMax);
        return lengths;
    }

    /// <summary>Cut-off lengths claim more room than there is: the rarest that can still grow do, then the rest is given back.</summary>
    private static void Limit(byte[] lengths, int[] rarestFirst, int lengthMax)
    {
        var room = 1 << lengthMax;
        var used = 0;
        foreach (var length in lengths)
        {
            used += room >> length;
        }
        for (var i = 0; used > room; i = (i + 1) % rarestFirst.Length)
        {
            ref var length = ref lengths[rarestFirst[i]];
            if (length < lengthMax)
            {
                used -= room >> length;
                length++;
                used += room >> length;
            }
        }
        for (var i = rarestFirst.Length - 1; i >= 0 && used < room; i--)
        {
            ref var length = ref lengths[rarestFirst[i]];
            while (length > 1 && used + (room >> length) <= room)
            {
                used += room >> length;
                length--;
            }
        }
    }

    /// <summary>The code of each symbol, first bit lowest.</summary>
    public static ushort[] CodesOf(ReadOnlySpan<byte> lengths)
    {
        var codes = new ushort[lengths.Length];
        var code = 0;
        for (var length = 1; length <= LengthMax; length++, code <<= 1)
        {
            for (var symbol = 0; symbol < lengths.Length; symbol++)
            {
                if (lengths[symbol] == length)
                {
                    codes[symbol] = Reversed(code++, length);
                }
            }
        }
        return codes;
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
        var code = 0;
        for (var length = 1; length <= bits; length++, code <<= 1)
        {
            for (var symbol = 0; symbol < lengths.Length; symbol++)
            {
                if (lengths[symbol] != length)
                {
                    continue;
                }
                var entry = (symbols[symbol] << 6) | (uint)length;
                for (var at = (int)Reversed(code, length); at < table.Length; at += 1 << length)
                {
                    table[at] = entry;
                }
                code++;
            }
        }
    }

    private static ushort Reversed(int code, int length)
    {
        var reversed = 0;
        for (var bit = 0; bit < length; bit++)
        {
            reversed = (reversed << 1) | ((code >> bit) & 1);
        }
        return (ushort)reversed;
    }
}
