using System.Globalization;
using System.Text;
using Foretier.Protocol.Api;

namespace Foretier.Cli.Forecast;

/// <summary>
/// A forecast in characters, a column an hour: <c>█</c> what came, <c>│</c> from P10 to P90, <c>┿</c> the P50; the coming hours to the right of a line.
/// </summary>
internal static class ForecastChart
{
    private const int Rows = 14;

    public static IEnumerable<string> Draw(ForecastReply reply)
    {
        var top = Math.Max(1, Math.Max(reply.Past.Max(hour => Math.Max(hour.Count ?? 0, hour.Expected?.P90 ?? 0)), reply.Coming.Max(hour => hour.Expected.P90)));
        var width = Math.Max(4, Number(top).Length);
        yield return $"{reply.Series}, samples an hour";
        for (var row = Rows; row >= 1; row--)
        {
            var (low, high) = (top * (row - 1) / Rows, top * row / Rows);
            var line = new StringBuilder((row == Rows ? Number(top) : row == Rows / 2 ? Number(top / 2) : "").PadLeft(width)).Append(" ┤");
            foreach (var hour in reply.Past)
            {
                line.Append(Cell(hour.Expected, hour.Count, low, high));
            }
            line.Append('┊');
            foreach (var hour in reply.Coming)
            {
                line.Append(Cell(hour.Expected, null, low, high));
            }
            yield return line.ToString().TrimEnd();
        }
        yield return "0".PadLeft(width) + " ┼" + new string('─', reply.Past.Count) + '┊' + new string('─', reply.Coming.Count);
        var scale = new char[width + 2 + reply.Past.Count + 1 + reply.Coming.Count + 6];
        Array.Fill(scale, ' ');
        var at = width + 2;
        foreach (var (time, gap) in reply.Past.Select(hour => (hour.T, 0)).Concat(reply.Coming.Select(hour => (hour.T, 1))))
        {
            var utc = Core.Samples.Instant.ToDateTimeOffset(time.Micros);
            if (utc.Hour % 12 == 0)
            {
                (utc.Hour == 0 ? utc.ToString("MM-dd", CultureInfo.InvariantCulture) : "12h").CopyTo(scale.AsSpan(at + gap));
            }
            at++;
        }
        yield return new string(scale).TrimEnd() + " UTC";
        yield return "█ came   │ P10 to P90   ┿ P50   right of ┊: the next 24 hours";
    }

    private static char Cell(ForecastPoint? expected, long? came, double low, double high)
    {
        bool Holds(double value) => value > low && value <= high;
        if (expected is not null && Holds(expected.P50))
        {
            return '┿';
        }
        return came > low ? '█' : expected is not null && expected.P90 > low && expected.P10 <= high ? '│' : ' ';
    }

    private static string Number(double value) => value.ToString(value < 10 ? "0.#" : "0", CultureInfo.InvariantCulture);
}
