using System.Runtime.InteropServices;

namespace Foretier.Core.Segments.Integers;

/// <summary>
/// A column of 64-bit integers: as they are, as differences, or as differences of differences, whichever packs best, less a base and
/// divided by what all share; then either by a <see cref="PrefixColumn"/>, or at one width, where the few that need more bits have the rest
/// listed behind (patched frame of reference). All arithmetic wraps, so that every column of longs round-trips. Layout in FORMAT.md.
/// </summary>
internal static class IntColumn
{
    // The low six bits of the first byte: a width, or what else there is to say. The two above are the order of the differences.
    private const int PlainWidthMax = 60;
    private const int WithExceptions = 61;
    private const int Prefixed = 62;
    private const int Flagged = 63;

    private const int HasDivisor = 1;
    private const int HasExceptions = 2;
    private const int IsPrefixed = 4;

    /// <param name="orders">Which orders are worth a plan, if that is known: a bit for each.</param>
    public static void Write(ByteWriter to, ReadOnlySpan<long> integers, int orders = 0) =>
        Write(to, integers, mayPrefix: true, orders, double.MaxValue);

    /// <summary>False, and nothing is written, where that would take about more than <paramref name="bitsMax"/>.</summary>
    public static bool TryWrite(ByteWriter to, ReadOnlySpan<long> integers, double bitsMax) =>
        bitsMax > 0 && Write(to, integers, mayPrefix: true, orders: 0, bitsMax);

    /// <summary>Without a prefix code: for the columns that one is made of.</summary>
    internal static void WritePacked(ByteWriter to, ReadOnlySpan<long> integers) =>
        Write(to, integers, mayPrefix: false, orders: 0, double.MaxValue);

    private static bool Write(ByteWriter to, ReadOnlySpan<long> integers, bool mayPrefix, int orders, double bitsMax)
    {
        if (integers.IsEmpty)
        {
            return true;
        }
        // A sample tells which orders are worth a whole plan.
        orders = orders == 0 ? IntOrders.Of(integers, mayPrefix) : orders;
        using var rented = new Rented<long>(2 * integers.Length);
        var residuals = rented.Span[..integers.Length];
        var body = rented.Span[integers.Length..];
        var tally = new SymbolTally();
        var best = default(IntPlan) with { Bits = double.MaxValue };
        var (seedBits, planned) = (0, default(IntPlan));
        integers.CopyTo(residuals);
        for (var order = 0; order <= 2 && order <= integers.Length - 1; order++)
        {
            if (order > 0)
            {
                seedBits += 8 * ByteWriter.VarUIntLength(ZigZag.Encode(residuals[order - 1]));
                Running.Differences(residuals[(order - 1)..]);
            }
            if ((orders >> order & 1) == 0)
            {
                continue;
            }
            var before = planned.Bits;
            planned = IntPlan.For(residuals[order..], order, seedBits, mayPrefix, body, ref tally);
            best = planned.Bits < best.Bits ? planned : best;
            if (planned.IsConstant || orders >> (order + 1) == 0 || (before > 0 && IntOrders.IsNoise(before, planned.Bits, integers.Length)))
            {
                break;
            }
        }
        if (best.Bits > bitsMax)
        {
            tally.Dispose();
            return false;
        }
        if (best.Order < planned.Order)
        {
            // Its differences and their body have been overwritten by those of the order after it.
            integers.CopyTo(residuals);
            for (var order = 1; order <= best.Order; order++)
            {
                Running.Differences(residuals[(order - 1)..]);
            }
            Reduction.Reduce(residuals[best.Order..], best.Min, best.Divisor, body);
            tally.Forget();
        }
        Write(to, residuals[..best.Order], body[..(integers.Length - best.Order)], best, ref tally);
        tally.Dispose();
        return true;
    }

