namespace Foretier.Core.Segments.Integers;

/// <summary>
/// Which integers of a column get a code of their own; the others share an escape. Steps of a sensor gather around a few lengths, and its
/// readings around no change: such columns take little more than their entropy this way.
/// </summary>
internal sealed class PrefixPlan
{
    /// <summary>Integers from here on are never given a code: it bounds the counters, and the table.</summary>
    public const int SymbolMax = 4096;

    /// <summary>Fewer would hardly repay the list of symbols.</summary>
    private const int CountMin = 24;

    private const double GainMin = 0.9;

    /// <summary>Ascending; their codes follow that of the escape, which is symbol 0.</summary>
    public required int[] Symbols { get; init; }

    /// <summary>How often the escape is used (where it is not, it has no code), then each symbol.</summary>
    public required int[] Frequencies { get; init; }
    public required double Bits { get; init; }

    /// <summary>How to write these integers: packed alone, or by a code too where that saves a tenth (codes are slower to read).</summary>
    /// <param name="share">How much of its column these are: the list of symbols is paid for by all.</param>
    public static PrefixPlan? BestOf(ReadOnlySpan<long> values, int order, int headBits, bool mayPrefix, out IntPlan plan, double share = 1)
    {
        plan = IntPlan.For(values, order, headBits, out var other);
        if (!mayPrefix)
        {
            return null;
        }
        var codes = For(values, plan, share);
        var most = GainMin * plan.Bits;
        if (other.Base != plan.Base && For(values, other, share) is { } others && others.Bits < Math.Min(most, codes?.Bits ?? most))
        {
            plan = other;
            return others;
        }
        return codes?.Bits < most ? codes : null;
    }

    /// <summary>The best choice for these integers as <paramref name="plan"/> reduces them, or null where there is none.</summary>
    private static PrefixPlan? For(ReadOnlySpan<long> values, in IntPlan plan, double share)
    {
        if (values.Length < CountMin || plan.Width <= 1 && plan.Exceptions == 0)
        {
            return null;
        }
        Span<int> counts = stackalloc int[SymbolMax];
        counts.Clear();
        var top = -1;
        foreach (var value in values)
        {
            var reduced = (ulong)plan.Reduce(value);
            if (reduced < SymbolMax)
            {
                counts[(int)reduced]++;
                top = Math.Max(top, (int)reduced);
            }
        }
        // The counters above zero, moved to the front: they are few, and gone through several times.
        Span<int> symbols = stackalloc int[top + 1];
        var distinct = 0;
        for (var symbol = 0; symbol <= top; symbol++)
        {
            if (counts[symbol] > 0)
            {
                (counts[distinct], symbols[distinct]) = (counts[symbol], symbol);
                distinct++;
            }
        }
        counts = counts[..distinct];
        symbols = symbols[..distinct];
        var (bestBits, bestFloor) = (double.MaxValue, 0);
        for (var floor = 1; floor <= 8 && distinct is > 0 and < SymbolMax; floor *= 2)
        {
            var bits = Estimate(symbols, counts, floor, values.Length, plan.Width, share);
            if (bits < bestBits)
            {
                (bestBits, bestFloor) = (bits, floor);
            }
        }
        bestBits += plan.HeadBits;
        return bestBits < plan.Bits ? Choose(symbols, counts, bestFloor, values.Length, bestBits) : null;
    }

    private static double Estimate(ReadOnlySpan<int> symbols, ReadOnlySpan<int> counts, int floor, int total, int escapeWidth, double share)
    {
        var bits = 40 * share;
        int coded = 0, last = -1;
        for (var i = 0; i < symbols.Length; i++)
        {
            if (counts[i] >= floor)
            {
                // Its codes, its length (about three bits), and the gap from the symbol before.
                bits += counts[i] * Math.Log2((double)total / counts[i]) + share * (4 + 1.3 * Segments.Bits.Length((ulong)(symbols[i] - last)));
                coded += counts[i];
                last = symbols[i];
            }
        }
        var escapes = total - coded;
        bits += escapes == 0 ? 0 : 16 * share + escapes * (Math.Log2((double)total / escapes) + escapeWidth + 2);
        return coded == 0 ? double.MaxValue : bits;
    }

    private static PrefixPlan Choose(ReadOnlySpan<int> symbols, ReadOnlySpan<int> counts, int floor, int total, double bits)
    {
        var chosen = new List<int>();
        var frequencies = new List<int> { total };
        for (var i = 0; i < symbols.Length; i++)
        {
            if (counts[i] >= floor)
            {
                chosen.Add(symbols[i]);
                frequencies.Add(counts[i]);
                frequencies[0] -= counts[i];
            }
        }
        return new() { Symbols = [.. chosen], Frequencies = [.. frequencies], Bits = bits };
    }
}
