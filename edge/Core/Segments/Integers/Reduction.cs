using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Foretier.Core.Segments.Integers;

/// <summary>Integers less their smallest, divided by what they share.</summary>
internal static class Reduction
{
    /// <summary>Within it a double holds every integer and every product, with room for an inverse that is not exact.</summary>
    private const long RangeMax = 1L << 48;

    /// <summary>2^52: added to an integer below it by an OR of its bits.</summary>
    private const long Magic = 0x4330000000000000;
    private const double MagicValue = 1L << 52;

    /// <summary>Most columns show within so many that they share none.</summary>
    private const int FirstLook = 16;

    /// <summary>The largest number that all distances from the smallest are multiples of.</summary>
    public static long SharedDivisor(ReadOnlySpan<long> values, long min, long max)
    {
        var isNarrow = max - min is >= 0 and < RangeMax && Lanes.IsOn;
        long divisor = 0;
        for (var i = 0; i < values.Length; i++)
        {
            if (i >= FirstLook && divisor > 0 && isNarrow)
            {
                i += Divides(values[i..], min, divisor);
                if (i == values.Length)
                {
                    break;
                }
            }
            var rest = values[i] - min;
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

    /// <summary>body = (value - min) / divisor, without a rest.</summary>
    public static void Reduce(ReadOnlySpan<long> values, long min, long max, long divisor, Span<long> body)
    {
        ref var source = ref MemoryMarshal.GetReference(values);
        ref var first = ref MemoryMarshal.GetReference(body[..values.Length]);
        var i = 0;
        if (Lanes.IsOn && (divisor == 1 || max - min < RangeMax))
        {
            var lowest = Vector256.Create(min);
            var by = Vector256.Create((double)divisor);
            for (; i + Lanes.Count <= values.Length; i += Lanes.Count)
            {
                var x = Vector256.LoadUnsafe(ref source, (nuint)i) - lowest;
                (divisor == 1 ? x : ToLong(ToDouble(x) / by)).StoreUnsafe(ref first, (nuint)i);
            }
        }
        for (; i < values.Length; i++)
        {
            body[i] = divisor == 1 ? values[i] - min : (values[i] - min) / divisor;
        }
    }

    public static void Reduce(ReadOnlySpan<long> values, long min, long divisor, Span<long> body) =>
        Reduce(values, min, divisor == 1 ? min : Running.Extremes(values).Max, divisor, body);

    /// <summary>How many values from the start on are multiples, counted from the smallest.</summary>
    public static int Multiples(ReadOnlySpan<long> values, long min, long max, long divisor)
    {
        var i = max - min is >= 0 and < RangeMax && Lanes.IsOn ? Divides(values, min, divisor) : 0;
        while (i < values.Length && (values[i] - min) % divisor == 0)
        {
            i++;
        }
        return i;
    }

    /// <summary>As many of them as go by whole groups.</summary>
    private static int Divides(ReadOnlySpan<long> values, long min, long divisor)
    {
        ref var source = ref MemoryMarshal.GetReference(values);
        var (lowest, by, inverse) = (Vector256.Create(min), Vector256.Create((double)divisor), Vector256.Create(1.0 / divisor));
        var i = 0;
        for (; i + Lanes.Count <= values.Length; i += Lanes.Count)
        {
            var x = ToDouble(Vector256.LoadUnsafe(ref source, (nuint)i) - lowest);
            // The nearest integer to the quotient, by what is lost to a large addend.
            var quotient = x * inverse + Vector256.Create(MagicValue) - Vector256.Create(MagicValue);
            if (quotient * by != x)
            {
                return i;
            }
        }
        return i;
    }

    private static Vector256<double> ToDouble(Vector256<long> x) =>
        (x | Vector256.Create(Magic)).AsDouble() - Vector256.Create(MagicValue);

    private static Vector256<long> ToLong(Vector256<double> x) =>
        (x + Vector256.Create(MagicValue)).AsInt64() ^ Vector256.Create(Magic);
}