    private static void Write(ByteWriter to, ReadOnlySpan<long> seeds, Span<long> body, in IntPlan plan, scoped ref SymbolTally tally)
    {
        var isPrefixed = plan.Floor > 0;
        var flags = (plan.Divisor > 1 ? HasDivisor : 0) | (isPrefixed ? IsPrefixed : plan.Exceptions > 0 ? HasExceptions : 0);
        var head = flags switch
        {
            0 when plan.Width <= PlainWidthMax => plan.Width,
            HasExceptions => WithExceptions,
            IsPrefixed => Prefixed,
            _ => Flagged,
        };
        to.Byte(plan.Order << 6 | head);
        if (head == Flagged)
        {
            to.Byte(flags);
        }
        if (head is WithExceptions or Flagged && !isPrefixed)
        {
            to.Byte(plan.Width);
        }
        foreach (var seed in seeds)
        {
            to.VarInt(seed);
        }
        to.VarInt(plan.Base);
        if (plan.Divisor > 1)
        {
            to.VarUInt((ulong)plan.Divisor);
        }
        Running.Scale(body, -plan.Offset, 1);
        if (isPrefixed)
        {
            tally.Choose(body, plan);
            PrefixColumn.Write(to, body, tally);
        }
        else
        {
            WriteBody(to, body, plan);
        }
    }

    private static void WriteBody(ByteWriter to, ReadOnlySpan<long> body, in IntPlan plan)
    {
        BitPack.Pack(MemoryMarshal.Cast<long, ulong>(body), plan.Width, to.Reserve(BitPack.BytesOf(body.Length, plan.Width)));
        if (plan.Exceptions == 0)
        {
            return;
        }
        to.VarUInt((ulong)plan.Exceptions);
        var next = 0;
        for (var i = 0; i < body.Length; i++)
        {
            if ((ulong)body[i] >> plan.Width == 0)
            {
                continue;
            }
            to.VarUInt((ulong)(i - next));
            to.VarInt(body[i] >> plan.Width);
            next = i + 1;
        }
    }

    /// <summary>Fills <paramref name="integers"/>; their number is known to the caller, the column does not hold it.</summary>
    public static void Read(ref ByteReader from, scoped Span<long> integers) => Read(ref from, integers, mayPrefix: true);

    /// <summary>A column of which all integers are equal.</summary>
    public static void WriteConstant(ByteWriter to, long value)
    {
        to.Byte(0);
        to.VarInt(value);
    }

    /// <summary>Takes a column of which all integers are equal; false, and nothing is read, where it is not plainly one.</summary>
    public static bool TryReadConstant(ref ByteReader from, int count, out long value)
    {
        value = 0;
        if (count == 0 || from.Peek() != 0)
        {
            return false;
        }
        from.Byte();
        value = from.VarInt();
        return true;
    }

    internal static void ReadPacked(ref ByteReader from, scoped Span<long> integers) => Read(ref from, integers, mayPrefix: false);

    private static void Read(ref ByteReader from, scoped Span<long> integers, bool mayPrefix)
    {
        if (integers.IsEmpty)
        {
            return;
        }
        var head = from.Byte();
        var order = head >> 6;
        head &= 63;
        var flags = head switch
        {
            WithExceptions => HasExceptions,
            Prefixed => IsPrefixed,
            Flagged => from.Byte(),
            _ => 0,
        };
        var isPrefixed = (flags & IsPrefixed) != 0;
        var width = head <= PlainWidthMax ? head : isPrefixed ? 0 : from.Byte();
        if (order > Math.Min(2, integers.Length) || flags > (HasDivisor | IsPrefixed) || (isPrefixed && !mayPrefix) || width > 64)
        {
            throw new SegmentFormatException($"unknown packing of integers: order {order}, flags {flags}, width {width}");
        }
        for (var i = 0; i < order; i++)
        {
            integers[i] = from.VarInt();
        }
        var start = from.VarInt();
        var divisor = (flags & HasDivisor) != 0 ? (long)from.VarUInt() : 1;
        var body = integers[order..];
        if (isPrefixed)
        {
            PrefixColumn.Read(ref from, body);
        }
        else
        {
            BitPack.Unpack(from.Bytes(BitPack.BytesOf(body.Length, width)), width, MemoryMarshal.Cast<long, ulong>(body));
            if ((flags & HasExceptions) != 0)
            {
                Patch(ref from, body, width);
            }
        }
        Restore(integers, order, start, divisor);
    }

    private static void Patch(ref ByteReader from, scoped Span<long> body, int width)
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

    private static void Restore(Span<long> integers, int order, long start, long divisor)
    {
        var body = integers[order..];
        Running.Scale(body, order == 0 ? start : 0, divisor);
        if (order == 2)
        {
            Running.Sum(body, integers[1], start);
        }
        if (order > 0)
        {
            Running.Sum(integers[1..], integers[0], order == 1 ? start : 0);
        }
    }
}
