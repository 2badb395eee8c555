using Foretier.Core.Segments;
using Foretier.Core.Segments.Integers;

namespace Foretier.Core.Rollups;

/// <summary>
/// Up to a group of rollup rows as columns. Each field is stored by what it differs from another that is known by then, so that the usual
/// case (buckets one step apart, all numbers, a single sample) is a column of zeros.
/// </summary>
internal static partial class RollupColumns
{
    private const int HasFirstStates = 1;
    private const int HasLastStates = 2;

    /// <summary>The first or last number of a row is not its first or last sample.</summary>
    private const int HasOwnNumbers = 4;

    // By reference: a row has more than a hundred bytes.
    private delegate TField FieldOf<TRow, TField>(in TRow row);

    public static void Write(ByteWriter to, ReadOnlySpan<BucketRow> rows, RollupParts parts)
    {
        int flags = 0;
        foreach (ref readonly var row in rows)
        {
            flags |= (row.Rollup.FirstState is null ? 0 : HasFirstStates) | (row.Rollup.LastState is null ? 0 : HasLastStates)
                | ((parts & RollupParts.Increase) == 0 || IsPlain(row.Rollup) ? 0 : HasOwnNumbers);
        }
        to.Byte(flags);
        Integers(to, rows, (in row) => row.Start);
        Integers(to, rows, (in row) => row.Rollup.FirstTime - row.Start);
        Integers(to, rows, (in row) => row.Rollup.LastTime - row.Rollup.FirstTime);
        Integers(to, rows, (in row) => row.Rollup.Count);
        Integers(to, rows, (in row) => row.Rollup.Count - row.Rollup.Numbers);
        Numbers(to, rows, (in rollup) => rollup.Min);
        Numbers(to, rows, (in rollup) => rollup.Max);
        Numbers(to, rows, (in rollup) => rollup.First);
        Numbers(to, rows, (in rollup) => rollup.Last);
        Numbers(to, rows, (in rollup) => rollup.SumHigh);
        Numbers(to, rows, (in rollup) => rollup.SumLow);
        if ((flags & HasFirstStates) != 0)
        {
            States(to, rows, (in rollup) => rollup.FirstState);
        }
        if ((flags & HasLastStates) != 0)
        {
            States(to, rows, (in rollup) => rollup.LastState);
        }
        WriteDetails(to, rows, parts, flags);
    }

    public static void Read(ref ByteReader from, int count, BucketRows into)
    {
        var flags = from.Byte();
        if (flags > (HasFirstStates | HasLastStates | HasOwnNumbers))
        {
            throw new SegmentFormatException($"unknown flags 0x{flags:x2} of rollups");
        }
        var (starts, firstTimes, spans) = (Integers(ref from, count), Integers(ref from, count), Integers(ref from, count));
        var (counts, stateCounts) = (Integers(ref from, count), Integers(ref from, count));
        var (mins, maxes) = (Numbers(ref from, count), Numbers(ref from, count));
        var (firsts, lasts) = (Numbers(ref from, count), Numbers(ref from, count));
        var (sumHighs, sumLows) = (Numbers(ref from, count), Numbers(ref from, count));
        var firstStates = (flags & HasFirstStates) != 0 ? StateColumn.Read(ref from, count, isAll: false) : null;
        var lastStates = (flags & HasLastStates) != 0 ? StateColumn.Read(ref from, count, isAll: false) : null;
        var rollups = new Rollup[count];
        for (var i = 0; i < count; i++)
        {
            rollups[i] = new Rollup
            {
                Count = counts[i],
                Numbers = counts[i] - stateCounts[i],
                Min = mins[i],
                Max = maxes[i],
                FirstTime = starts[i] + firstTimes[i],
                LastTime = starts[i] + firstTimes[i] + spans[i],
                First = firsts[i],
                Last = lasts[i],
                FirstState = firstStates?[i],
                LastState = lastStates?[i],
            };
            rollups[i].RestoreSum(sumHighs[i], sumLows[i]);
        }
        ReadDetails(ref from, rollups, into.Parts, flags);
        for (var i = 0; i < count; i++)
        {
            // Ascending, or rows would fall together and be added up.
            if (counts[i] < 0 || into.Count > 0 && starts[i] <= into.Rows[^1].Start)
            {
                throw new SegmentFormatException("rollups that do not ascend, or count less than nothing");
            }
            into.Merge(starts[i], rollups[i]);
        }
    }

    private static void Integers(ByteWriter to, ReadOnlySpan<BucketRow> rows, FieldOf<BucketRow, long> field)
    {
        using var rented = new Rented<long>(rows.Length);
        var integers = rented.Span;
        for (var i = 0; i < rows.Length; i++)
        {
            integers[i] = field(rows[i]);
        }
        IntColumn.Write(to, integers);
    }

    private static void Numbers(ByteWriter to, ReadOnlySpan<BucketRow> rows, FieldOf<Rollup, double> field)
    {
        using var rented = new Rented<double>(rows.Length);
        var numbers = rented.Span;
        for (var i = 0; i < rows.Length; i++)
        {
            numbers[i] = field(rows[i].Rollup);
        }
        ValueColumn.Write(to, numbers);
    }

    private static void States(ByteWriter to, ReadOnlySpan<BucketRow> rows, FieldOf<Rollup, string?> field)
    {
        var states = new string?[rows.Length];
        for (var i = 0; i < rows.Length; i++)
        {
            states[i] = field(rows[i].Rollup);
        }
        StateColumn.Write(to, states, isAll: false);
    }

    private static long[] Integers(ref ByteReader from, int count)
    {
        var integers = new long[count];
        IntColumn.Read(ref from, integers);
        return integers;
    }

    private static double[] Numbers(ref ByteReader from, int count)
    {
        var numbers = new double[count];
        ValueColumn.Read(ref from, numbers);
        return numbers;
    }
}
