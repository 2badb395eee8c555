namespace Foretier.Core.Segments.Integers;

/// <summary>How a column of integers (or of their differences) will be written, and an estimate of what that takes.</summary>
/// <param name="Min">The smallest, which all are reduced by.</param>
/// <param name="Divisor">What they are divided by then.</param>
/// <param name="Offset">What is subtracted from that: above 0 where the smallest are outliers, which would widen all others.</param>
/// <param name="Floor">0: packed at <paramref name="Width"/>. Above: by a prefix code of those that are there at least so often.</param>
internal readonly record struct IntPlan(int Order, long Min, long Divisor, long Offset, int Width, int Exceptions, int Floor, double Bits)
{
    /// <summary>A code is slower to read than what is packed: it has to save a tenth.</summary>
    private const double CodeGainMin = 0.9;

    /// <summary>Fewer would hardly repay the list of symbols.</summary>
    private const int CodedMin = 24;

    /// <summary>Of so many spread ones the third smallest tells what nearly all are above.</summary>
    private const int LowSample = 64;

    /// <summary>One of so many that is no symbol is few.</summary>
    private const int FewEscapes = 16;

    public long Base => Min + Offset * Divisor;
    public bool IsConstant => Width == 0 && Exceptions == 0 && Floor == 0;

    /// <param name="headBits">What the seeds of this order take beside the rest.</param>
    /// <param name="body">Becomes the values less the smallest and divided by what they share.</param>
    /// <param name="tally">Becomes how often each symbol is in the body, if <paramref name="mayPrefix"/>.</param>
    /// <param name="share">How much of its column these are: the list of symbols is paid for by all.</param>
    public static IntPlan For(
        scoped ReadOnlySpan<long> values, int order, int headBits, bool mayPrefix, scoped Span<long> body, scoped ref SymbolTally tally, double share = 1)
    {
        body = body[..values.Length];
        var (min, max) = Running.Extremes(values);
        if (min == max)
        {
            return new(order, min, 1, 0, 0, 0, 0, headBits + VarIntBits(min));
        }
        // A range that overflows is packed by wrapping arithmetic, where no divisor is right.
        var wraps = max - min < 0;
        var divisor = wraps ? 1 : Reduction.SharedDivisor(values, min, max);
        Reduction.Reduce(values, min, max, divisor, body);
        var plain = new IntPlan(order, min, divisor, 0, 0, 0, 0,
            headBits + VarIntBits(min) + (divisor > 1 ? 8 * ByteWriter.VarUIntLength((ulong)divisor) : 0));
        var largest = (ulong)(max - min) / (ulong)divisor;
        mayPrefix &= values.Length >= CodedMin && largest > 1;
        var lengths = new BitLengths(stackalloc int[BitLengths.Room]);
        var areSymbols = mayPrefix && largest < SymbolTally.SymbolMax;
        var escapes = areSymbols ? 0 : mayPrefix ? SymbolTally.EscapesOf(body, 0) : body.Length;
        var (packed, coded) = Best(plain, body, largest, mayPrefix, escapes, share, lengths, ref tally);
        // Where every number is a symbol those tell, and another base would not make their codes shorter.
        var low = areSymbols ? tally.Low() : !wraps && escapes * FewEscapes > body.Length ? LowOf(body) : 0;
        if (low > 0)
        {
            var raised = plain with { Offset = low, Bits = plain.Bits - VarIntBits(min) + VarIntBits(min + low * divisor) };
            lengths.Clear();
            if (areSymbols)
            {
                lengths.Add(tally.Symbols, tally.Counts, low);
                packed = Shorter(packed, lengths.Best(raised, body.Length));
            }
            else
            {
                escapes = mayPrefix ? SymbolTally.EscapesOf(body, low) : body.Length;
                var (packedRaised, codedRaised) = Best(raised, body, largest, mayPrefix, escapes, share, lengths, ref tally);
                packed = Shorter(packed, packedRaised);
                coded = coded is { } one && codedRaised is { } other ? Shorter(one, other) : coded ?? codedRaised;
            }
        }
        return coded is { } code && code.Bits < CodeGainMin * packed.Bits ? code : packed;
    }

    /// <summary>At one width, and by a code if that may be shorter by enough.</summary>
    private static (IntPlan Packed, IntPlan? Coded) Best(
        in IntPlan plain, scoped ReadOnlySpan<long> body, ulong largest, bool mayPrefix, int escapes, double share, scoped BitLengths lengths,
        scoped ref SymbolTally tally)
    {
        // Where nearly all are symbols, their counts tell the lengths of all but the others; else most columns need no counts.
        var isCounted = escapes * FewEscapes <= body.Length;
        if (isCounted)
        {
            tally.Count(body, plain.Offset, largest);
            lengths.Add(tally.Symbols, tally.Counts, 0);
            if (escapes > 0)
            {
                lengths.AddOthers(body, plain.Offset, SymbolTally.SymbolBits);
            }
        }
        else
        {
            lengths.Add(body, plain.Offset);
        }
        var packed = lengths.Best(plain, body.Length);
        var bitsMax = CodeGainMin * packed.Bits;
        if (!isCounted)
        {
            if (!mayPrefix || !SymbolTally.MayPay(plain, body.Length, escapes, packed.Width, share, bitsMax))
            {
                return (packed, null);
            }
            tally.Count(body, plain.Offset, largest);
        }
        return (packed, tally.Best(plain, packed.Width, share, bitsMax));
    }

    private static IntPlan Shorter(in IntPlan one, in IntPlan other) => other.Bits < one.Bits ? other : one;

    private static long LowOf(ReadOnlySpan<long> body)
    {
        var sampled = Math.Min(body.Length, LowSample);
        // The three smallest so far, ascending.
        var (first, second, third) = (long.MaxValue, long.MaxValue, long.MaxValue);
        for (var i = 0; i < sampled; i++)
        {
            var x = body[body.Length <= LowSample ? i : (int)((long)i * body.Length / LowSample)];
            if (x < third)
            {
                third = Math.Max(x, second);
                (first, second) = x < first ? (x, first) : (first, Math.Min(x, second));
            }
        }
        return (sampled * 2 / LowSample) switch { 0 => first, 1 => second, _ => third };
    }

    private static int VarIntBits(long value) => 8 * ByteWriter.VarUIntLength(ZigZag.Encode(value));
}
