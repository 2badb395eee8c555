using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Foretier.Core.Rollups;

namespace Foretier.Core.Segments;

/// <summary>The rollup of a column, bit-equal to one that its samples were added to in order.</summary>
internal static class Statistics
{
    public static Rollup Of(ReadOnlySpan<long> times, ReadOnlySpan<double> values, ReadOnlySpan<string?> states)
    {
        var rollup = default(Rollup);
        if (states.IsEmpty && TryExtremes(values, out var min, out var max))
        {
            var (high, low) = SumOf(values);
            rollup = new() { Count = times.Length, Numbers = times.Length, Min = min, Max = max, First = values[0], Last = values[^1] };
            (rollup.FirstTime, rollup.LastTime) = (times[0], times[^1]);
            rollup.RestoreSum(high, low);
            return rollup;
        }
        for (var i = 0; i < times.Length; i++)
        {
            rollup.Add(times[i], values[i], states.IsEmpty ? null : states[i]);
        }
        return rollup;
    }

    /// <summary>False where there is a NaN: of several the first one counts.</summary>
    private static bool TryExtremes(ReadOnlySpan<double> values, out double min, out double max)
    {
        min = max = values[0];
        var i = 0;
        if (Lanes.IsOn && values.Length >= Lanes.Count)
        {
            ref var first = ref MemoryMarshal.GetReference(values);
            var (low, high) = (Vector256.LoadUnsafe(ref first), Vector256.LoadUnsafe(ref first));
            for (; i + Lanes.Count <= values.Length; i += Lanes.Count)
            {
                var x = Vector256.LoadUnsafe(ref first, (nuint)i);
                (low, high) = (Vector256.Min(low, x), Vector256.Max(high, x));
            }
            for (var lane = 0; lane < Lanes.Count; lane++)
            {
                (min, max) = (Math.Min(min, low[lane]), Math.Max(max, high[lane]));
            }
        }
        for (; i < values.Length; i++)
        {
            (min, max) = (Math.Min(min, values[i]), Math.Max(max, values[i]));
        }
        return !double.IsNaN(min);
    }

    /// <summary>As <see cref="Rollup"/> adds up (Neumaier).</summary>
    private static (double High, double Low) SumOf(ReadOnlySpan<double> values)
    {
        double high = 0, low = 0;
        foreach (var value in values)
        {
            var total = high + value;
            if (double.IsFinite(total))
            {
                low += Math.Abs(high) >= Math.Abs(value) ? high - total + value : value - total + high;
            }
            else if (double.IsNaN(total))
            {
                total = double.NaN;
            }
            high = total;
        }
        return (high, low);
    }
}
