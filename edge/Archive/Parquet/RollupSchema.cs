using Foretier.Core.Rollups;
using ParquetSharp;
using ParquetSharp.Schema;

namespace Foretier.Archive.Parquet;

/// <summary>
/// The columns of a rollup file: a row for each series and step in which it has samples, sorted by (series, ts). What only numbers have is null in a row of
/// states, and the other way round; <c>m2</c>, <c>resets</c>, <c>durations</c> and <c>sketch</c> are null where they were not kept.
/// </summary>
internal static class RollupSchema
{
    public const int Series = 0;
    public const int Time = 1;
    public const int Count = 2;
    public const int Sum = 3;
    public const int Min = 4;
    public const int Max = 5;
    public const int First = 6;
    public const int Last = 7;
    public const int FirstTime = 8;
    public const int LastTime = 9;
    public const int M2 = 10;
    public const int Resets = 11;
    public const int FirstState = 12;
    public const int LastState = 13;
    public const int DurationStates = 14;
    public const int Durations = 15;
    public const int SketchKeys = 16;
    public const int SketchCounts = 17;

    /// <summary>The version that this program writes and the only one it reads; of another the samples are read.</summary>
    public const string Format = "1";

    /// <summary>A day of 250 series: a column of it is about one read of <see cref="RangeStream"/>.</summary>
    public const int RowsPerGroup = 6_000;

    /// <summary>SHA-256 of the file of samples that these are the rollups of.</summary>
    public const string SamplesKey = "foretier.samples";

    /// <summary>Length of a step, µs.</summary>
    public const string StepKey = "foretier.step";

    public static GroupNode Columns()
    {
        using var text = LogicalType.String();
        using var time = LogicalType.Timestamp(isAdjustedToUtc: true, timeUnit: TimeUnit.Micros);
        using var none = LogicalType.None();
        using var map = LogicalType.Map();
        PrimitiveNode Column(string name, Repetition repetition, LogicalType logical, PhysicalType physical) => new(name, repetition, logical, physical);
        GroupNode Map(string name, PrimitiveNode key, PrimitiveNode value)
        {
            using var entry = new GroupNode("key_value", Repetition.Repeated, [key, value]);
            return new(name, Repetition.Optional, [entry], map);
        }
        using var state = Column("key", Repetition.Required, text, PhysicalType.ByteArray);
        using var micros = Column("value", Repetition.Required, none, PhysicalType.Int64);
        using var interval = Column("key", Repetition.Required, none, PhysicalType.Int32);
        using var numbers = Column("value", Repetition.Required, none, PhysicalType.Int64);
        var columns = new Node[]
        {
            Column("series", Repetition.Required, text, PhysicalType.ByteArray),
            Column("ts", Repetition.Required, time, PhysicalType.Int64),
            Column("count", Repetition.Required, none, PhysicalType.Int64),
            Column("sum", Repetition.Optional, none, PhysicalType.Double),
            Column("min", Repetition.Optional, none, PhysicalType.Double),
            Column("max", Repetition.Optional, none, PhysicalType.Double),
            Column("first", Repetition.Optional, none, PhysicalType.Double),
            Column("last", Repetition.Optional, none, PhysicalType.Double),
            Column("first_ts", Repetition.Required, time, PhysicalType.Int64),
            Column("last_ts", Repetition.Required, time, PhysicalType.Int64),
            Column("m2", Repetition.Optional, none, PhysicalType.Double),
            Column("resets", Repetition.Optional, none, PhysicalType.Double),
            Column("first_state", Repetition.Optional, text, PhysicalType.ByteArray),
            Column("last_state", Repetition.Optional, text, PhysicalType.ByteArray),
            Map("durations", state, micros),
            Map("sketch", interval, numbers),
        };
        try
        {
            return new("schema", Repetition.Required, columns);
        }
        finally
        {
            foreach (var column in columns)
            {
                column.Dispose();
            }
        }
    }

    /// <summary>No dictionaries of sums and spreads, which are each their own; no statistics but of what rows are chosen by: the footer of a small file is a good part of it.</summary>
    public static WriterProperties Writing()
    {
        using var builder = SeriesFiles.Writing();
        return builder.DisableDictionary("sum").DisableDictionary("m2").DisableStatistics().EnableStatistics("series").EnableStatistics("ts").Build();
    }

    /// <summary>The columns to read for rows that have or need these, beside those that say which rows they are.</summary>
    public static IEnumerable<int> ColumnsOf(RollupParts needs, bool hasStates) => Enumerable.Range(Time, LastTime)
        .Concat((needs & RollupParts.Spread) != 0 ? [M2] : [])
        .Concat((needs & RollupParts.Increase) != 0 ? [Resets] : [])
        .Concat(hasStates ? [FirstState, LastState] : [])
        .Concat((needs & RollupParts.Durations) != 0 ? [DurationStates, Durations] : [])
        .Concat((needs & RollupParts.Sketch) != 0 ? [SketchKeys, SketchCounts] : []);
}
