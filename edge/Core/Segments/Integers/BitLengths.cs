using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Foretier.Core.Segments.Integers;

/// <summary>
/// How many numbers of a column need just so many bits; those under the base would need all 64, but are short as exceptions.
/// </summary>
internal readonly ref struct BitLengths
{
    /// <summary>What the histograms take.</summary>
    public const int Room = Turns * Stride;

    /// <summary>Neighbours are counted in different places by turns, for most are equally long: none waits then for the one before.</summary>
    private const int Turns = 4;

    /// <summary>Fewer take less time than the turns do to be added up.</summary>
    private const int TurnsFrom = 256;

    // Two of 65 counters, filled up to whole vectors.
    private const int Stride = 136;
    private const int Under = 64 + 1;

    private readonly Span<int> _counts;

    /// <param name="room">All zeros.</param>
    public BitLengths(Span<int> room) => _counts = room[..Room];

    public void Clear() => _counts.Clear();

    public void Add(ReadOnlySpan<long> body, long offset)
    {
        var (signs, turns) = (SignsOf(offset), TurnsOf(body.Length) - 1);
        for (var i = 0; i < body.Length; i++)
        {
            _counts[(i & turns) * Stride + PlaceOf(body[i] - offset, signs)]++;
        }
    }

    /// <summary>Only those that are not from 0 to below 2^<paramref name="bits"/>, which are few.</summary>
    public void AddOthers(ReadOnlySpan<long> body, long offset, int bits)
    {
        ref var first = ref MemoryMarshal.GetReference(body);
        var offsets = Vector256.Create(offset);
        for (var i = 0; i < body.Length;)
        {
            if (Lanes.IsOn && i + Lanes.Count <= body.Length
                && (Vector256.LoadUnsafe(ref first, (nuint)i) - offsets) >>> bits == Vector256<long>.Zero)
            {
                i += Lanes.Count;
                continue;
            }
            for (var end = Math.Min(i + Lanes.Count, body.Length); i < end; i++)
            {
                var x = body[i] - offset;
                if (x >>> bits != 0)
                {
                    _counts[PlaceOf(x, SignsOf(offset))]++;
                }
            }
        }
    }

    /// <summary>The lengths of symbols, each so many times.</summary>
    public void Add(ReadOnlySpan<int> symbols, ReadOnlySpan<int> times, long offset)
    {
        var (signs, turns) = (SignsOf(offset), TurnsOf(symbols.Length) - 1);
        for (var i = 0; i < symbols.Length; i++)
        {
            _counts[(i & turns) * Stride + PlaceOf(symbols[i] - offset, signs)] += times[i];
        }
    }

    /// <summary>The width that packs them best, with what does not fit as exceptions.</summary>
    public IntPlan Best(in IntPlan plain, int count)
    {
        if (TurnsOf(count) > 1)
        {
            Gather();
        }
        var lengths = _counts[..Under];
        var under = _counts.Slice(Under, Under);
        var widest = Math.Max(lengths.LastIndexOfAnyExcept(0), under.LastIndexOfAnyExcept(0));
        var unders = 0;
        for (var length = 0; length <= widest; length++)
        {
            unders += under[length];
        }
        var best = plain with { Width = 64, Bits = plain.Bits + 64.0 * count };
        for (var width = Math.Min(widest, 63); width >= 0; width--)
        {
            var exceptions = unders;
            var exceptionBits = (long)unders * ExceptionBits(0);
            for (var length = width + 1; length <= widest; length++)
            {
                exceptions += lengths[length];
                exceptionBits += (long)(lengths[length] + under[length]) * ExceptionBits(length - width) - (long)under[length] * ExceptionBits(0);
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

    private static int TurnsOf(int count) => count < TurnsFrom ? 1 : Turns;

    // Without a base no number is under it, not even one that wrapped.
    private static long SignsOf(long offset) => offset == 0 ? 0 : -1;

    // No branches: they would go wrong with every other number.
    private static int PlaceOf(long above, long signs)
    {
        var sign = (above >> 63) & signs;
        return Bits.Length((ulong)((above ^ sign) - sign)) + ((int)sign & Under);
    }

    /// <summary>All turns added to the first.</summary>
    private void Gather()
    {
        for (var i = 0; i < Stride; i += Vector256<int>.Count)
        {
            var sum = Vector256<int>.Zero;
            for (var at = i; at < Room; at += Stride)
            {
                sum += Vector256.Create<int>(_counts.Slice(at, Vector256<int>.Count));
            }
            sum.CopyTo(_counts[i..]);
        }
    }

    // One byte to say where, and a varint with a sign for the bits that did not fit.
    private static int ExceptionBits(int high) => 8 + 8 * ((high + 1 + 6) / 7);
}
