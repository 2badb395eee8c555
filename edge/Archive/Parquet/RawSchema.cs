using ParquetSharp;
using ParquetSharp.Schema;

namespace Foretier.Archive.Parquet;

/// <summary>
/// The columns of a raw file: <c>series</c> (account/device/measurement), <c>ts</c> (µs UTC), and <c>value</c> for a number or
/// <c>state</c> for a state, the other one null. Rows are sorted by (series, ts), so that each series is one run of rows.
/// </summary>
internal static class RawSchema
{
    public const int Series = 0;
    public const int Time = 1;
    public const int Value = 2;
    public const int State = 3;

    /// <summary>Small enough that engines skip most of a file for one series, large enough that the columns compress.</summary>
    public const int RowsPerGroup = 250_000;

    public const string FormatKey = "foretier.format";
    public const string SiteKey = "foretier.site";
    public const string EdgeKey = "foretier.edge";
    public const string WindowKey = "foretier.window";
    public const string AfterKey = "foretier.after";
    public const string ThroughKey = "foretier.through";

    /// <summary>The series with unit, kind, count and times as JSON, as in the manifest.</summary>
    public const string SeriesKey = "foretier.series";

    public static GroupNode Columns()
    {
        using var text = LogicalType.String();
        using var time = LogicalType.Timestamp(isAdjustedToUtc: true, timeUnit: TimeUnit.Micros);
        using var none = LogicalType.None();
        using var series = new PrimitiveNode("series", Repetition.Required, text, PhysicalType.ByteArray);
        using var ts = new PrimitiveNode("ts", Repetition.Required, time, PhysicalType.Int64);
        using var value = new PrimitiveNode("value", Repetition.Optional, none, PhysicalType.Double);
        using var state = new PrimitiveNode("state", Repetition.Optional, text, PhysicalType.ByteArray);
        return new("schema", Repetition.Required, [series, ts, value, state]);
    }

    /// <summary>Deltas for the times; dictionaries elsewhere, which fall back to plain values where they do not pay.</summary>
    public static WriterProperties Writing()
    {
        using var builder = SeriesFiles.Writing();
        return builder.DisableDictionary("ts").Encoding("ts", Encoding.DeltaBinaryPacked).EnableWritePageIndex().Build();
    }
}
