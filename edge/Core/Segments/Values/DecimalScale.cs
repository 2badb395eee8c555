using System.Runtime.CompilerServices;

namespace Foretier.Core.Segments.Values;

/// <summary>
/// A double that was written with p decimals is an integer divided by 10^p: a division of two exact doubles is rounded correctly, so it gives
/// the very double that a parser makes of the text. (ALP multiplies instead, and needs more digits than the text had to come out exact.)
/// </summary>
internal static class DecimalScale
{
    /// <summary>Above it a float64 does not hold every integer.</summary>
    public const long IntegerMax = 1L << 53;

    /// <summary>The most decimals tried. 10^22 is the last power that is exact, but no double needs more than 17 digits.</summary>
    public const int Max = 17;

    public static double Power(int decimals) => Powers[decimals];

    /// <summary>The integer at this power of ten from which exactly this double comes back.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryScale(double value, double power, out long integer)
    {
        var scaled = value * power;
        if (!(Math.Abs(scaled) < IntegerMax))
        {
            integer = 0;
            return false;
        }
        integer = (long)Math.Round(scaled);
        return BitConverter.DoubleToInt64Bits(integer / power) == BitConverter.DoubleToInt64Bits(value);
    }

    /// <summary>The fewest decimals that hold this double, or -1.</summary>
    public static int Of(double value)
    {
        for (var decimals = 0; decimals <= Max; decimals++)
        {
            if (TryScale(value, Powers[decimals], out _))
            {
                return decimals;
            }
        }
        return -1;
    }

    private static ReadOnlySpan<double> Powers =>
        [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17];
}
