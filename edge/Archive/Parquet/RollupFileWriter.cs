using System.Globalization;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using ParquetSharp;

namespace Foretier.Archive.Parquet;

/// <summary>
/// Writes the rollups of a raw file, series by series in its order, of those that are worth it; the same input gives the same bytes. Holds one row group in memory.
/// </summary>
public sealed class RollupFileWriter : IDisposable
{
    /// <summary>A row takes about as much as 16 samples: some 35 bytes.</summary>
    private const int SamplesPerRowMin = 32;

    /// <summary>A sketch is as long as the samples until they are many more than its intervals.</summary>
    private const int SamplesPerSketchMin = 64;

    private readonly long _step;
    private readonly Dictionary<string, string> _metadata;
    private readonly ParquetFileWriter _file;
    private readonly List<(string Series, BucketRow Row)> _pending = [];
    private readonly List<int> _rows = [];
    private readonly List<RollupParts> _parts = [];

    /// <param name="into">Not owned.</param>
    /// <param name="step">Length of a step, µs.</param>
    /// <param name="metadata">Goes into the file's key-value metadata.</param>
    public RollupFileWriter(Stream into, long step, IReadOnlyDictionary<string, string> metadata)
    {
        _step = step;
        _metadata = new(metadata) { [RawSchema.FormatKey] = RollupSchema.Format, [RollupSchema.StepKey] = step.ToString(CultureInfo.InvariantCulture) };
        using var columns = RollupSchema.Columns();
        using var properties = RollupSchema.Writing();
        _file = new(into, columns, properties, _metadata, leaveOpen: true);
    }

    /// <summary>Of each series that was added, how many rows it has; 0 where its samples have to be read.</summary>
    public IReadOnlyList<int> Rows => _rows;

    /// <summary>Of each series that was added, what its rows have besides what all have.</summary>
    public IReadOnlyList<RollupParts> Parts => _parts;

    /// <summary>Adds a series whole.</summary>
    /// <param name="samples">At least one, strictly ascending in time.</param>
    public void Add(SeriesInfo series, SampleColumns samples)
    {
        var grid = new BucketGrid(TimeRange.Everything, _step);
        var count = BucketRows.CountOf(samples, grid);
        var parts = PartsOf(series, samples, samples.Count / count);
        if (parts is null)
        {
            _rows.Add(0);
            _parts.Add(RollupParts.None);
            return;
        }
        using var rows = new BucketRows(parts.Value, count);
        rows.Add(samples, grid);
        _rows.Add(count);
        _parts.Add(parts.Value);
        foreach (ref readonly var row in rows.Rows)
        {
            _pending.Add((series.Name, row));
            if (_pending.Count == RollupSchema.RowsPerGroup)
            {
                Flush();
            }
        }
    }

    /// <summary>Writes the rest and the footer; without it the file is none.</summary>
    /// <param name="samplesSha256">Of the raw file.</param>
    public void Close(string samplesSha256)
    {
        Flush();
        // The footer is written at close, so the digest can be added when it is known.
        _metadata[RollupSchema.SamplesKey] = samplesSha256;
        _file.Close();
    }

    public void Dispose() => _file.Dispose();

    /// <summary>Null where the samples are to be read: they are few, mixed of numbers and states, or not all in an order (NaN).</summary>
    private static RollupParts? PartsOf(SeriesInfo series, SampleColumns samples, int samplesPerRow)
    {
        if (samplesPerRow < SamplesPerRowMin)
        {
            return null;
        }
        if (!samples.States.IsEmpty)
        {
            return RollupBlock.HasFewStates(samples) ? RollupParts.Durations : null;
        }
        foreach (var value in samples.Values)
        {
            if (double.IsNaN(value))
            {
                return null;
            }
        }
        // What a gauge grew by is asked by nobody, and takes as much as its sum.
        return RollupParts.Spread | (series.Kind == "counter" ? RollupParts.Increase : RollupParts.None)
            | (samplesPerRow >= SamplesPerSketchMin ? RollupParts.Sketch : RollupParts.None);
    }

    private void Flush()
    {
        if (_pending.Count == 0)
        {
            return;
        }
        using var group = _file.AppendRowGroup();
        Write(group, pending => pending.Series);
        WriteTimes(group, row => row.Start);
        Write(group, pending => pending.Row.Rollup.Count);
        Write(group, pending => NumberOf(pending.Row, rollup => rollup.Sum));
        Write(group, pending => NumberOf(pending.Row, rollup => rollup.Min));
        Write(group, pending => NumberOf(pending.Row, rollup => rollup.Max));
        Write(group, pending => NumberOf(pending.Row, rollup => rollup.First));
        Write(group, pending => NumberOf(pending.Row, rollup => rollup.Last));
        WriteTimes(group, row => row.Rollup.FirstTime);
        WriteTimes(group, row => row.Rollup.LastTime);
        Write(group, pending => Has(pending.Row, RollupParts.Spread) ? pending.Row.Rollup.Detail!.M2 : (double?)null);
        Write(group, pending => Has(pending.Row, RollupParts.Increase) ? pending.Row.Rollup.Detail!.Resets : (double?)null);
        Write(group, pending => pending.Row.Rollup.FirstState);
        Write(group, pending => pending.Row.Rollup.LastState);
        var durations = _pending.ConvertAll(pending => Has(pending.Row, RollupParts.Durations) ? pending.Row.Rollup.Detail!.Durations.OrderBy(d => d.Key, StringComparer.Ordinal).ToArray() : null);
        Write(group, durations, all => all?.Select(d => d.Key).ToArray());
        Write(group, durations, all => all?.Select(d => d.Value).ToArray());
        var sketches = _pending.ConvertAll(pending => Has(pending.Row, RollupParts.Sketch) ? pending.Row.Rollup.Detail!.Sketch : null);
        Write(group, sketches, sketch => sketch?.Keys.ToArray());
        Write(group, sketches, sketch => sketch?.Counts.ToArray());
        group.Close();
        _pending.Clear();
    }

    private static double? NumberOf(in BucketRow row, Func<Rollup, double> field) => row.Rollup.Numbers > 0 ? field(row.Rollup) : null;

    private static bool Has(in BucketRow row, RollupParts part) => (row.Rollup.Detail!.Parts & part) != 0;

    private void Write<T>(RowGroupWriter group, Converter<(string Series, BucketRow Row), T> field) => Write(group, _pending, field);

    private static void Write<TRow, T>(RowGroupWriter group, List<TRow> rows, Converter<TRow, T> field)
    {
        using var column = group.NextColumn().LogicalWriter<T>();
        column.WriteBatch([.. rows.ConvertAll(field)]);
    }

    /// <summary>Times as they are stored, which spares their way through dates.</summary>
    private void WriteTimes(RowGroupWriter group, Func<BucketRow, long> field)
    {
        using var column = (ColumnWriter<long>)group.NextColumn();
        column.WriteBatch([.. _pending.ConvertAll(pending => field(pending.Row))]);
    }
}
