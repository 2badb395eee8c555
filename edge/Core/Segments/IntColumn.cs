using System.Runtime.InteropServices;

namespace Foretier.Core.Segments;

/// <summary>
/// A column of 64-bit integers: as they are, as differences, or as differences of differences, whichever packs best, less a base,
/// divided by what all share, at one width; the few that need more bits have the rest listed behind (patched frame of reference).
/// All arithmetic wraps, so that every column of longs round-trips. Layout in FORMAT.md.
/// </summary>
internal static class IntColumn
{
    private const int HasDivisor = 4;
    private const int HasExceptions = 8;

    public static void Write(ByteWriter to, ReadOnlySpan<long> ints)
    {
        if (ints.IsEmpty)
        {
            return;
        }
        Span<long> residuals = ints.Length <= 512 ? stackalloc long[ints.Length] : new long[ints.Length];
        ints.CopyTo(residuals);
        var best = IntPlan.For(residuals, 0, 0);
        var seedBits = 0;
        for (var order = 1; order <= 2 && order < ints.Length && !best.IsConstant; order++)
        {
            seedBits += 8 * ByteWriter.VarUIntLength(ZigZag.Encode(residuals[order - 1]));
            Difference(residuals, order);
            var plan = IntPlan.For(residuals[order..], order, seedBits);
            if (plan.Bits < best.Bits)
            {
                best = plan;
            }
        }
        ints.CopyTo(residuals);
        for (var order = 1; order <= best.Order; order++)
        {
            Difference(residuals, order);
        }
        Write(to, residuals, best);
    }

    private static void Write(ByteWriter to, Span<long> residuals, in IntPlan plan)
    {
        var body = residuals[plan.Order..];
        to.Byte(plan.Order | (plan.Divisor > 1 ? HasDivisor : 0) | (plan.Exceptions > 0 ? HasExceptions : 0));
        to.Byte(plan.Width);
        for (var i = 0; i < plan.Order; i++)
        {
            to.VarInt(residuals[i]);
        }
        to.VarInt(plan.Base);
        if (plan.Divisor > 1)
        {
            to.VarUInt((ulong)plan.Divisor);
        }
        for (var i = 0; i < body.Length; i++)
        {
            body[i] = plan.Reduce(body[i]);
        }
        BitPack.Pack(MemoryMarshal.Cast<long, ulong>(body), plan.Width, to.Reserve(BitPack.BytesOf(body.Length, plan.Width)));
        if (plan.Exceptions == 0)
        {
            return;
        }
        to.VarUInt((ulong)plan.Exceptions);
        var next = 0;
        for (var i = 0; i < body.Length; i++)
        {
            if (plan.Fits(body[i]))
            {
                continue;
            }
            to.VarUInt((ulong)(i - next));
            to.VarInt(body[i] >> plan.Width);
            next = i + 1;
        }
    }

    /// <summary>Fills <paramref name="ints"/>; their number is known to the caller, the column does not hold it.</summary>
    public static void Read(ref ByteReader from, Span<long> ints)
    {
        if (ints.IsEmpty)
        {
            return;
        }
        var mode = from.Byte();
        var order = mode & 3;
        var width = from.Byte();
        if (order > 2 || order > ints.Length || mode > (HasDivisor | HasExceptions | 2) || width > 64)
        {
            throw new SegmentFormatException($"unknown integer packing {mode} of width {width}");
        }
        for (var i = 0; i < order; i++)
        {
            ints[i] = from.VarInt();
        }
        var start = from.VarInt();
        var divisor = (mode & HasDivisor) != 0 ? (long)from.VarUInt() : 1;
        var body = ints[order..];
        BitPack.Unpack(from.Bytes(BitPack.BytesOf(body.Length, width)), width, MemoryMarshal.Cast<long, ulong>(body));
        if ((mode & HasExceptions) != 0)
        {
            Patch(ref from, body, width);
        }
        Restore(ints, order, start, divisor);
    }

    private static void Patch(ref ByteReader from, Span<long> body, int width)
    {
        var count = from.Count(body.Length, "exceptions");
        if (count > 0 && width == 64)
        {
            throw new SegmentFormatException("exceptions to a packing that is full width");
        }
        var next = 0;
        for (var i = 0; i < count; i++)
        {
            next += from.Count(body.Length - next - 1, "integers skipped");
            body[next++] |= from.VarInt() << width;
            if (next == body.Length && i + 1 < count)
            {
                throw new SegmentFormatException("an exception lies beyond its column");
            }
        }
    }

    private static void Restore(Span<long> ints, int order, long start, long divisor)
    {
        var body = ints[order..];
        switch (order)
        {
            case 0 when divisor == 1:
                foreach (ref var x in body)
                {
                    x += start;
                }
                break;
            case 0:
                foreach (ref var x in body)
                {
                    x = start + x * divisor;
                }
                break;
            case 1:
                var last = ints[0];
                foreach (ref var x in body)
                {
                    x = last += start + x * divisor;
                }
                break;
            default:
                var step = ints[1];
                var at = ints[0] + step;
                ints[1] = at;
                foreach (ref var x in body)
                {
                    step += start + x * divisor;
                    x = at += step;
                }
                break;
        }
    }

    /// <summary>From differences of order - 1 to those of <paramref name="order"/>: the leading ones stay as seeds.</summary>
    private static void Difference(Span<long> residuals, int order)
    {
        for (var i = residuals.Length - 1; i >= order; i--)
        {
            residuals[i] -= residuals[i - 1];
        }
    }
}
