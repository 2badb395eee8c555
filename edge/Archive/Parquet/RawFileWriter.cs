using System.Text.Json;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using ParquetSharp;

namespace Foretier.Archive.Parquet;

/// <summary>Writes one raw file, series by series in the order of their names; the same input gives the same bytes. Holds one row group in memory.</summary>
public sealed class RawFileWriter : IDisposable
{
    private readonly Dictionary<string, string> _metadata;
    private readonly ParquetFileWriter _file;
    private readonly List<ArchivedSeries> _series = [];
    private readonly string[] _names = new string[RawSchema.RowsPerGroup];
    private readonly long[] _times = new long[RawSchema.RowsPerGroup];
    private readonly double[] _values = new double[RawSchema.RowsPerGroup];
    private readonly short[] _levels = new short[RawSchema.RowsPerGroup];
    private readonly string?[] _states = new string?[RawSchema.RowsPerGroup];
    private int _rows;
    private int _numbers;

    /// <param name="into">Not owned.</param>
    /// <param name="metadata">Goes into the file's key-value metadata, with the list of series.</param>
    public RawFileWriter(Stream into, IReadOnlyDictionary<string, string> metadata)
    {
        _metadata = new() { [RawSchema.FormatKey] = "1" };
        foreach (var (key, value) in metadata)
        {
            _metadata[key] = value;
        }
        using var columns = RawSchema.Columns();
        using var properties = RawSchema.Writing();
        _file = new(into, columns, properties, _metadata, leaveOpen: true);
    }

    public long Rows { get; private set; }
    public IReadOnlyList<ArchivedSeries> Series => _series;

    /// <summary>Adds a series, or goes on with the one that was added last.</summary>
    /// <param name="samples">At least one, strictly ascending in time.</param>
    public void Add(SeriesInfo series, SampleColumns samples)
    {
        var begun = _series.Count > 0 && _series[^1].Name == series.Name ? _series[^1] : null;
        if (begun is not null && samples.FirstTime <= begun.MaxTime)
        {
            throw new ArgumentException($"samples of {series.Name} go on at {Instant.Format(samples.FirstTime)}, before the last one", nameof(samples));
        }
        if (begun is null && _series.Count > 0 && string.CompareOrdinal(_series[^1].Name, series.Name) > 0)
        {
            throw new ArgumentException($"series {series.Name} comes after {_series[^1].Name}, not in order", nameof(series));
        }
        var times = samples.Times;
        var values = samples.Values;
        var states = samples.States;
        var stateCount = 0;
        for (var i = 0; i < times.Length; i++)
        {
            if (i > 0 && times[i] <= times[i - 1])
            {
                throw new ArgumentException($"samples of {series.Name} are not ascending in time at {Instant.Format(times[i])}", nameof(samples));
            }
            var state = states.IsEmpty ? null : states[i];
            _names[_rows] = series.Name;
            _times[_rows] = times[i];
            _states[_rows] = state;
            if (state is null)
            {
                _levels[_rows] = 1;
                _values[_numbers++] = values[i];
            }
            else
            {
                _levels[_rows] = 0;
                stateCount++;
            }
            if (++_rows == RawSchema.RowsPerGroup)
            {
                Flush();
            }
        }
        Rows += times.Length;
        if (begun is null)
        {
            _series.Add(new(series.Name, series.Unit, series.Kind, times.Length, stateCount, times[0], times[^1]));
        }
        else
        {
            _series[^1] = begun with { Count = begun.Count + times.Length, States = begun.States + stateCount, MaxTime = times[^1] };
        }
    }

    /// <summary>Writes the rest and the footer; without it the file is none.</summary>
    public void Close()
    {
        Flush();
        // The footer is written at close, so the list can be added when it is known.
        _metadata[RawSchema.SeriesKey] = JsonSerializer.Serialize(_series, ArchiveJson.Default.IReadOnlyListArchivedSeries);
        _file.Close();
    }

    public void Dispose() => _file.Dispose();

    private void Flush()
    {
        if (_rows == 0)
        {
            return;
        }
        using var group = _file.AppendRowGroup();
        using (var names = group.NextColumn().LogicalWriter<string>())
        {
            names.WriteBatch(_names.AsSpan(0, _rows));
        }
        using (var times = (ColumnWriter<long>)group.NextColumn())
        {
            times.WriteBatch(_times.AsSpan(0, _rows));
        }
        using (var values = (ColumnWriter<double>)group.NextColumn())
        {
            values.WriteBatch(_rows, _levels.AsSpan(0, _rows), default, _values.AsSpan(0, _numbers));
        }
        using (var states = group.NextColumn().LogicalWriter<string?>())
        {
            states.WriteBatch(_states.AsSpan(0, _rows));
        }
        group.Close();
        _rows = _numbers = 0;
    }
}
