using System.Runtime.InteropServices;
using Foretier.Core.Segments.Integers;

namespace Foretier.Core.Segments.Values;

/// <summary>
/// Results of arithmetic on decimals (sums, means of round readings): the nearest decimal as in <see cref="DecimalValues"/>, and by how many
/// representable doubles the value misses it. Every double can be told so; it pays where the misses are small.
/// </summary>
internal static class NearDecimalValues
{
    // A few roundings of sums: beyond that the misses are as long as the fraction itself.
    private const long NearUlps = 1 << 10;

    /// <summary>Writes the column, or only leaves it begun where too few values are near a decimal.</summary>
    public static void TryWrite(ByteWriter to, ReadOnlySpan<double> values)
    {
        var decimals = BestScale(values);
        if (decimals < 0)
        {
            return;
        }
        var power = DecimalScale.Power(decimals);
        using var rentedIntegers = new Rented<long>(values.Length);
        var integers = rentedIntegers.Span;
        using var rentedMisses = new Rented<long>(values.Length);
        var misses = rentedMisses.Span;
        for (var i = 0; i < values.Length; i++)
        {
            (integers[i], misses[i]) = Nearest(values[i], power);
        }
        to.Byte(decimals);
        IntColumn.Write(to, integers);
        IntColumn.Write(to, misses);
    }

    public static void Read(ref ByteReader from, Span<double> values)
    {
        var decimals = from.Byte();
        if (decimals > DecimalScale.Max)
        {
            throw new SegmentFormatException($"a column of {decimals} decimals");
        }
        var integers = MemoryMarshal.Cast<double, long>(values);
        IntColumn.Read(ref from, integers);
        using var rentedMisses = new Rented<long>(values.Length);
        var misses = rentedMisses.Span;
        IntColumn.Read(ref from, misses);
        var power = DecimalScale.Power(decimals);
        for (var i = 0; i < misses.Length; i++)
        {
            values[i] = BitConverter.Int64BitsToDouble(BitConverter.DoubleToInt64Bits(integers[i] / power) + misses[i]);
        }
    }

    private static (long Integer, long Miss) Nearest(double value, double power)
    {
        var scaled = value * power;
        var integer = Math.Abs(scaled) < DecimalScale.IntegerMax ? (long)Math.Round(scaled) : 0;
        return (integer, BitConverter.DoubleToInt64Bits(value) - BitConverter.DoubleToInt64Bits(integer / power));
    }

    /// <summary>The fewest decimals that nine tenths of a spread sample are near to.</summary>
    private static int BestScale(ReadOnlySpan<double> values)
    {
        Span<int> counts = stackalloc int[DecimalScale.Max + 1];
        counts.Clear();
        var sampled = Math.Min(values.Length, 64);
        var far = 0;
        for (var i = 0; i < sampled; i++)
        {
            var value = values[(int)((long)i * values.Length / sampled)];
            far++;
            for (var decimals = 0; decimals <= DecimalScale.Max; decimals++)
            {
                if (Math.Abs((double)Nearest(value, DecimalScale.Power(decimals)).Miss) <= NearUlps)
                {
                    counts[decimals]++;
                    far--;
                    break;
                }
            }
            if (far * 10 > sampled)
            {
                return -1;
            }
        }
        var near = 0;
        for (var decimals = 0; decimals <= DecimalScale.Max; decimals++)
        {
            near += counts[decimals];
            if (near * 10 >= sampled * 9)
            {
                return decimals;
            }
        }
        return -1;
    }
}
