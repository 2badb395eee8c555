using System.Globalization;
using System.Text.Json;
using Foretier.Core.Samples;
using Foretier.Predict.Backtest;

namespace Foretier.Cli.Backtest;

/// <summary>
/// Hourly series, one JSON object a line: <c>{"series": "a", "start": "2017-03-09 06:00:00", "freq": "H", "tz": "local", "values": [3, 6, null, …]}</c>.
/// null or a negative number is an hour of which nothing is known; fractions are rounded.
/// </summary>
internal static class HourlyJson
{
    private static readonly string[] StartForms = ["yyyy-MM-dd HH:mm:ss", "yyyy-MM-ddTHH:mm:ss", "yyyy-MM-ddTHH:mm:ssZ", "yyyy-MM-dd HH:mm", "yyyy-MM-dd"];

    /// <exception cref="CommandException">A line is none.</exception>
    public static List<HourlySeries> Read(string path, TextReader text, TimeZoneInfo zone)
    {
        var series = new List<HourlySeries>();
        var number = 0;
        while (text.ReadLine() is { } line)
        {
            number++;
            if (!string.IsNullOrWhiteSpace(line))
            {
                series.Add(Parse(line, zone, why => new(ExitCode.BadUsage, $"{path}, line {number}: {why}",
                    """A line is one series: {"series": "a", "start": "2017-03-09 06:00:00", "freq": "H", "tz": "local", "values": [3, 6, null]}""")));
            }
        }
        return series;
    }

    private static HourlySeries Parse(string line, TimeZoneInfo zone, Func<string, CommandException> refuse)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            var root = document.RootElement;
            var name = root.GetProperty("series").GetString() ?? throw refuse("'series' has no name");
            if (root.TryGetProperty("freq", out var freq) && freq.GetString() is not ("H" or "h" or "1h" or "1H"))
            {
                throw refuse($"'freq' is {freq}, not H: only hourly series are read");
            }
            var text = root.GetProperty("start").GetString();
            if (!DateTime.TryParseExact(text, StartForms, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var start))
            {
                throw refuse($"'start' is '{text}', which is no time such as 2017-03-09 06:00:00");
            }
            var isUtc = root.TryGetProperty("tz", out var tz) && string.Equals(tz.GetString(), "UTC", StringComparison.OrdinalIgnoreCase);
            var values = root.GetProperty("values");
            var counts = new int[values.GetArrayLength()];
            var at = 0;
            foreach (var value in values.EnumerateArray())
            {
                counts[at++] = value.ValueKind == JsonValueKind.Null ? -1
                    : value.GetDouble() is var count && count <= int.MaxValue ? (int)Math.Max(-1, Math.Round(count)) : throw refuse($"{value} in 'values' is too large for samples in an hour");
            }
            return new(name, Instant.Floor(Instant.From(new(start, TimeSpan.Zero)), Instant.Hour), counts, isUtc ? zone : TimeZoneInfo.Utc);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw refuse($"no hourly series: {e.Message}");
        }
    }
}
