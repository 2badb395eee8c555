using System.Text;
using Foretier.Core.Samples;

namespace Foretier.Cli.Import;

/// <summary>One row as a reading: where it goes, and time and value as JSON.</summary>
/// <param name="Lane">The same for all readings of a series, whose order is kept.</param>
internal readonly record struct Reading(byte[] Topic, int Lane, string Time, string Value);

/// <summary>Which columns of a file are series, time and value, and how a row becomes a reading.</summary>
internal sealed class ReadingColumns
{
    private static readonly string[] SeriesNames = ["series", "sensor", "name", "measurement", "metric", "id", "tag"];
    private static readonly string[] TimeNames = ["t", "time", "timestamp", "ts", "t_ms", "date", "datetime"];
    private static readonly string[] ValueNames = ["v", "value", "val", "reading"];

    private readonly int _series;
    private readonly int _time;
    private readonly int _value;
    private readonly string _prefix;
    private readonly bool _states;
    private readonly Dictionary<string, (byte[]? Topic, int Lane)> _topics = [];

    /// <param name="columns">The file's header.</param>
    /// <param name="series">Name of the column; null = a common one.</param>
    /// <param name="time">The same.</param>
    /// <param name="value">The same.</param>
    /// <param name="account">Part of every topic.</param>
    /// <param name="device">Part of every topic.</param>
    /// <param name="states">Whether a text that is no number is a state; else it is a bad row.</param>
    /// <exception cref="CommandException">There is no such column.</exception>
    public ReadingColumns(IReadOnlyList<string> columns, string? series, string? time, string? value, string account, string device, bool states)
    {
        _series = Find(columns, series, SeriesNames, "--series-column");
        _time = Find(columns, time, TimeNames, "--time-column");
        _value = Find(columns, value, ValueNames, "--value-column");
        (Series, Time, Value) = (columns[_series], columns[_time], columns[_value]);
        _prefix = $"v1/{account}/{device}/";
        _states = states;
    }

    public string Series { get; }
    public string Time { get; }
    public string Value { get; }

    /// <summary>False, with the reason, for a row that cannot be a reading.</summary>
    public bool TryRead(IReadOnlyList<string> row, out Reading reading, out string? why)
    {
        reading = default;
        if (row.Count <= Math.Max(_series, Math.Max(_time, _value)))
        {
            why = $"has {row.Count} fields";
            return false;
        }
        if (TopicOf(row[_series]) is not ({ } topic, var lane))
        {
            why = $"'{row[_series]}' is no name for a series: empty, or longer than {SeriesKey.PartLengthMax} characters when encoded";
            return false;
        }
        var time = row[_time].Trim();
        if (!Instant.TryParse(time, out _))
        {
            why = $"'{row[_time]}' is not a time: use RFC 3339 with Z or an offset, or epoch s, ms, µs or ns";
            return false;
        }
        var value = row[_value].Trim();
        var number = ReadingPayload.Number(value);
        if (number is null && (!_states || value.Length == 0))
        {
            why = value.Length == 0 ? "has no value" : $"'{value}' is not a finite number (--states publishes texts as states)";
            return false;
        }
        reading = new(topic, lane, ReadingPayload.Number(time) ?? ReadingPayload.Text(time), number ?? ReadingPayload.Text(value));
        why = null;
        return true;
    }

    private (byte[]? Topic, int Lane) TopicOf(string series)
    {
        if (!_topics.TryGetValue(series, out var place))
        {
            place = (SeriesKey.Encode(series.Trim()) is { } part ? Encoding.UTF8.GetBytes(_prefix + part) : null, _topics.Count);
            _topics.Add(series, place);
        }
        return place;
    }

    private static int Find(IReadOnlyList<string> columns, string? asked, string[] common, string option)
    {
        var names = asked is null ? common : [asked];
        foreach (var name in names)
        {
            for (var i = 0; i < columns.Count; i++)
            {
                if (string.Equals(columns[i], name, StringComparison.OrdinalIgnoreCase))
                {
                    return i;
                }
            }
        }
        throw new CommandException(ExitCode.BadUsage,
            asked is null ? $"no column is named {string.Join(" or ", common)}" : $"there is no column '{asked}'",
            $"Columns: {string.Join(", ", columns)}. Name the one meant with {option}.");
    }
}
