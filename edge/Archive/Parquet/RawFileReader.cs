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
    public RawFileReader(Stream content)
    {
        using var properties = ReaderProperties.GetDefaultReaderProperties();
        properties.EnablePageChecksumVerification();
        _file = new(content, properties, leaveOpen: true);
    }

    public long Rows => _file.FileMetaData.NumRows;
    public IReadOnlyDictionary<string, string> Metadata => _file.FileMetaData.KeyValueMetadata;

    /// <summary>Samples of the series that lie in the range, as written.</summary>
    /// <param name="start">Row where the series begins.</param>
    /// <exception cref="InvalidDataException">The rows are not those of the series.</exception>
    public SampleColumns Read(long start, ArchivedSeries series, TimeRange range)
    {
        var samples = new SampleColumns();
        var groupStart = 0L;
        var seen = 0L;
        for (var g = 0; g < _file.FileMetaData.NumRowGroups && groupStart < start + series.Count; g++)
        {
            using var group = _file.RowGroup(g);
            var rows = group.MetaData.NumRows;
            var from = Math.Max(0, start - groupStart);
            var to = Math.Min(rows, start + series.Count - groupStart);
            if (from < to)
            {
                seen += ReadGroup(group, from, (int)(to - from), series, range, samples);
            }
            groupStart += rows;
        }
        if (seen != series.Count)
        {
            throw new InvalidDataException($"{series.Name} has {seen} rows instead of {series.Count}");
        }
        return samples;
    }

    public void Dispose() => _file.Dispose();

    private static int ReadGroup(RowGroupReader group, long skip, int count, ArchivedSeries series, TimeRange range, SampleColumns into)
    {
        var times = new long[count];
        using (var column = (ColumnReader<long>)group.Column(RawSchema.Time))
        {
            column.Skip(skip);
            for (var read = 0; read < count;)
            {
                var got = (int)column.ReadBatch(count - read, times.AsSpan(read), out _);
                read = got > 0 ? read + got : throw new InvalidDataException($"{series.Name} ends after {read} of {count} times");
            }
        }
        if (times[0] < series.MinTime || times[^1] > series.MaxTime)
        {
            throw new InvalidDataException($"{series.Name} has times outside of what was published");
        }
        var from = LowerBound(times, range.From);
        var wanted = LowerBound(times, range.To) - from;
        if (wanted <= 0)
        {
            return count;
        }
        into.Append(wanted, out var timesOut, out var valuesOut);
        times.AsSpan(from, wanted).CopyTo(timesOut);
        var levels = new short[wanted];
        ReadValues(group, skip + from, levels, valuesOut, series);
        if (series.States > 0)
        {
            var states = new string?[wanted];
            using var column = group.Column(RawSchema.State).LogicalReader<string?>();
            column.Skip(skip + from);
            for (var read = 0; read < wanted;)
            {
                var got = column.ReadBatch(states.AsSpan(read));
                read = got > 0 ? read + got : throw new InvalidDataException($"{series.Name} ends after {read} of {wanted} states");
            }
            for (var i = 0; i < wanted; i++)
            {
                if (levels[i] == 0)
                {
                    into.SetState(into.Count - wanted + i,
                        states[i] ?? throw new InvalidDataException($"{series.Name} has neither number nor state at {Instant.Format(times[from + i])}"));
                }
            }
        }
        else if (levels.AsSpan().Contains((short)0))
        {
            throw new InvalidDataException($"{series.Name} has samples without a number");
        }
        return count;
    }

    /// <summary>Nulls are not stored: the values come packed, and are spread to the rows whose level says that there is one.</summary>
    private static void ReadValues(RowGroupReader group, long skip, short[] levels, Span<double> values, ArchivedSeries series)
    {
        using var column = (ColumnReader<double>)group.Column(RawSchema.Value);
        column.Skip(skip);
        var packed = new double[values.Length];
        for (var read = 0; read < levels.Length;)
        {
            var got = (int)column.ReadBatch(levels.Length - read, levels.AsSpan(read), default, packed, out _);
            if (got <= 0)
            {
                throw new InvalidDataException($"{series.Name} ends after {read} of {levels.Length} values");
            }
            for (int i = read, p = 0; i < read + got; i++)
            {
                values[i] = levels[i] != 0 ? packed[p++] : 0;
            }
            read += got;
        }
    }

    private static int LowerBound(long[] times, long time)
    {
        var i = Array.BinarySearch(times, time);
        return i < 0 ? ~i : i;
    }
}
