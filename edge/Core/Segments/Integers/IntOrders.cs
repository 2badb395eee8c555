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

    /// <summary>One bit for each order.</summary>
    public static int Of(ReadOnlySpan<long> integers, bool mayPrefix) =>
        integers.Length < Stretches * StretchLength ? All : Of(integers, mayPrefix, out _);

    /// <param name="bitsEach">What an integer takes about in the best order.</param>
    public static int Of(ReadOnlySpan<long> integers, bool mayPrefix, out double bitsEach)
    {
        // Of a short column there is one stretch, all of it.
        var stretches = integers.Length < Stretches * StretchLength ? 1 : Stretches;
        var length = Math.Min((integers.Length - 2) / stretches, StretchLength * Stretches / stretches);
        Span<long> sample = stackalloc long[stretches * length];
        Span<long> body = stackalloc long[sample.Length];
        Span<double> bits = stackalloc double[3];
        var tally = new SymbolTally();
        for (var order = 0; order < bits.Length; order++)
        {
            for (var stretch = 0; stretch < stretches; stretch++)
            {
                var from = integers.Slice((integers.Length - length - 2) * stretch / Math.Max(1, stretches - 1), length + 2);
                var to = sample.Slice(stretch * length, length);
                for (var i = 0; i < to.Length; i++)
                {
                    to[i] = order switch
                    {
                        0 => from[i + 2],
                        1 => from[i + 2] - from[i + 1],
                        _ => from[i + 2] - 2 * from[i + 1] + from[i],
                    };
                }
            }
            bits[order] = IntPlan.For(sample, order, 0, mayPrefix, body, ref tally, (double)sample.Length / integers.Length).Bits;
        }
        tally.Dispose();
        var best = Math.Min(bits[0], Math.Min(bits[1], bits[2]));
        bitsEach = best / sample.Length;
        // Wide columns are wide for their outliers, of which a sample tells little.
        var orders = bitsEach > TrustedMax ? All : 0;
        for (var order = 0; order < bits.Length; order++)
        {
            orders |= bits[order] <= best + Near * sample.Length ? 1 << order : 0;
        }
        return orders;
    }
}
