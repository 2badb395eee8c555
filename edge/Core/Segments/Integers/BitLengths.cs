namespace Foretier.Core.Segments.Integers;

/// <summary>
/// How many numbers of a column need just so many bits; those under the base would need all 64, but are short as exceptions.
/// </summary>
internal readonly ref struct BitLengths
{
    /// <summary>What both histograms take.</summary>
    public const int Room = 2 * (64 + 1);

    private readonly Span<int> _lengths;
    private readonly Span<int> _under;

    public BitLengths(Span<int> room)
    {
        _lengths = room[..(Room / 2)];
        _under = room[(Room / 2)..Room];
        Clear();
    }

    public void Clear()
    {
        _lengths.Clear();
        _under.Clear();
    }

    public void Add(ReadOnlySpan<long> body, long offset)
    {
        foreach (var x in body)
        {
            Add(x, offset, 1);
        }
    }

    public void Add(long x, long offset, int times)
    {
        if (offset == 0 || x >= offset)
        {
            _lengths[Bits.Length((ulong)(x - offset))] += times;
        }
        else
        {
            _under[Bits.Length((ulong)(offset - x))] += times;
        }
    }

    /// <summary>The width that packs them best, with what does not fit as exceptions.</summary>
    public IntPlan Best(in IntPlan plain, int count)
    {
        var widest = Math.Max(_lengths.LastIndexOfAnyExcept(0), _under.LastIndexOfAnyExcept(0));
        var best = plain with { Width = 64, Bits = plain.Bits + 64.0 * count };
        for (var width = Math.Min(widest, 63); width >= 0; width--)
        {
            var exceptions = 0;
            var exceptionBits = 0L;
            for (var length = 0; length <= widest; length++)
            {
                var excepted = _under[length] + (length > width ? _lengths[length] : 0);
                exceptions += excepted;
                exceptionBits += (long)excepted * ExceptionBits(Math.Max(0, length - width));
            }
            var bits = plain.Bits + (double)width * count + exceptionBits + (exceptions > 0 ? 8 : 0);
            if (bits < best.Bits)
            {
                best = plain with { Width = width, Exceptions = exceptions, Bits = bits };
            }
            else if (plain.Bits + exceptionBits > best.Bits)
            {
                // Narrower still there are only more of them, and longer ones.
                break;
            }
        }
        return best;
    }

    // One byte to say where, and a varint with a sign for the bits that did not fit.
    private static int ExceptionBits(int high) => 8 + 8 * ((high + 1 + 6) / 7);
}
