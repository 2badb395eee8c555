using Foretier.Core.Rollups;
using ParquetSharp;

namespace Foretier.Archive.Parquet;

/// <summary>Rows of one series in a rollup file.</summary>
/// <param name="Start">The row where they begin.</param>
internal readonly record struct RollupRun(ArchivedSeries Series, long Start, int Rows);

/// <summary>Reads runs of rows of one rollup file. As of samples, which rows a series has follows from the counts of those before it.</summary>
internal sealed class RollupFileReader : IDisposable
{
    private readonly ParquetFileReader _file;

    /// <param name="content">Seekable; not owned.</param>
    /// <exception cref="ParquetException">The content is not a Parquet file.</exception>
    /// <exception cref="InvalidDataException">It is of a version that this program does not know.</exception>
    public RollupFileReader(Stream content)
    {
        _file = SeriesFiles.Open(content);
        if (Metadata.GetValueOrDefault(RawSchema.FormatKey) is var format && format != RollupSchema.Format)
        {
            _file.Dispose();
            throw new InvalidDataException($"rollups of format {format} are not known to this program ({RollupSchema.Format})");
        }
    }

    public long Rows => _file.FileMetaData.NumRows;
    public IReadOnlyDictionary<string, string> Metadata => _file.FileMetaData.KeyValueMetadata;

    /// <summary>The rows of each run. Each column of a row group is read once, forward.</summary>
    /// <param name="runs">Ascending.</param>
    /// <param name="needs">The details to read; all rows have them.</param>
    /// <exception cref="InvalidDataException">The rows are not those of the series.</exception>
    public BucketRow[][] Read(IReadOnlyList<RollupRun> runs, RollupParts needs)
    {
        var rows = runs.Select(run => new List<BucketRow>(run.Rows)).ToArray();
        var groupStart = 0L;
        for (var g = 0; g < _file.FileMetaData.NumRowGroups; g++)
        {
            using var group = _file.RowGroup(g);
            var groupEnd = groupStart + group.MetaData.NumRows;
            List<(List<BucketRow> Into, Stretch Stretch)> within = [];
            for (var i = 0; i < runs.Count; i++)
            {
                var (from, to) = (Math.Max(runs[i].Start, groupStart), Math.Min(runs[i].Start + runs[i].Rows, groupEnd));
                if (from < to)
                {
                    within.Add((rows[i], new(from - groupStart, (int)(to - from), runs[i].Series.States > 0)));
                }
            }
            var at = 0;
            var read = within.Count > 0 ? Read(group, [.. within.Select(w => w.Stretch)], needs) : [];
            foreach (var (into, stretch) in within)
            {
                into.AddRange(read.AsSpan(at, stretch.Count));
                at += stretch.Count;
            }
            groupStart = groupEnd;
        }
        for (var i = 0; i < runs.Count; i++)
        {
            Check(runs[i], rows[i]);
        }
        return Array.ConvertAll(rows, list => list.ToArray());
    }

    /// <summary>Where the columns lie that <see cref="Read(IReadOnlyList{RollupRun}, RollupParts)"/> will read: offsets [From, To) in the file.</summary>
    public IEnumerable<(long From, long To)> ColumnsOf(IReadOnlyList<RollupRun> runs, RollupParts needs) => ColumnPlaces.Of(_file, (from, to) =>
    {
        var inGroup = runs.Where(run => run.Start < to && run.Start + run.Rows > from).ToList();
        return inGroup.Count == 0 ? [] : [.. RollupSchema.ColumnsOf(needs, inGroup.Exists(run => run.Series.States > 0))];
    });

    public void Dispose() => _file.Dispose();

