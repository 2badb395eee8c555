namespace Foretier.Core.Segments.Integers;

/// <summary>
/// Which orders of differences are worth planning for a column, by a look at a few stretches of it: to plan all three takes longer than to
/// write the best.
/// </summary>
internal static class IntOrders
{
    private const int All = 0b111;
    private const int Stretches = 16;
    private const int StretchLength = 24;

    /// <summary>An order this many bits an integer behind the best of the sample is not planned.</summary>
    private const double Near = 0.3;

    private const double TrustedMax = 5;

    /// <summary>The same for the second order of a wide column, which is hardly ever its best.</summary>
    private const double WideNear = 0.9;

    private const double NoiseMin = 0.5;

    /// <summary>One bit for each order.</summary>
    public static int Of(ReadOnlySpan<long> integers, bool mayPrefix) =>
        integers.Length < Stretches * StretchLength ? All : Of(integers, mayPrefix, out _);

    /// <param name="best">The order that the sample shows shortest.</param>
    public static int Of(ReadOnlySpan<long> integers, bool mayPrefix, out int best)
    {
        // Of a short column there is one stretch, all of it.
        var stretches = integers.Length < Stretches * StretchLength ? 1 : Stretches;
        var length = Math.Min((integers.Length - 2) / stretches, StretchLength * Stretches / stretches);
        Span<long> sample = stackalloc long[stretches * length];
        Span<long> body = stackalloc long[sample.Length];
        Span<double> bits = [double.MaxValue, double.MaxValue, double.MaxValue];
        best = 0;
        var tally = new SymbolTally();
        for (var order = 0; order < bits.Length; order++)
        {
            for (var stretch = 0; stretch < stretches; stretch++)
            {
                var from = integers.Slice((integers.Length - length - 2) * stretch / Math.Max(1, stretches - 1), length + 2);
                var to = sample.Slice(stretch * length, length);
                var (before, earlier) = order switch { 0 => (0, 0), 1 => (1, 0), _ => (2, 1) };
                for (var i = 0; i < to.Length; i++)
                {
                    to[i] = from[i + 2] - before * from[i + 1] + earlier * from[i];
                }
            }
            bits[order] = IntPlan.For(sample, order, 0, mayPrefix, body, ref tally, (double)sample.Length / integers.Length).Bits;
            best = bits[order] < bits[best] ? order : best;
            if (order > 0 && IsNoise(bits[order - 1], bits[order], sample.Length))
            {
                break;
            }
        }
        tally.Dispose();
        // Wide columns are wide for their outliers, of which a sample tells little.
        var isWide = bits[best] > TrustedMax * sample.Length;
        var near = bits[best] + (isWide ? WideNear : Near) * sample.Length;
        return (isWide || bits[0] <= near ? 1 : 0) | (isWide || bits[1] <= near ? 2 : 0) | (bits[2] <= near ? 4 : 0);
    }

    /// <summary>Where differences are longer by half a bit each than what they are of, the next ones are longer still.</summary>
    public static bool IsNoise(double bits, double differenceBits, int count) => differenceBits > bits + NoiseMin * count;
}
