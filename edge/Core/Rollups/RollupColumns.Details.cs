using Foretier.Core.Segments;
using Foretier.Core.Segments.Integers;

namespace Foretier.Core.Rollups;

/// <content>The parts that not every rollup has.</content>
internal static partial class RollupColumns
{
    /// <summary>Bounds what a damaged header can ask for: a group's states or sketch intervals.</summary>
    private const long ItemsMax = 8_000_000;

    /// <summary>Numbers first and last, as nearly always: then they need not be stored again.</summary>
    private static bool IsPlain(in Rollup rollup) =>
        rollup.Detail!.HasNumber && rollup is { FirstState: null, LastState: null }
        && IsSame(rollup.Detail.FirstNumber, rollup.First) && IsSame(rollup.Detail.LastNumber, rollup.Last);

    private static bool IsSame(double a, double b) => BitConverter.DoubleToInt64Bits(a) == BitConverter.DoubleToInt64Bits(b);

    private static void WriteDetails(ByteWriter to, ReadOnlySpan<BucketRow> rows, RollupParts parts, int flags)
    {
        if ((parts & RollupParts.Spread) != 0)
        {
            Numbers(to, rows, (in rollup) => rollup.Detail!.M2);
        }
        if ((parts & RollupParts.Increase) != 0)
        {
            Numbers(to, rows, (in rollup) => rollup.Detail!.Resets);
            if ((flags & HasOwnNumbers) != 0)
            {
                Integers(to, rows, (in row) => row.Rollup.Detail!.HasNumber ? 1 : 0);
                Numbers(to, rows, (in rollup) => rollup.Detail!.FirstNumber);
                Numbers(to, rows, (in rollup) => rollup.Detail!.LastNumber);
            }
        }
        if ((parts & RollupParts.Durations) != 0)
        {
            var states = new List<string?>();
            var times = new List<long>();
            foreach (ref readonly var row in rows)
            {
                foreach (var (state, micros) in row.Rollup.Detail!.Durations.OrderBy(d => d.Key, StringComparer.Ordinal))
                {
                    states.Add(state);
                    times.Add(micros);
                }
            }
            Integers(to, rows, (in row) => row.Rollup.Detail!.Durations.Count);
            StateColumn.Write(to, [.. states], isAll: true);
            IntColumn.Write(to, [.. times]);
        }
        if ((parts & RollupParts.Sketch) != 0)
        {
            var keys = new List<long>();
            var counts = new List<long>();
            foreach (ref readonly var row in rows)
            {
                var sketch = row.Rollup.Detail!.Sketch;
                for (var i = 0; i < sketch.Length; i++)
                {
                    keys.Add(sketch.Keys[i]);
                    counts.Add(sketch.Counts[i]);
                }
            }
            Integers(to, rows, (in row) => row.Rollup.Detail!.Sketch.Length);
            IntColumn.Write(to, [.. keys]);
            IntColumn.Write(to, [.. counts]);
        }
    }

    private static void ReadDetails(ref ByteReader from, Span<Rollup> rollups, RollupParts parts, int flags)
    {
        if (parts == RollupParts.None)
        {
            return;
        }
        foreach (ref var rollup in rollups)
        {
            rollup.Detail = new(parts);
        }
        if ((parts & RollupParts.Spread) != 0)
        {
            var spreads = Numbers(ref from, rollups.Length);
            for (var i = 0; i < rollups.Length; i++)
            {
                rollups[i].Detail!.M2 = spreads[i];
            }
        }
        if ((parts & RollupParts.Increase) != 0)
        {
            ReadIncreases(ref from, rollups, (flags & HasOwnNumbers) != 0);
        }
        if ((parts & RollupParts.Durations) != 0)
        {
            ReadDurations(ref from, rollups);
        }
        if ((parts & RollupParts.Sketch) != 0)
        {
            ReadSketches(ref from, rollups);
        }
    }

    private static void ReadIncreases(ref ByteReader from, Span<Rollup> rollups, bool hasOwnNumbers)
    {
        var resets = Numbers(ref from, rollups.Length);
        var has = hasOwnNumbers ? Integers(ref from, rollups.Length) : null;
        var firsts = hasOwnNumbers ? Numbers(ref from, rollups.Length) : null;
        var lasts = hasOwnNumbers ? Numbers(ref from, rollups.Length) : null;
        for (var i = 0; i < rollups.Length; i++)
        {
            var detail = rollups[i].Detail!;
            detail.Resets = resets[i];
            detail.HasNumber = has is null || has[i] != 0;
            detail.FirstNumber = firsts?[i] ?? rollups[i].First;
            detail.LastNumber = lasts?[i] ?? rollups[i].Last;
        }
    }

    private static void ReadDurations(ref ByteReader from, Span<Rollup> rollups)
    {
        var lengths = Integers(ref from, rollups.Length);
        var total = Total(lengths);
        var states = StateColumn.Read(ref from, total, isAll: true);
        var times = Integers(ref from, total);
        for (int i = 0, at = 0; i < rollups.Length; i++)
        {
            for (var end = at + lengths[i]; at < end; at++)
            {
                rollups[i].Detail!.AddDuration(states[at]!, times[at]);
            }
        }
    }

    private static void ReadSketches(ref ByteReader from, Span<Rollup> rollups)
    {
        var lengths = Integers(ref from, rollups.Length);
        var total = Total(lengths);
        var keys = Integers(ref from, total);
        var counts = Integers(ref from, total);
        for (int i = 0, at = 0; i < rollups.Length; i++)
        {
            for (var end = at + lengths[i]; at < end; at++)
            {
                if (keys[at] != (int)keys[at] || counts[at] < 0)
                {
                    throw new SegmentFormatException($"a sketch with interval {keys[at]} counting {counts[at]}");
                }
                rollups[i].Detail!.Sketch.Add((int)keys[at], counts[at]);
            }
        }
    }

    private static int Total(long[] lengths)
    {
        var total = 0L;
        foreach (var length in lengths)
        {
            total += length is >= 0 and <= ItemsMax ? length : ItemsMax + 1;
        }
        return total <= ItemsMax ? (int)total : throw new SegmentFormatException($"more than {ItemsMax} parts of rollups");
    }
}
