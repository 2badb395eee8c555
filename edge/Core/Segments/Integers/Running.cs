using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Foretier.Core.Segments.Integers;

/// <summary>What turns residuals back into integers: a base added to each, and running sums. All arithmetic wraps.</summary>
internal static class Running
{
    private static Vector256<long> OneUp => Vector256.Create(0, 0, 1, 2L);
    private static Vector256<long> TwoUp => Vector256.Create(0, 0, 0, 1L);

    /// <summary>x = start + x · divisor.</summary>
    public static void Scale(Span<long> numbers, long start, long divisor)
    {
        if (start == 0 && divisor == 1)
        {
            return;
        }
        ref var first = ref MemoryMarshal.GetReference(numbers);
        var i = 0;
        if (Lanes.IsOn)
        {
            var starts = Vector256.Create(start);
            for (; i + Lanes.Count <= numbers.Length; i += Lanes.Count)
            {
                var x = Vector256.LoadUnsafe(ref first, (nuint)i);
                ((divisor == 1 ? x : x * divisor) + starts).StoreUnsafe(ref first, (nuint)i);
            }
        }
        for (; i < numbers.Length; i++)
        {
            numbers[i] = start + numbers[i] * divisor;
        }
    }

    /// <summary>Each number becomes the sum of itself and all before it, begun with <paramref name="sum"/>; gives the last one.</summary>
    /// <param name="each">Added to every number first.</param>
    public static long Sum(Span<long> numbers, long sum, long each = 0)
    {
        ref var first = ref MemoryMarshal.GetReference(numbers);
        var i = 0;
        if (Lanes.IsWide)
        {
            var before = Vector256.Create(sum);
            var extra = Vector256.Create(each);
            for (; i + Lanes.Count <= numbers.Length; i += Lanes.Count)
            {
                // Within the vector first, so that from one to the next there is but one addition to wait for.
                var x = Within(Vector256.LoadUnsafe(ref first, (nuint)i) + extra);
                (x + before).StoreUnsafe(ref first, (nuint)i);
                before += Vector256.Shuffle(x, Vector256.Create(3L));
            }
            sum = before.GetElement(0);
        }
        for (; i < numbers.Length; i++)
        {
            numbers[i] = sum += numbers[i] + each;
        }
        return sum;
    }

    /// <summary>The smallest and the largest of at least one.</summary>
    public static (long Min, long Max) Extremes(ReadOnlySpan<long> numbers)
    {
        var (min, max) = (numbers[0], numbers[0]);
        var i = 0;
        if (Lanes.IsOn && numbers.Length >= Lanes.Count)
        {
            ref var first = ref MemoryMarshal.GetReference(numbers);
            var low = Vector256.LoadUnsafe(ref first);
            var high = low;
            for (; i + Lanes.Count <= numbers.Length; i += Lanes.Count)
            {
                var x = Vector256.LoadUnsafe(ref first, (nuint)i);
                (low, high) = (Vector256.Min(low, x), Vector256.Max(high, x));
            }
            for (var lane = 0; lane < Lanes.Count; lane++)
            {
                (min, max) = (Math.Min(min, low[lane]), Math.Max(max, high[lane]));
            }
        }
        for (; i < numbers.Length; i++)
        {
            (min, max) = (Math.Min(min, numbers[i]), Math.Max(max, numbers[i]));
        }
        return (min, max);
    }

    /// <summary>From differences of one order to those of the next; the first number stays.</summary>
    public static void Differences(Span<long> numbers)
    {
        var i = numbers.Length - 1;
        if (Lanes.IsOn)
        {
            ref var first = ref MemoryMarshal.GetReference(numbers);
            for (; i >= Lanes.Count; i -= Lanes.Count)
            {
                var at = (nuint)(i - Lanes.Count + 1);
                (Vector256.LoadUnsafe(ref first, at) - Vector256.LoadUnsafe(ref first, at - 1)).StoreUnsafe(ref first, at);
            }
        }
        for (; i > 0; i--)
        {
            numbers[i] -= numbers[i - 1];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<long> Within(Vector256<long> x)
    {
        x += Vector256.Shuffle(x, OneUp) & Vector256.Create(0, -1L, -1, -1);
        return x + (Vector256.Shuffle(x, TwoUp) & Vector256.Create(0, 0, -1L, -1));
    }
}
