using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Foretier.Core.Segments.Integers;

namespace Foretier.Core.Segments.Values;

/// <summary>
/// Decimal readings (21.5, 0.007) as integers: value = integer / 10^decimals, the integers in an <see cref="IntColumn"/>,
/// and what no integer gives exactly (NaN, -0, infinities, long fractions) as exceptions.
/// </summary>
internal sealed class DecimalValues : IDisposable
{
    private readonly long[] _integers;
    private readonly int _count;

    private DecimalValues(int decimals, int count) => (Decimals, _integers, _count) = (decimals, ArrayPool<long>.Shared.Rent(count), count);

    public int Decimals { get; }

    /// <summary>Where the values are that no integer gives.</summary>
    public List<int> Exceptions { get; } = [];

    /// <summary>False where hardly any value is a decimal.</summary>
    public static bool TryScale(ReadOnlySpan<double> values, [NotNullWhen(true)] out DecimalValues? scaled)
    {
        scaled = null;
        var decimals = BestScale(values);
        if (decimals < 0)
        {
            return false;
        }
        scaled = new(decimals, values.Length);
        scaled.Scale(values);
        if (scaled.Exceptions.Count < values.Length)
        {
            return true;
        }
        scaled.Dispose();
        return false;
    }

    /// <summary>Writes the column, or nothing where that would take more than about <paramref name="bitsMax"/>.</summary>
    public void TryWrite(ByteWriter to, ReadOnlySpan<double> values, double bitsMax)
    {
        if (IntColumn.TryWrite(to, _integers.AsSpan(0, _count), bitsMax - (double)Values.Exceptions.BitsMin * Exceptions.Count) && Exceptions.Count > 0)
        {
            Values.Exceptions.Write(to, values, CollectionsMarshal.AsSpan(Exceptions));
        }
    }

    public void Dispose() => ArrayPool<long>.Shared.Return(_integers);

    /// <summary>Reads all but the exceptions.</summary>
    public static void Read(ref ByteReader from, Span<double> values, int decimals)
    {
        // The integers are unpacked where the values will be: no scratch, and one pass through the cache.
        var integers = MemoryMarshal.Cast<double, long>(values);
        IntColumn.Read(ref from, integers);
        DecimalLanes.Divide(values, decimals);
    }

    private void Scale(ReadOnlySpan<double> values)
    {
        var power = DecimalScale.Power(Decimals);
        // One more, which is written and not kept.
        using var doubtful = new Rented<int>(values.Length + 1);
        foreach (var i in doubtful.Span[..DecimalLanes.Scale(values, Decimals, _integers.AsSpan(0, _count), doubtful.Span)])
        {
            if (!DecimalScale.TryScale(values[i], power, out _integers[i]))
            {
                Exceptions.Add(i);
                // An exception repeats its neighbour, which packs best.
                _integers[i] = i == 0 ? 0 : _integers[i - 1];
            }
        }
        if (Exceptions.Count > 0 && Exceptions.Count < values.Length)
        {
            FillLeading(_integers, Exceptions);
        }
    }

    private static void FillLeading(long[] integers, List<int> exceptions)
    {
        var leading = 0;
        while (leading < exceptions.Count && exceptions[leading] == leading)
        {
            leading++;
        }
        integers.AsSpan(0, leading).Fill(integers[leading]);
    }

    /// <summary>The number of decimals that packs a spread sample best: more hold more of the values, but widen all.</summary>
    private static int BestScale(ReadOnlySpan<double> values)
    {
        Span<int> counts = stackalloc int[DecimalScale.Max + 1];
        counts.Clear();
        var sampled = Math.Min(values.Length, 128);
        // Every fourth first: where none of them is a decimal the others need no look, and what is none takes the longest to find out.
        var held = 0;
        for (var phase = 0; phase < 4 && (phase == 0 || held > 0 || sampled < 64); phase++)
        {
            for (var i = phase; i < sampled; i += 4)
            {
                var decimals = DecimalScale.Of(values[(int)((long)i * values.Length / sampled)]);
                if (decimals >= 0)
                {
                    counts[decimals]++;
                    held++;
                }
            }
        }
        if (held == 0)
        {
            return -1;
        }
        // log2(10) bits for each further digit of every value held, 80 for each value that is not.
        var best = -1;
        var bestBits = 80.0 * sampled;
        held = 0;
        for (var decimals = 0; decimals <= DecimalScale.Max; decimals++)
        {
            held += counts[decimals];
            var bits = 3.32 * decimals * held + 80.0 * (sampled - held);
            if (held > 0 && bits < bestBits)
            {
                (best, bestBits) = (decimals, bits);
            }
        }
        return best;
    }
}