    private static BucketRow[] Read(RowGroupReader group, List<Stretch> stretches, RollupParts needs)
    {
        long[] Integers(int column) => ReadIntegers(group, column, stretches);
        double?[] Numbers(int column) => ReadNumbers(group, column, stretches);
        T[]? ColumnIf<T>(bool isNeeded, int column) => isNeeded ? ReadColumn<T>(group, column, stretches) : null;
        bool Needs(RollupParts part) => (needs & part) != 0;
        var (starts, firstTimes, lastTimes) = (Integers(RollupSchema.Time), Integers(RollupSchema.FirstTime), Integers(RollupSchema.LastTime));
        var (counts, sums) = (Integers(RollupSchema.Count), Numbers(RollupSchema.Sum));
        var (mins, maxes) = (Numbers(RollupSchema.Min), Numbers(RollupSchema.Max));
        var (firsts, lasts) = (Numbers(RollupSchema.First), Numbers(RollupSchema.Last));
        var hasStates = stretches.Exists(stretch => stretch.HasStates);
        var (firstStates, lastStates) = (ColumnIf<string?>(hasStates, RollupSchema.FirstState), ColumnIf<string?>(hasStates, RollupSchema.LastState));
        var (spreads, resets) = (Needs(RollupParts.Spread) ? Numbers(RollupSchema.M2) : null, Needs(RollupParts.Increase) ? Numbers(RollupSchema.Resets) : null);
        var (states, durations) = (ColumnIf<string[]?>(Needs(RollupParts.Durations), RollupSchema.DurationStates), ColumnIf<long[]?>(Needs(RollupParts.Durations), RollupSchema.Durations));
        var (keys, numbers) = (ColumnIf<int[]?>(Needs(RollupParts.Sketch), RollupSchema.SketchKeys), ColumnIf<long[]?>(Needs(RollupParts.Sketch), RollupSchema.SketchCounts));
        var rows = new BucketRow[starts.Length];
        for (var i = 0; i < rows.Length; i++)
        {
            var rollup = new Rollup
            {
                Count = counts[i],
                Numbers = sums[i] is null ? 0 : counts[i],
                Min = mins[i] ?? 0,
                Max = maxes[i] ?? 0,
                First = firsts[i] ?? 0,
                Last = lasts[i] ?? 0,
                FirstTime = firstTimes[i],
                LastTime = lastTimes[i],
                FirstState = firstStates?[i],
                LastState = lastStates?[i],
                Detail = needs == RollupParts.None ? null : RollupDetail.Restore(needs, spreads?[i] ?? 0, resets?[i] ?? 0,
                    resets is null ? null : (firsts[i] ?? 0, lasts[i] ?? 0), Pairs(states?[i], durations?[i]), Pairs(keys?[i], numbers?[i])),
            };
            rollup.RestoreSum(sums[i] ?? 0, 0);
            rows[i] = new(starts[i], rollup);
        }
        return rows;
    }

    private static IEnumerable<KeyValuePair<TKey, TValue>> Pairs<TKey, TValue>(TKey[]? keys, TValue[]? values) =>
        keys is null || values is null ? [] : keys.Zip(values, KeyValuePair.Create);

    /// <summary>Numbers and times as they are stored: a reader of .NET types has buffers that take longer to make than a few rows to read.</summary>
    private static long[] ReadIntegers(RowGroupReader group, int index, List<Stretch> stretches)
    {
        using var column = (ColumnReader<long>)group.Column(index);
        var all = new long[RowsIn(stretches)];
        Forward(stretches, column.Skip, (at, rows) => (int)column.ReadBatch(rows, all.AsSpan(at), out _));
        return all;
    }

    private static double?[] ReadNumbers(RowGroupReader group, int index, List<Stretch> stretches)
    {
        using var column = (ColumnReader<double>)group.Column(index);
        var all = new double?[RowsIn(stretches)];
        var (levels, packed) = (new short[all.Length], new double[all.Length]);
        Forward(stretches, column.Skip, (at, rows) =>
        {
            var got = (int)column.ReadBatch(rows, levels, default, packed, out _);
            for (int i = 0, p = 0; i < got; i++)
            {
                all[at + i] = levels[i] != 0 ? packed[p++] : null;
            }
            return got;
        });
        return all;
    }

    private static T[] ReadColumn<T>(RowGroupReader group, int index, List<Stretch> stretches)
    {
        using var column = group.Column(index).LogicalReader<T>();
        var all = new T[RowsIn(stretches)];
        Forward(stretches, column.Skip, (at, rows) => column.ReadBatch(all.AsSpan(at, rows)));
        return all;
    }

    private static int RowsIn(List<Stretch> stretches) => stretches.Sum(stretch => stretch.Count);

    /// <summary>Goes through a column once.</summary>
    /// <param name="skip">Passes over so many rows.</param>
    /// <param name="read">Reads at most so many rows to a place in the result, and returns how many.</param>
    private static void Forward(List<Stretch> stretches, Func<long, long> skip, Func<int, int, int> read)
    {
        var (row, at) = (0L, 0);
        foreach (var stretch in stretches)
        {
            skip(stretch.Row - row);
            for (var end = at + stretch.Count; at < end;)
            {
                var got = read(at, end - at);
                at = got > 0 ? at + got : throw new InvalidDataException("it ends early");
            }
            row = stretch.Row + stretch.Count;
        }
    }

    private static void Check(RollupRun run, List<BucketRow> rows)
    {
        var last = long.MinValue;
        var count = 0L;
        foreach (var row in rows)
        {
            if (row.Rollup.Count <= 0 || row.Rollup.FirstTime <= last || row.Rollup.FirstTime < row.Start || row.Rollup.LastTime < row.Rollup.FirstTime)
            {
                throw new InvalidDataException($"{run.Series.Name} has rollups that do not ascend");
            }
            (last, count) = (row.Rollup.LastTime, count + row.Rollup.Count);
        }
        if (rows.Count != run.Rows || count != run.Series.Count || rows[0].Rollup.FirstTime != run.Series.MinTime || last != run.Series.MaxTime)
        {
            throw new InvalidDataException($"{run.Series.Name} has rollups of other samples");
        }
    }

    /// <summary>Rows of one series in one row group.</summary>
    private readonly record struct Stretch(long Row, int Count, bool HasStates);
}
