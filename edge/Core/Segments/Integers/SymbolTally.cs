using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Foretier.Core.Segments.Integers;

/// <summary>
/// How often each small integer of a column is there, and so which of them would get a code of their own; the others share an escape. Steps of
/// a sensor gather around a few lengths, and its readings around no change: such columns take little more than their entropy this way.
/// </summary>
internal ref struct SymbolTally
{
    /// <summary>Integers from here on are never given a code: it bounds the counters, and the table.</summary>
    public const int SymbolMax = 1 << SymbolBits;

    public const int SymbolBits = 12;

    /// <summary>Numbers that are counted in two places by turns: equal neighbours then need not wait for each other.</summary>
    private const int CountInTwoFrom = 1024;

    // A counter for each symbol and one for the escapes, filled up to whole vectors.
    private const int Stride = SymbolMax + 8;

    private const int Floors = 4;

    /// <summary>n · log2 n.</summary>
    private static readonly float[] LogTable = [0, .. Enumerable.Range(1, SymbolMax).Select(n => (float)(n * Math.Log2(n)))];

    private readonly Rented<int> _rented = new(3 * Stride);
    private int _distinct, _total;
    private long _offset;

    public SymbolTally()
    {
    }

    /// <summary>Ascending.</summary>
    public readonly ReadOnlySpan<int> Symbols => _rented.Span.Slice(2 * Stride, _distinct);

    /// <summary>How often each symbol is there.</summary>
    public readonly ReadOnlySpan<int> Counts => _rented.Span[.._distinct];

    /// <summary>Numbers that are no symbols.</summary>
    public int Escapes { get; private set; }

    public readonly void Dispose() => _rented.Dispose();

    /// <param name="largest">Of the body.</param>
    public void Count(scoped ReadOnlySpan<long> body, long offset, ulong largest)
    {
        var room = (int)Math.Min(largest - (ulong)offset, SymbolMax - 1) + 1;
        (_total, _offset) = (body.Length, offset);
        var used = RoundUp(room + 1);
        var counters = _rented.Span[..used];
        counters.Clear();
        var others = counters;
        if (body.Length >= CountInTwoFrom)
        {
            others = _rented.Span.Slice(Stride, used);
            others.Clear();
        }
        // From four places by turns: numbers that lie far apart are seldom the same counter's.
        var quarter = body.Length / 4;
        var first = body[..quarter];
        var second = body.Slice(quarter, quarter);
        var third = body.Slice(2 * quarter, quarter);
        var fourth = body[(3 * quarter)..];
        var i = 0;
        for (; i < first.Length; i++)
        {
            counters[SymbolOf(first[i] - offset, room)]++;
            others[SymbolOf(second[i] - offset, room)]++;
            counters[SymbolOf(third[i] - offset, room)]++;
            others[SymbolOf(fourth[i] - offset, room)]++;
        }
        for (; i < fourth.Length; i++)
        {
            counters[SymbolOf(fourth[i] - offset, room)]++;
        }
        if (others != counters)
        {
            for (i = 0; i < used; i += Vector256<int>.Count)
            {
                (Vector256.Create<int>(counters.Slice(i, Vector256<int>.Count)) + Vector256.Create<int>(others.Slice(i, Vector256<int>.Count))).CopyTo(counters[i..]);
            }
        }
        counters[room] = 0;
        Gather(counters[..RoundUp(room)]);
    }

    /// <summary>What all but a thirty-second part of the symbols are at least.</summary>
    public readonly int Low()
    {
        var i = 0;
        for (var left = _total / 32 - Counts[0]; left >= 0 && i + 1 < _distinct; left -= Counts[i])
        {
            i++;
        }
        return Symbols[i];
    }

    /// <summary>How many numbers, less the offset, are no symbols.</summary>
    public static int EscapesOf(ReadOnlySpan<long> body, long offset)
    {
        var (i, escapes) = (0, body.Length);
        if (Lanes.IsOn)
        {
            ref var first = ref MemoryMarshal.GetReference(body);
            var offsets = Vector256.Create(offset);
            var symbols = Vector256<long>.Zero;
            for (; i + Lanes.Count <= body.Length; i += Lanes.Count)
            {
                // Each symbol counts -1.
                symbols += Vector256.Equals((Vector256.LoadUnsafe(ref first, (nuint)i) - offsets) >>> SymbolBits, Vector256<long>.Zero);
            }
            escapes += (int)Vector256.Sum(symbols);
        }
        for (; i < body.Length; i++)
        {
            escapes -= (body[i] - offset) >>> SymbolBits == 0 ? 1 : 0;
        }
        return escapes;
    }

    /// <summary>False where so many escapes alone take more than <paramref name="bitsMax"/>, whatever is given a code.</summary>
    public static bool MayPay(in IntPlan plain, int total, int escapes, int escapeWidth, double share, double bitsMax) =>
        plain.Bits + EscapeBits(escapes, Math.Log2(total), escapeWidth, share) < bitsMax;

    /// <summary>The best choice of symbols; null where codes for any would not be shorter than <paramref name="bitsMax"/>.</summary>
    /// <param name="escapeWidth">What an escaped number takes about.</param>
    public readonly IntPlan? Best(in IntPlan plain, int escapeWidth, double share, double bitsMax)
    {
        if (_distinct is 0 or >= SymbolMax)
        {
            return null;
        }
        var logTotal = Math.Log2(_total);
        // A symbol that is there 1, 2, 4, 8 times or more may get a code: what each of these choices would take.
        var floors = Vector256.Create(1L, 2, 4, 8);
        var bits = Vector256.Create(40 * share);
        var gapBits = Vector256.Create(share * 1.3);
        var coded = Vector256<long>.Zero;
        var last = Vector256.Create(-1.0);
        var symbols = Symbols;
        var counts = Counts;
        for (var i = 0; i < symbols.Length; i++)
        {
            var count = counts[i];
            var isCoded = Vector256.GreaterThanOrEqual(Vector256.Create((long)count), floors);
            var symbol = Vector256.Create((double)symbols[i]);
            // Its codes, its length (about three bits), and the gap from the symbol before, whose bits its exponent tells.
            var codes = Vector256.Create(count * logTotal - TimesLog(count) + 4 * share);
            var gapLength = Vector256.ConvertToDouble(((symbol - last).AsInt64() >> 52) - Vector256.Create(1022L));
            bits += (codes + gapBits * gapLength) & isCoded.AsDouble();
            coded += Vector256.Create((long)count) & isCoded;
            last = Vector256.ConditionalSelect(isCoded.AsDouble(), symbol, last);
        }
        var (bestBits, best) = (double.MaxValue, 0);
        for (var floor = 0; floor < Floors; floor++)
        {
            var all = bits[floor] + EscapeBits(_total - (int)coded[floor], logTotal, escapeWidth, share);
            if (coded[floor] > 0 && all < bestBits)
            {
                (bestBits, best) = (all, floor);
            }
        }
        return plain.Bits + bestBits < bitsMax ? plain with { Width = escapeWidth, Floor = 1 << best, Bits = plain.Bits + bestBits } : null;
    }

    /// <summary>What was counted is not that of the body any more.</summary>
    public void Forget() => _offset = -1;

    /// <summary>Keeps the symbols of a plan's code, and counts the others as escapes.</summary>
    /// <param name="body">Less the plan's offset.</param>
    public void Choose(scoped ReadOnlySpan<long> body, in IntPlan plan)
    {
        if (_offset != plan.Offset)
        {
            Count(body, 0, ulong.MaxValue);
        }
        var all = _rented.Span;
        var kept = 0;
        Escapes = _total;
        for (var i = 0; i < _distinct; i++)
        {
            if (all[i] >= plan.Floor)
            {
                (all[kept], all[2 * Stride + kept]) = (all[i], all[2 * Stride + i]);
                Escapes -= all[kept++];
            }
        }
        _distinct = kept;
    }

    /// <summary>The counters above zero, moved to the front: they are few, and gone through several times.</summary>
    private void Gather(Span<int> counters)
    {
        var symbols = _rented.Span[(2 * Stride)..];
        var distinct = 0;
        for (var group = 0; group < counters.Length; group += Vector256<int>.Count)
        {
            if (Vector256.Create<int>(counters.Slice(group, Vector256<int>.Count)) == Vector256<int>.Zero)
            {
                continue;
            }
            for (var symbol = group; symbol < group + Vector256<int>.Count; symbol++)
            {
                var count = counters[symbol];
                (counters[distinct], symbols[distinct]) = (count, symbol);
                distinct += count > 0 ? 1 : 0;
            }
        }
        _distinct = distinct;
    }

    /// <summary>
    /// The number itself from 0 to below the escape, which any other becomes; without a branch, for in wide columns it would go wrong with every
    /// other number.
    /// </summary>
    public static int SymbolOf(long number, long escape)
    {
        var isEscape = (number | (escape - 1 - number)) >> 63;
        return (int)(escape + ((number - escape) & ~isEscape));
    }

    private static int RoundUp(int room) => (room + Vector256<int>.Count - 1) / Vector256<int>.Count * Vector256<int>.Count;

    private static double EscapeBits(int escapes, double logTotal, int width, double share) =>
        escapes == 0 ? 0 : 16 * share + escapes * (logTotal + width + 2) - TimesLog(escapes);

    private static double TimesLog(int n) => n < LogTable.Length ? LogTable[n] : n * Math.Log2(n);
}
