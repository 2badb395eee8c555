using Foretier.Core.Rollups;
using Foretier.Core.Samples;

namespace Foretier.Tests.Unit.Segments;

/// <summary>Equality to the bit: NaN equals itself with the same payload, and 0 is not -0.</summary>
internal static class SegmentAssert
{
    public static bool SameBits(double a, double b) => BitConverter.DoubleToInt64Bits(a) == BitConverter.DoubleToInt64Bits(b);

    public static bool Same(SampleColumns a, SampleColumns b)
    {
        if (a.Count != b.Count || !a.Times.SequenceEqual(b.Times))
        {
            return false;
        }
        for (var i = 0; i < a.Count; i++)
        {
            if (!SameBits(a.Values[i], b.Values[i]) || a.StateAt(i) != b.StateAt(i))
            {
                return false;
            }
        }
        return true;
    }

    public static bool Same(in Rollup a, in Rollup b) =>
        (a.Count, a.Numbers, a.FirstTime, a.LastTime, a.FirstState, a.LastState) == (b.Count, b.Numbers, b.FirstTime, b.LastTime, b.FirstState, b.LastState)
        && SameBits(a.Min, b.Min) && SameBits(a.Max, b.Max) && SameBits(a.First, b.First) && SameBits(a.Last, b.Last)
        && SameBits(a.SumHigh, b.SumHigh) && SameBits(a.SumLow, b.SumLow);

    public static Rollup RollupOf(SampleColumns samples)
    {
        var rollup = default(Rollup);
        for (var i = 0; i < samples.Count; i++)
        {
            rollup.Add(samples.Times[i], samples.Values[i], samples.StateAt(i));
        }
        return rollup;
    }
}
