using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Foretier.Core.Segments.Integers;

namespace Foretier.Core.Segments.Values;

/// <summary>Each value once, with how often it repeats.</summary>
internal static class RunValues
{
    public static int CountOf(ReadOnlySpan<double> values)
    {
        var bits = ValueColumn.BitsOf(values);
        var runs = 1;
        var i = 1;
        if (Lanes.IsOn)
        {
            ref var first = ref MemoryMarshal.GetReference(bits);
            var same = Vector256<long>.Zero;
            for (; i + Lanes.Count <= bits.Length; i += Lanes.Count)
            {
                // Each equal neighbour counts -1.
                same += Vector256.Equals(Vector256.LoadUnsafe(ref first, (nuint)i), Vector256.LoadUnsafe(ref first, (nuint)i - 1));
            }
            runs += i - 1 + (int)Vector256.Sum(same);
        }
        for (; i < bits.Length; i++)
        {
            runs += bits[i] != bits[i - 1] ? 1 : 0;
        }
        return runs;
    }

    public static void Write(ByteWriter to, ReadOnlySpan<double> values, int runs)
    {
        using var rentedHeads = new Rented<double>(runs);
        using var rentedLengths = new Rented<long>(runs);
        var heads = rentedHeads.Span;
        var lengths = rentedLengths.Span;
        var bits = ValueColumn.BitsOf(values);
        // Each value is the last of its run until the next one is: no branch, which would go wrong with every run.
        (heads[0], lengths[0]) = (values[0], 1);
        for (int i = 1, run = 0; i < bits.Length; i++)
        {
            run += bits[i] != bits[i - 1] ? 1 : 0;
            (heads[run], lengths[run]) = (values[i], i + 1);
        }
        Running.Differences(lengths);
        to.VarUInt((ulong)runs);
        IntColumn.Write(to, lengths);
        ValueColumn.Write(to, heads, mayRun: false);
    }

    public static void Read(ref ByteReader from, Span<double> values)
    {
        var runs = from.Count(values.Length, "runs");
        using var rentedHeads = new Rented<double>(runs);
        using var rentedLengths = new Rented<long>(runs);
        var heads = rentedHeads.Span;
        var lengths = rentedLengths.Span;
        IntColumn.Read(ref from, lengths);
        ValueColumn.Read(ref from, heads, mayRun: false);
        var at = 0;
        for (var run = 0; run < runs; run++)
        {
            if (lengths[run] <= 0 || lengths[run] > values.Length - at)
            {
                throw new SegmentFormatException("runs that do not add up to their column");
            }
            values.Slice(at, (int)lengths[run]).Fill(heads[run]);
            at += (int)lengths[run];
        }
        if (at != values.Length)
        {
            throw new SegmentFormatException("runs that do not add up to their column");
        }
    }
}
