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
    public const int SymbolMax = 4096;

    /// <summary>Numbers that are counted in two places by turns: equal neighbours then need not wait for each other.</summary>
    private const int CountInTwoFrom = 1024;

    private const int Floors = 4;

    /// <summary>n · log2 n.</summary>
    private static readonly float[] LogTable = [0, .. Enumerable.Range(1, SymbolMax).Select(n => (float)(n * Math.Log2(n)))];

    private readonly Rented<int> _rented = new(3 * SymbolMax);
    private int _distinct, _total;
    private long _offset;

    public SymbolTally()
    {
    }

    /// <summary>Ascending.</summary>
    public readonly ReadOnlySpan<int> Symbols => _rented.Span.Slice(2 * SymbolMax, _distinct);

    /// <summary>How often each symbol is there.</summary>
    public readonly ReadOnlySpan<int> Counts => _rented.Span[.._distinct];

    /// <summary>Numbers that are no symbols.</summary>
    public int Escapes { get; private set; }

    public readonly void Dispose() => _rented.Dispose();

    /// <param name="max">The largest of the body.</param>
    /// <param name="lengths">Gets the lengths of all numbers.</param>
    public void Count(scoped ReadOnlySpan<long> body, long offset, ulong max, scoped BitLengths lengths)
    {
        var room = (int)Math.Min(max - (ulong)offset, SymbolMax - 1) + 1;
        var counters = _rented.Span[..room];
        var others = _rented.Span.Slice(SymbolMax, room);
        counters.Clear();
        others.Clear();
        Escapes = 0;
        if (offset > 0 || max >= SymbolMax)
        {
            var escapes = 0;
            foreach (var x in body)
            {
                var symbol = (ulong)(x - offset);
                if (symbol < (ulong)counters.Length)
                {
                    counters[(int)symbol]++;
                }
                else
                {
                    escapes++;
                    lengths.Add(x, offset, 1);
                }
            }
            Escapes = escapes;
        }
        else
        {
            var i = 0;
            for (; body.Length >= CountInTwoFrom && i + 1 < body.Length; i += 2)
            {
                counters[(int)body[i]]++;
                others[(int)body[i + 1]]++;
            }
            for (; i < body.Length; i++)
            {
                counters[(int)body[i]]++;
            }
        }
        (_total, _offset) = (body.Length, offset);
        Gather(counters, others);
        AddLengths(lengths, 0);
    }

    /// <summary>Gives the lengths of all symbols, less an offset.</summary>
    public readonly void AddLengths(scoped BitLengths lengths, long offset)
    {
        var counts = Counts;
        var symbols = Symbols;
        for (var i = 0; i < symbols.Length; i++)
        {
            lengths.Add(symbols[i], offset, counts[i]);
        }
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

    /// <summary>The best choice of symbols; null where codes for any would not be shorter than what the numbers take by themselves.</summary>
    /// <param name="escapeWidth">What an escaped number takes about.</param>
    public readonly IntPlan? Best(in IntPlan plain, int total, int escapeWidth, double share)
    {
        if (_distinct is 0 or >= SymbolMax)
        {
            return null;
        }
        // A symbol that is there 1, 2, 4, 8 times or more may get a code: what each of these choices would take.
        Span<double> bits = stackalloc double[Floors];
        Span<int> coded = stackalloc int[Floors];
        Span<int> last = stackalloc int[Floors];
        bits.Fill(40 * share);
        coded.Clear();
        last.Fill(-1);
        var logTotal = Math.Log2(total);
        var symbols = Symbols;
        var counts = Counts;
        for (var i = 0; i < symbols.Length; i++)
        {
            var (symbol, count) = (symbols[i], counts[i]);
            // Its codes, its length (about three bits), and the gap from the symbol before.
            var codes = count * logTotal - TimesLog(count) + 4 * share;
            var floors = count >= 8 ? 4 : count >= 4 ? 3 : count >= 2 ? 2 : 1;
            for (var floor = 0; floor < floors; floor++)
            {
                bits[floor] += codes + share * 1.3 * Segments.Bits.Length((ulong)(symbol - last[floor]));
                coded[floor] += count;
                last[floor] = symbol;
            }
        }
        var (bestBits, best) = (double.MaxValue, 0);
        for (var floor = 0; floor < Floors; floor++)
        {
            var escapes = total - coded[floor];
            bits[floor] += escapes == 0 ? 0 : 16 * share + escapes * (logTotal + escapeWidth + 2) - TimesLog(escapes);
            if (coded[floor] > 0 && bits[floor] < bestBits)
            {
                (bestBits, best) = (bits[floor], floor);
            }
        }
        return plain with { Width = escapeWidth, Floor = 1 << best, Bits = plain.Bits + bestBits };
    }

    /// <summary>What was counted is not that of the body any more.</summary>
    public void Forget() => _offset = -1;

    /// <summary>Keeps the symbols of a plan's code, and counts the others as escapes.</summary>
    /// <param name="body">Less the plan's offset.</param>
    public void Choose(scoped ReadOnlySpan<long> body, in IntPlan plan)
    {
        if (_offset != plan.Offset)
        {
            Count(body, 0, ulong.MaxValue, new(stackalloc int[BitLengths.Room]));
        }
        var all = _rented.Span;
        var kept = 0;
        Escapes = _total;
        for (var i = 0; i < _distinct; i++)
        {
            if (all[i] >= plan.Floor)
            {
                (all[kept], all[2 * SymbolMax + kept]) = (all[i], all[2 * SymbolMax + i]);
                Escapes -= all[kept++];
            }
        }
        _distinct = kept;
    }

    /// <summary>The counters above zero, moved to the front: they are few, and gone through several times.</summary>
    private void Gather(Span<int> counters, ReadOnlySpan<int> others)
    {
        var symbols = _rented.Span[(2 * SymbolMax)..];
        var distinct = 0;
        for (var symbol = 0; symbol < counters.Length;)
        {
            var end = Math.Min(symbol + Vector256<int>.Count, counters.Length);
            if (end - symbol == Vector256<int>.Count
                && (Vector256.Create((ReadOnlySpan<int>)counters[symbol..]) | Vector256.Create(others[symbol..])) == Vector256<int>.Zero)
            {
                symbol = end;
                continue;
            }
            for (; symbol < end; symbol++)
            {
                if (counters[symbol] + others[symbol] is > 0 and var count)
                {
                    (counters[distinct], symbols[distinct]) = (count, symbol);
                    distinct++;
                }
            }
        }
        _distinct = distinct;
    }

    private static double TimesLog(int n) => n < LogTable.Length ? LogTable[n] : n * Math.Log2(n);
}
