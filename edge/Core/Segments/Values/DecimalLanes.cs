using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Foretier.Core.Segments.Values;

/// <summary>Columns of integers to decimals and back: the same bits as <see cref="DecimalScale"/> gives one by one.</summary>
internal static class DecimalLanes
{
    /// <summary>
    /// A quotient by 10^p is had without a division: q = x · (1 / d), then q + (x - q · d) · (1 / d), both fused. The rest x - q · d is exact, so
    /// the sum differs from x / d by less than 2^-51 of its last place before it is rounded; and no double comes nearer to the middle of two
    /// others, divided by 10^p, than 1 / (2 · 5^p) of that place, which is 2^-41 and more for p up to 17.
    /// </summary>
    private static bool CanFuse => Fma.IsSupported || AdvSimd.Arm64.IsSupported;

    /// <summary>In place: each integer becomes the double integer / 10^decimals.</summary>
    public static void Divide(Span<double> values, int decimals)
    {
        var integers = MemoryMarshal.Cast<double, long>(values);
        var power = DecimalScale.Power(decimals);
        var i = 0;
        if (Lanes.IsOn)
        {
            ref var first = ref MemoryMarshal.GetReference(values);
            ref var source = ref MemoryMarshal.GetReference(integers);
            var divisor = Vector256.Create(power);
            if (decimals == 0)
            {
                for (; i + Lanes.Count <= values.Length; i += Lanes.Count)
                {
                    Vector256.ConvertToDouble(Vector256.LoadUnsafe(ref source, (nuint)i)).StoreUnsafe(ref first, (nuint)i);
                }
            }
            else if (CanFuse)
            {
                var inverse = Vector256.Create(1 / power);
                for (; i + Lanes.Count <= values.Length; i += Lanes.Count)
                {
                    Quotient(Vector256.ConvertToDouble(Vector256.LoadUnsafe(ref source, (nuint)i)), divisor, inverse).StoreUnsafe(ref first, (nuint)i);
                }
            }
            else
            {
                for (; i + Lanes.Count <= values.Length; i += Lanes.Count)
                {
                    (Vector256.ConvertToDouble(Vector256.LoadUnsafe(ref source, (nuint)i)) / divisor).StoreUnsafe(ref first, (nuint)i);
                }
            }
        }
        for (; i < values.Length; i++)
        {
            values[i] = integers[i] / power;
        }
    }

    /// <summary>The integers of all values that come back from them; of the others, and of what no vector holds, only where they are.</summary>
    /// <param name="doubtful">Room for all and one more; gets their indexes, ascending.</param>
    /// <returns>How many those are.</returns>
    public static int Scale(ReadOnlySpan<double> values, int decimals, Span<long> integers, Span<int> doubtful)
    {
        var (i, count) = (0, 0);
        if (Lanes.IsOn && CanFuse)
        {
            ref var source = ref MemoryMarshal.GetReference(values);
            ref var first = ref MemoryMarshal.GetReference(integers);
            var power = DecimalScale.Power(decimals);
            var (divisor, inverse) = (Vector256.Create(power), Vector256.Create(1 / power));
            // Adding this leaves the nearest integer in the low bits, as long as it is within 2^51.
            var magic = Vector256.Create(6755399441055744.0);
            var most = Vector256.Create((double)(1L << 51));
            for (; i + Lanes.Count <= values.Length; i += Lanes.Count)
            {
                var value = Vector256.LoadUnsafe(ref source, (nuint)i);
                var scaled = value * divisor;
                var shifted = scaled + magic;
                (shifted.AsInt64() - magic.AsInt64()).StoreUnsafe(ref first, (nuint)i);
                var back = Quotient(shifted - magic, divisor, inverse);
                var holds = Vector256.LessThan(Vector256.Abs(scaled), most).AsInt64() & Vector256.Equals(back.AsInt64(), value.AsInt64());
                if (holds == Vector256<long>.AllBitsSet)
                {
                    continue;
                }
                var others = ~holds.ExtractMostSignificantBits();
                for (var lane = 0; lane < Lanes.Count; lane++)
                {
                    // Written always and kept if it is one: a branch would go wrong with every other.
                    doubtful[count] = i + lane;
                    count += (int)(others >> lane) & 1;
                }
            }
        }
        for (; i < values.Length; i++)
        {
            doubtful[count++] = i;
        }
        return count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<double> Quotient(Vector256<double> x, Vector256<double> divisor, Vector256<double> inverse)
    {
        var near = x * inverse;
        return Vector256.FusedMultiplyAdd(Vector256.FusedMultiplyAdd(-near, divisor, x), inverse, near);
    }
}
