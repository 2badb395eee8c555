using Foretier.Core.Samples;
using ParquetSharp;

namespace Foretier.Archive.Parquet;

/// <summary>
/// Reads runs of rows of one raw file. Which rows a series has follows from the counts of those before it, so the series column is never read;
/// the values are read only of the rows in the range, the states only where there are any.
/// </summary>
internal sealed class RawFileReader : IDisposable
{
    private readonly ParquetFileReader _file;

    /// <param name="content">Seekable; not owned.</param>
    /// <exception cref="ParquetException">The content is not a Parquet file.</exception>
    public RawFileReader(Stream content) => _file = SeriesFiles.Open(content);

    public long Rows => _file.FileMetaData.NumRows;
    public IReadOnlyDictionary<string, string> Metadata => _file.FileMetaData.KeyValueMetadata;

    /// <summary>Samples of each series that lie in the range, as written. Each column of a row group is read once, forward.</summary>
    /// <param name="wanted">The series with the row where each begins, ascending.</param>
    /// <exception cref="InvalidDataException">The rows are not those of the series.</exception>
    public SampleColumns[] Read(IReadOnlyList<(ArchivedSeries Series, long Start)> wanted, TimeRange range)
    {
        var samples = new SampleColumns[wanted.Count];
        for (var i = 0; i < samples.Length; i++)
        {
            samples[i] = new();
        }
        var groupStart = 0L;
        var seen = 0L;
        for (var g = 0; g < _file.FileMetaData.NumRowGroups; g++)
        {
            using var group = _file.RowGroup(g);
            var groupEnd = groupStart + group.MetaData.NumRows;
            var runs = new List<Run>();
            for (var i = 0; i < wanted.Count; i++)
            {
                var (series, start) = wanted[i];
                long from = Math.Max(start, groupStart), to = Math.Min(start + series.Count, groupEnd);
                if (from < to)
                {
                    runs.Add(new(series, samples[i], from - groupStart, (int)(to - from)));
                    seen += to - from;
                }
            }
            if (runs.Count > 0)
            {
                ReadTimes(group, runs, range);
                runs.RemoveAll(run => run.Count == 0);
                ReadValues(group, runs);
                ReadStates(group, runs.FindAll(run => run.Series.States > 0));
            }
            groupStart = groupEnd;
        }
        return seen == wanted.Sum(w => w.Series.Count)
            ? samples
            : throw new InvalidDataException($"it has {seen} of {wanted.Sum(w => w.Series.Count)} rows");
    }

    /// <summary>Where the columns lie that <see cref="Read"/> will read: offsets [From, To) in the file.</summary>
    public IEnumerable<(long From, long To)> ColumnsOf(IReadOnlyList<(ArchivedSeries Series, long Start)> wanted) => ColumnPlaces.Of(_file, (from, to) =>
    {
        var inGroup = wanted.Where(w => w.Start < to && w.Start + w.Series.Count > from).ToList();
        return inGroup.Count == 0 ? [] : inGroup.Exists(w => w.Series.States > 0) ? [RawSchema.Time, RawSchema.Value, RawSchema.State] : [RawSchema.Time, RawSchema.Value];
    });

    public void Dispose() => _file.Dispose();

    /// <summary>Reads the times and narrows each run to the rows within the range.</summary>
    private static void ReadTimes(RowGroupReader group, List<Run> runs, TimeRange range)
    {
        using var column = (ColumnReader<long>)group.Column(RawSchema.Time);
        var row = 0L;
        foreach (var run in runs)
        {
            column.Skip(run.Row - row);
            var times = new long[run.Count];
            for (var read = 0; read < times.Length;)
            {
                var got = (int)column.ReadBatch(times.Length - read, times.AsSpan(read), out _);
                read = got > 0 ? read + got : throw run.EndsEarly("times", read);
            }
            row = run.Row + run.Count;
            if (times[0] < run.Series.MinTime || times[^1] > run.Series.MaxTime)
            {
                throw new InvalidDataException($"{run.Series.Name} has times outside of what was published");
            }
            run.Narrow(times, LowerBound(times, range.From), LowerBound(times, range.To));
        }
    }

    /// <summary>Nulls are not stored: the values come packed, and are spread to the rows whose level says that there is one.</summary>
    private static void ReadValues(RowGroupReader group, List<Run> runs)
    {
        if (runs.Count == 0)
        {
            return;
        }
        using var column = (ColumnReader<double>)group.Column(RawSchema.Value);
        var packed = new double[runs.Max(run => run.Count)];
        var row = 0L;
        foreach (var run in runs)
        {
            column.Skip(run.Row - row);
            run.Into.Append(run.Count, out var times, out var values);
            run.Times.Span.CopyTo(times);
            for (var read = 0; read < run.Count;)
            {
                var got = (int)column.ReadBatch(run.Count - read, run.Levels.AsSpan(read), default, packed, out _);
                if (got <= 0)
                {
                    throw run.EndsEarly("values", read);
                }
                for (int i = read, p = 0; i < read + got; i++)
                {
                    values[i] = run.Levels[i] != 0 ? packed[p++] : 0;
                }
                read += got;
            }
            row = run.Row + run.Count;
            if (run.Series.States == 0 && run.Levels.AsSpan().Contains((short)0))
            {
                throw new InvalidDataException($"{run.Series.Name} has samples without a number");
            }
        }
    }

    private static void ReadStates(RowGroupReader group, List<Run> runs)
    {
        if (runs.Count == 0)
        {
            return;
        }
        using var column = group.Column(RawSchema.State).LogicalReader<string?>();
        var row = 0L;
        foreach (var run in runs)
        {
            column.Skip(run.Row - row);
            var states = new string?[run.Count];
            for (var read = 0; read < states.Length;)
            {
                var got = column.ReadBatch(states.AsSpan(read));
                read = got > 0 ? read + got : throw run.EndsEarly("states", read);
            }
            row = run.Row + run.Count;
            var first = run.Into.Count - run.Count;
            for (var i = 0; i < states.Length; i++)
            {
                if (run.Levels[i] == 0)
                {
                    run.Into.SetState(first + i, states[i]
                        ?? throw new InvalidDataException($"{run.Series.Name} has neither number nor state at {Instant.Format(run.Times.Span[i])}"));
                }
            }
        }
    }

    private static int LowerBound(long[] times, long time)
    {
        var i = Array.BinarySearch(times, time);
        return i < 0 ? ~i : i;
    }

    /// <summary>Rows of one series in one row group.</summary>
    private sealed class Run(ArchivedSeries series, SampleColumns into, long row, int count)
    {
        public ArchivedSeries Series => series;
        public SampleColumns Into => into;
        public long Row { get; private set; } = row;
        public int Count { get; private set; } = count;
        public ReadOnlyMemory<long> Times { get; private set; }

        /// <summary>1 where the row has a number.</summary>
        public short[] Levels { get; private set; } = [];

        public void Narrow(long[] times, int from, int to)
        {
            Row += from;
            Count = Math.Max(0, to - from);
            Times = times.AsMemory(from, Count);
            Levels = new short[Count];
        }

        public InvalidDataException EndsEarly(string what, int read) => new($"{Series.Name} ends after {read} of {Count} {what}");
    }
}
