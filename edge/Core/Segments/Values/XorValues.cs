using System.Buffers.Binary;
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

    /// <summary>What a value takes about, by a spread sample of neighbours.</summary>
    public static double BitsOf(ReadOnlySpan<double> values)
    {
        var bits = ValueColumn.BitsOf(values);
        var sampled = Math.Min(bits.Length - 1, 256);
        double sum = 0;
        for (var i = 0; i < sampled; i++)
        {
            var at = (int)((long)i * (bits.Length - 1) / sampled);
            var xor = (ulong)(bits[at + 1] ^ bits[at]);
            // Two bits that say how, and a few for windows that fit badly or are named anew.
            sum += xor == 0 ? 1 : 2 + 4 + 64 - Math.Min(BitOperations.LeadingZeroCount(xor), LeadingMax) - BitOperations.TrailingZeroCount(xor);
        }
        return sum / Math.Max(1, sampled);
    }

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
        var bytes = start.Bytes(start.Left);
        int length = 0, trailing = 0, bit = 0, i = 1;
        // As long as a control, a window and a number can be loaded without a look at the end.
        for (; i < values.Length && (bit >> 3) + 24 <= bytes.Length; i++)
        {
            var bits = BinaryPrimitives.ReadUInt64LittleEndian(bytes[(bit >> 3)..]) >> (bit & 7);
            if ((bits & 1) == 0)
            {
                bit++;
                values[i] = BitConverter.UInt64BitsToDouble(last);
                continue;
            }
            if ((bits & 2) != 0)
            {
                length = (int)(bits >> 7 & 63) + 1;
                trailing = Trailing((int)(bits >> 2 & 31), length);
                bit += 11;
            }
            bit += 2;
            var at = bytes.Slice(bit >> 3, 9);
            // In two steps: a shift by 64 would be a shift by 0.
            var number = BinaryPrimitives.ReadUInt64LittleEndian(at) >> (bit & 7) | (ulong)at[8] << 1 << (63 - (bit & 7));
            last ^= (number & Mask(length)) << trailing;
            bit += length;
            values[i] = BitConverter.UInt64BitsToDouble(last);
        }
        ReadRest(ref from, bytes, bit, last, length, trailing, values[i..]);
    }

    private static void ReadRest(ref ByteReader from, ReadOnlySpan<byte> bytes, int bit, ulong last, int length, int trailing, Span<double> values)
    {
        var stream = new BitReader(bytes[(bit >> 3)..]);
        stream.Read(bit & 7);
        foreach (ref var value in values)
        {
            if (stream.Read(1) != 0)
            {
                if (stream.Read(1) != 0)
                {
                    var leading = (int)stream.Read(5);
                    length = (int)stream.Read(6) + 1;
                    trailing = Trailing(leading, length);
                }
                Mask(length);
                last ^= stream.Read(length) << trailing;
            }
            value = BitConverter.UInt64BitsToDouble(last);
        }
        from.Bytes((bit >> 3) + stream.BytesRead);
    }

    private static int Trailing(int leading, int length) =>
        leading + length <= 64 ? 64 - leading - length : throw new SegmentFormatException("an XOR window wider than a number");

    private static ulong Mask(int length) =>
        length > 0 ? ulong.MaxValue >> (64 - length) : throw new SegmentFormatException("an XOR window that was never named");
}
