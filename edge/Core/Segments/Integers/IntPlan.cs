namespace Foretier.Core.Segments.Integers;

/// <summary>How a column of integers (or of their differences) will be packed, and an estimate of what that takes.</summary>
internal readonly record struct IntPlan(int Order, long Base, long Divisor, int Width, int Exceptions, double Bits, int HeadBits)
{
    public bool IsConstant => Width == 0 && Exceptions == 0;

    /// <summary>The number that is packed in place of <paramref name="value"/>; bits above the width go to the exceptions.</summary>
    public long Reduce(long value) => Divisor > 1 ? (value - Base) / Divisor : value - Base;

    public bool Fits(long reduced) => Width == 64 || (ulong)reduced >> Width == 0;

    /// <param name="headBits">What the seeds of this order take beside the packing.</param>
    /// <param name="other">From a higher base, if it is not the same: for codes, whose symbols must be near the base.</param>
    public static IntPlan For(ReadOnlySpan<long> values, int order, int headBits, out IntPlan other)
    {
        var (min, max) = Running.Extremes(values);
        if (min == max)
        {
            return other = new(order, min, 1, 0, 0, headBits + VarIntBits(min), headBits + VarIntBits(min));
        }
        // A range that overflows is packed by wrapping arithmetic, where no divisor is right.
        var wraps = max - min < 0;
        var divisor = wraps ? 1 : SharedDivisor(values, min);
        var plan = other = With(values, order, min, divisor, headBits);
        // The smallest is the best base unless it is an outlier (a gap, a glitch), which would widen every other number:
        // a low quantile of a spread sample is tried too, and what lies under it becomes an exception.
        var low = LowOf(values);
        if (low != min && !wraps)
        {
            other = With(values, order, low, divisor, headBits);
            plan = other.Bits < plan.Bits ? other : plan;
        }
        return plan;
    }

    private static long LowOf(ReadOnlySpan<long> values)
    {
        Span<long> sample = stackalloc long[64];
        sample = sample[..Math.Min(values.Length, sample.Length)];
        for (var i = 0; i < sample.Length; i++)
        {
            sample[i] = values[(int)((long)i * values.Length / sample.Length)];
        }
        sample.Sort();
        return sample[sample.Length / 32];
    }

    private static long SharedDivisor(ReadOnlySpan<long> values, long min)
    {
        long divisor = 0;
        foreach (var value in values)
        {
            var rest = value - min;
            if (rest == 0 || (divisor != 0 && rest % divisor == 0))
            {
                continue;
            }
            while (rest != 0)
            {
                (divisor, rest) = (rest, divisor % rest);
            }
            if (divisor == 1)
            {
                break;
            }
        }
        return Math.Max(divisor, 1);
    }

    private static IntPlan With(ReadOnlySpan<long> values, int order, long low, long divisor, int headBits)
    {
        // How many numbers need just so many bits; those under the base need all 64 in the packing, but are short as exceptions.
        Span<int> lengths = stackalloc int[65];
        Span<int> under = stackalloc int[65];
        lengths.Clear();
        under.Clear();
        foreach (var value in values)
        {
            var reduced = divisor > 1 ? (value - low) / divisor : value - low;
            if (value >= low)
            {
                lengths[Segments.Bits.Length((ulong)reduced)]++;
            }
            else
            {
                under[Segments.Bits.Length((ulong)-reduced)]++;
            }
        }
        var widest = Math.Max(lengths.LastIndexOfAnyExcept(0), under.LastIndexOfAnyExcept(0));
        headBits += VarIntBits(low) + (divisor > 1 ? 8 * ByteWriter.VarUIntLength((ulong)divisor) : 0);
        var best = new IntPlan(order, low, divisor, 64, 0, headBits + 64.0 * values.Length, headBits);
        for (var width = Math.Min(widest, 63); width >= 0; width--)
        {
            var exceptions = 0;
            var bits = headBits + (double)width * values.Length;
            for (var length = 0; length <= widest; length++)
            {
                var count = under[length] + (length > width ? lengths[length] : 0);
                exceptions += count;
                bits += count * ExceptionBits(Math.Max(0, length - width));
            }
            bits += exceptions > 0 ? 8 : 0;
            if (bits < best.Bits)
            {
                best = new(order, low, divisor, width, exceptions, bits, headBits);
            }
        }
        return best;
    }

    // One byte to say where, and a varint with a sign for the bits that did not fit.
    private static double ExceptionBits(int high) => 8 + 8 * ((high + 1 + 6) / 7);

    private static int VarIntBits(long value) => 8 * ByteWriter.VarUIntLength(ZigZag.Encode(value));
}
