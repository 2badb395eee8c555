using System.Numerics;

namespace Foretier.Core.Segments.Values;

/// <summary>
/// Each value XORed with the one before it, as in Facebook's Gorilla (VLDB 2015): equal ones take a bit, and neighbours share their sign,
/// exponent and often their low bits, so that only the part between is written. For fractions that are no decimals.
/// </summary>
internal static class XorValues
{
    // Leading zeros have five bits: more than 31 are treated as 31.
    private const int LeadingMax = 31;

    public static void Write(ByteWriter to, ReadOnlySpan<double> values)
    {
        var bits = ValueColumn.BitsOf(values);
        to.Int64(bits[0]);
        var stream = new BitWriter(to);
        int leading = -1, trailing = 0;
        for (var i = 1; i < bits.Length; i++)
        {
            var xor = (ulong)(bits[i] ^ bits[i - 1]);
            if (xor == 0)
            {
                stream.Write(0, 1);
                continue;
            }
            var leads = Math.Min(BitOperations.LeadingZeroCount(xor), LeadingMax);
            var trails = BitOperations.TrailingZeroCount(xor);
            // The window of the value before serves again unless a new one saves more than the 11 bits that it costs to name.
            if (leading >= 0 && leads >= leading && trails >= trailing && leads + trails - leading - trailing <= 11)
            {
                stream.Write(0b01, 2);
            }
            else
            {
                (leading, trailing) = (leads, trails);
                stream.Write(0b11, 2);
                stream.Write((ulong)leading, 5);
                stream.Write((ulong)(64 - leading - trailing - 1), 6);
            }
            stream.Write(xor >> trailing, 64 - leading - trailing);
        }
        stream.Flush();
    }

    public static void Read(ref ByteReader from, Span<double> values)
    {
        var last = (ulong)from.Int64();
        values[0] = BitConverter.UInt64BitsToDouble(last);
        var start = from;
        var stream = new BitReader(start.Bytes(start.Left));
        int length = 0, trailing = 0;
        for (var i = 1; i < values.Length; i++)
        {
            if (stream.Read(1) != 0)
            {
                if (stream.Read(1) != 0)
                {
                    var leading = (int)stream.Read(5);
                    length = (int)stream.Read(6) + 1;
                    trailing = 64 - leading - length;
                    if (trailing < 0)
                    {
                        throw new SegmentFormatException("an XOR window wider than a number");
                    }
                }
                if (length == 0)
                {
                    throw new SegmentFormatException("an XOR window that was never named");
                }
                last ^= stream.Read(length) << trailing;
            }
            values[i] = BitConverter.UInt64BitsToDouble(last);
        }
        from.Bytes(stream.BytesRead);
    }
}
