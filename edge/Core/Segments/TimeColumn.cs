using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Foretier.Core.Segments.Integers;

namespace Foretier.Core.Segments;

/// <summary>
/// Ascending times of a chunk, whose first is known from its header: the steps between them as an <see cref="IntColumn"/>,
/// which costs next to nothing where the step is constant, and divides out what irregular steps share; or, where readings are taken by the clock
/// but come a little late, by how much each is off an even step: that varies half as much as the steps do.
/// </summary>
internal static class TimeColumn
{
    /// <summary>In place of an integer column's first byte, where 3 is not an order.</summary>
    private const int Even = 0xC0;

    /// <param name="unit">Every step is a multiple of it, µs.</param>
    public static void Write(ByteWriter to, ReadOnlySpan<long> times, TimeUnit unit)
    {
        if (times.Length == 1)
        {
            return;
        }
        if (IsEven(times))
        {
            IntColumn.WriteConstant(to, (times[1] - times[0]) / unit.Micros);
            return;
        }
        using var rented = new Rented<long>(times.Length - 1);
        var steps = rented.Span;
        Reduction.Reduce(times[1..], times[0], times[^1], unit.Micros, steps);
        var step = times.Length > 3 ? EvenStep(steps) : 0;
        if (step > 0)
        {
            using var rentedOffs = new Rented<long>(steps.Length);
            var offs = rentedOffs.Span;
            steps.CopyTo(offs);
            AddRamp(offs, -step, -step);
            Running.Differences(steps);
            if (BitsOf(Running.Extremes(offs)) < BitsOf(Running.Extremes(steps)))
            {
                // Their differences are the steps less the even one: a sample of them tells about both.
                var orders = IntOrders.Of(offs, mayPrefix: true, out var best);
                if (best == 0)
                {
                    to.Byte(Even);
                    to.VarUInt((ulong)step);
                    IntColumn.Write(to, offs, orders);
                    return;
                }
                IntColumn.Write(to, steps, orders >> 1);
                return;
            }
        }
        else
        {
            Running.Differences(steps);
        }
        IntColumn.Write(to, steps);

        // 64 where the range itself overflows.
        static int BitsOf((long Min, long Max) of) => Bits.Length((ulong)(of.Max - of.Min));
    }

    /// <summary>Fills <paramref name="times"/>, and makes sure that they ascend and end at <paramref name="last"/>.</summary>
    public static void Read(ref ByteReader from, Span<long> times, long unit, long first, long last)
    {
        times[0] = first;
        var rest = times[1..];
        if (!rest.IsEmpty && from.Peek() == Even)
        {
            from.Byte();
            var step = (long)from.VarUInt();
            IntColumn.Read(ref from, rest);
            AddRamp(rest, step, step);
            Running.Scale(rest, first, unit);
        }
        else if (IntColumn.TryReadConstant(ref from, rest.Length, out var step))
        {
            if (step <= 0 || (Int128)step * unit * rest.Length != (Int128)last - first)
            {
                throw new SegmentFormatException("times that do not ascend to the last one");
            }
            rest.Clear();
            AddRamp(rest, first + step * unit, step * unit);
            return;
        }
        else
        {
            IntColumn.Read(ref from, rest);
            Running.Scale(rest, 0, unit);
            Running.Sum(rest, first);
        }
        if (times[^1] != last || !Ascend(times))
        {
            throw new SegmentFormatException("times that do not ascend to the last one");
        }
    }

    public static bool Ascend(ReadOnlySpan<long> times)
    {
        ref var first = ref MemoryMarshal.GetReference(times);
        var i = 1;
        if (Lanes.IsOn)
        {
            var ascend = Vector256<long>.AllBitsSet;
            for (; i + Lanes.Count <= times.Length; i += Lanes.Count)
            {
                ascend &= Vector256.GreaterThan(Vector256.LoadUnsafe(ref first, (nuint)i), Vector256.LoadUnsafe(ref first, (nuint)i - 1));
            }
            if (ascend != Vector256<long>.AllBitsSet)
            {
                return false;
            }
        }
        for (; i < times.Length; i++)
        {
            if (times[i] <= times[i - 1])
            {
                return false;
            }
        }
        return true;
    }

    /// <summary>True where all steps are the same.</summary>
    public static bool IsEven(ReadOnlySpan<long> times)
    {
        var step = times[1] - times[0];
        ref var first = ref MemoryMarshal.GetReference(times);
        var i = 1;
        if (Lanes.IsOn)
        {
            var steps = Vector256.Create(step);
            for (; i + Lanes.Count <= times.Length; i += Lanes.Count)
            {
                if (Vector256.LoadUnsafe(ref first, (nuint)i) - Vector256.LoadUnsafe(ref first, (nuint)i - 1) != steps)
                {
                    return false;
                }
            }
        }
        for (; i < times.Length; i++)
        {
            if (times[i] - times[i - 1] != step)
            {
                return false;
            }
        }
        return true;
    }

    /// <summary>The even step nearest to times since the first; 0 or less where there is none.</summary>
    private static long EvenStep(ReadOnlySpan<long> times)
    {
        // Least squares over all: the ends alone would be off by their own lateness. Four sums at a time, for an addition takes four cycles.
        double sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0, weighted0 = 0, weighted1 = 0, weighted2 = 0, weighted3 = 0;
        var i = 0;
        for (; i + 4 <= times.Length; i += 4)
        {
            double a = times[i], b = times[i + 1], c = times[i + 2], d = times[i + 3];
            sum0 += a;
            sum1 += b;
            sum2 += c;
            sum3 += d;
            weighted0 += a * i;
            weighted1 += b * (i + 1);
            weighted2 += c * (i + 2);
            weighted3 += d * (i + 3);
        }
        for (; i < times.Length; i++)
        {
            sum0 += times[i];
            weighted0 += (double)times[i] * i;
        }
        double count = times.Length, sum = sum0 + sum1 + (sum2 + sum3), weighted = weighted0 + weighted1 + (weighted2 + weighted3);
        return (long)Math.Round((weighted - sum * (count - 1) / 2) * 12 / (count * (count * count - 1)));
    }

    /// <summary>Adds start, start + step, start + 2 step, …</summary>
    private static void AddRamp(Span<long> numbers, long start, long step)
    {
        ref var first = ref MemoryMarshal.GetReference(numbers);
        var i = 0;
        if (Lanes.IsOn)
        {
            var ramp = Vector256.Create(start, start + step, start + 2 * step, start + 3 * step);
            var up = Vector256.Create(4 * step);
            for (; i + Lanes.Count <= numbers.Length; i += Lanes.Count, ramp += up)
            {
                (Vector256.LoadUnsafe(ref first, (nuint)i) + ramp).StoreUnsafe(ref first, (nuint)i);
            }
        }
        for (; i < numbers.Length; i++)
        {
            numbers[i] += start + i * step;
        }
    }
}
