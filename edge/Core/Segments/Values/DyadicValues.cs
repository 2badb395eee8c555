using System.Numerics;
using System.Runtime.InteropServices;
using Foretier.Core.Segments.Integers;

namespace Foretier.Core.Segments.Values;

/// <summary>
/// Values that are integers times one power of two: the rounding rests of sums, readings of converters with a binary scale.
/// value = integer · 2^exponent; what no integer gives exactly is an exception.
/// </summary>
internal static class DyadicValues
{
    // 2^exponent must be a normal double, as must every product, so that nothing is rounded.
    private const int ExponentMin = -900;
    private const int ExponentMax = 900;

    /// <summary>With so many bits it would hardly be shorter than the eight bytes.</summary>
    private const int WidthMax = 48;

    /// <summary>Writes the column, or only leaves it begun where it would not pay.</summary>
    public static void TryWrite(ByteWriter to, ReadOnlySpan<double> values)
    {
        if (!TryExponent(values, out var exponent))
        {
            return;
        }
        var scale = Math.ScaleB(1, -exponent);
        var unit = Math.ScaleB(1, exponent);
        using var rentedIntegers = new Rented<long>(values.Length);
        var integers = rentedIntegers.Span;
        var exceptions = new List<int>();
        for (var i = 0; i < values.Length; i++)
        {
            var scaled = values[i] * scale;
            integers[i] = Math.Abs(scaled) < DecimalScale.IntegerMax ? (long)scaled : 0;
            if (BitConverter.DoubleToInt64Bits(integers[i] * unit) != BitConverter.DoubleToInt64Bits(values[i]))
            {
                exceptions.Add(i);
                integers[i] = i == 0 ? 0 : integers[i - 1];
            }
        }
        to.VarInt(exponent);
        IntColumn.Write(to, integers);
        Exceptions.Write(to, values, CollectionsMarshal.AsSpan(exceptions));
    }

    public static void Read(ref ByteReader from, Span<double> values)
    {
        var exponent = from.VarInt();
        if (exponent is < ExponentMin or > ExponentMax)
        {
            throw new SegmentFormatException($"a column scaled by 2^{exponent}");
        }
        var integers = MemoryMarshal.Cast<double, long>(values);
        IntColumn.Read(ref from, integers);
        var unit = Math.ScaleB(1, (int)exponent);
        for (var i = 0; i < integers.Length; i++)
        {
            values[i] = integers[i] * unit;
        }
        Exceptions.Read(ref from, values);
    }

    /// <summary>The lowest bit that any finite value has set.</summary>
    private static bool TryExponent(ReadOnlySpan<double> values, out int exponent)
    {
        exponent = int.MaxValue;
        var highest = int.MinValue;
        foreach (var value in values)
        {
            if (value == 0 || !double.IsFinite(value))
            {
                continue;
            }
            var top = Math.ILogB(value);
            var fraction = BitConverter.DoubleToInt64Bits(value) & ((1L << 52) - 1);
            exponent = Math.Min(exponent, top - 52 + (fraction == 0 ? 52 : BitOperations.TrailingZeroCount(fraction)));
            highest = Math.Max(highest, top);
            if (highest - exponent >= WidthMax)
            {
                return false;
            }
        }
        return exponent is >= ExponentMin and <= ExponentMax;
    }
}
