using Foretier.Cli.Import;
using Foretier.Core.Samples;
using Foretier.Predict.Backtest;

namespace Foretier.Cli.Backtest;

/// <summary>
/// Events of a CSV with a header, counted by hour and series. The series is the column of that name (series, sensor, …), else all columns but time
/// and value together, joined by @. The hours of the first and the last event of a series are unknown: nobody knows how much of them was watched.
/// </summary>
internal sealed class EventCounts
{
    /// <summary>With fewer there is nothing to compare, and files can have very many such series.</summary>
    public const int EventsMin = 50;

    /// <summary>Ten years: times further apart are of another unit than they seem.</summary>
    private const long HoursMax = 10 * 366 * 24;

    private static readonly string[] SeriesNames = ["series", "sensor", "name", "measurement", "metric", "k"];
    private static readonly string[] TimeNames = ["t", "time", "timestamp", "ts", "t_ms", "date", "datetime"];
    private static readonly string[] ValueNames = ["v", "value", "val", "reading"];

    private readonly string _path;
    private readonly int _time;
    private readonly int[] _series;

    /// <exception cref="CommandException">There is no such column.</exception>
    public EventCounts(string path, IReadOnlyList<string> columns, IReadOnlyList<string> series, string? time)
    {
        _path = path;
        int Find(string name) => Enumerable.Range(0, columns.Count).FirstOrDefault(i => string.Equals(columns[i], name, StringComparison.OrdinalIgnoreCase), -1);
        int Asked(string name, string option) => Find(name) is >= 0 and var i ? i
            : throw new CommandException(ExitCode.BadUsage, $"{path}: there is no column '{name}'", $"Columns: {string.Join(", ", columns)}. Name the one meant with {option}.");
        _time = time is not null ? Asked(time, "--time-column") : TimeNames.Select(Find).FirstOrDefault(i => i >= 0, -1);
        if (_time < 0)
        {
            throw new CommandException(ExitCode.BadUsage, $"{path}: no column is named {string.Join(" or ", TimeNames)}",
                $"Columns: {string.Join(", ", columns)}. Name the one with the time with --time-column.");
        }
        _series = series.Count > 0 ? [.. series.Select(name => Asked(name, "--series-column"))]
            : SeriesNames.Select(Find).FirstOrDefault(i => i >= 0, -1) is >= 0 and var named ? [named]
            : [.. Enumerable.Range(0, columns.Count).Where(i => i != _time && !ValueNames.Contains(columns[i], StringComparer.OrdinalIgnoreCase))];
        if (_series.Length == 0)
        {
            throw new CommandException(ExitCode.BadUsage, $"{path}: no column names the series", $"Columns: {string.Join(", ", columns)}. Name it with --series-column.");
        }
    }

    /// <exception cref="CommandException">A row has no time.</exception>
    public HourlyFile Read(CsvRows rows, TimeZoneInfo zone)
    {
        var hours = new Dictionary<string, List<int>>(StringComparer.Ordinal);
        while (rows.Read() is { } row)
        {
            if (row.Count <= Math.Max(_time, _series.Max()))
            {
                throw new CommandException(ExitCode.BadUsage, $"{_path}, line {rows.Line}: it has {row.Count} fields, fewer than the header");
            }
            if (!Instant.TryParse(row[_time], out var time) || time < 0)
            {
                throw new CommandException(ExitCode.BadUsage, $"{_path}, line {rows.Line}: '{row[_time]}' is not a time: use RFC 3339 with Z or an offset, or epoch s, ms, µs or ns");
            }
            var name = _series.Length == 1 ? row[_series[0]] : string.Join('@', _series.Select(i => row[i]));
            if (!hours.TryGetValue(name, out var known))
            {
                hours[name] = known = [];
            }
            known.Add((int)(time / Instant.Hour));
        }
        return new([.. hours.Where(one => one.Value.Count >= EventsMin).OrderBy(one => one.Key, StringComparer.Ordinal).Select(one => Count(one.Key, one.Value, zone))],
            hours.Count(one => one.Value.Count < EventsMin));
    }

    private HourlySeries Count(string name, List<int> hours, TimeZoneInfo zone)
    {
        int first = hours.Min(), last = hours.Max();
        if (last - (long)first > HoursMax)
        {
            throw new CommandException(ExitCode.BadUsage, $"{_path}: the events of '{name}' lie more than ten years apart", "See whether its times are all of one unit.");
        }
        var counts = new int[last - first + 1];
        foreach (var hour in hours)
        {
            counts[hour - first]++;
        }
        counts[0] = counts[^1] = -1;
        return new(name, first * Instant.Hour, counts, zone);
    }
}
