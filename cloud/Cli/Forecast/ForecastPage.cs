using System.Globalization;
using System.Net;
using System.Text;
using Foretier.Core.Samples;
using Foretier.Protocol.Api;

namespace Foretier.Cli.Forecast;

/// <summary>A forecast as a page with one drawing (SVG) in it; no script, nothing fetched.</summary>
internal static class ForecastPage
{
    private const int Width = 1080, Height = 380, Left = 64, Bottom = 40, Top = 16;

    public static string Draw(ForecastReply reply)
    {
        var hours = reply.Past.Count + reply.Coming.Count;
        var top = Nice(Math.Max(1, Math.Max(reply.Past.Max(hour => Math.Max(hour.Count ?? 0, hour.Expected?.P90 ?? 0)), reply.Coming.Max(hour => hour.Expected.P90))));
        double X(double hour) => Left + hour * (Width - Left - 10) / hours;
        double Y(double value) => Height - Bottom - value / top * (Height - Bottom - Top);
        var svg = new StringBuilder();
        for (var line = 0; line <= 4; line++)
        {
            var value = top * line / 4;
            Add(svg, $"<line class=\"grid\" x1=\"{Left}\" x2=\"{Width - 10}\" y1=\"{Y(value):0.#}\" y2=\"{Y(value):0.#}\"/><text x=\"{Left - 8}\" y=\"{Y(value) + 4:0.#}\" text-anchor=\"end\">{value:0.##}</text>");
        }
        var at = 0;
        var known = new List<(int Hour, ForecastPoint Point)>();
        foreach (var (time, count, expected) in reply.Past.Select(hour => (hour.T, hour.Count, hour.Expected)).Concat(reply.Coming.Select(hour => (hour.T, (long?)null, (ForecastPoint?)hour.Expected))))
        {
            var utc = Instant.ToDateTimeOffset(time.Micros);
            if (utc.Hour % 6 == 0)
            {
                Add(svg, $"<text x=\"{X(at):0.#}\" y=\"{Height - Bottom + 18}\" text-anchor=\"middle\">{(utc.Hour == 0 ? utc.ToString("MM-dd", CultureInfo.InvariantCulture) : utc.ToString("HH:mm", CultureInfo.InvariantCulture))}</text>");
            }
            if (count is { } came)
            {
                Add(svg, $"<rect class=\"came\" x=\"{X(at) + 1:0.#}\" y=\"{Y(came):0.#}\" width=\"{X(1) - X(0) - 2:0.#}\" height=\"{Math.Max(0, Y(0) - Y(came)):0.#}\"><title>{utc:yyyy-MM-dd HH:mm} came {came}</title></rect>");
            }
            if (expected is not null)
            {
                known.Add((at, expected));
            }
            at++;
        }
        // Each stretch of hours in a row is one band.
        foreach (var run in known.Select((point, i) => (point, Run: point.Hour - i)).GroupBy(p => p.Run, p => p.point))
        {
            // Numbers are written with a point whatever the language of this machine.
            string Steps(Func<ForecastPoint, double> of, bool back) => string.Join(' ', (back ? run.Reverse() : run).SelectMany(p =>
            {
                var (a, b) = (Point(X(p.Hour), Y(of(p.Point))), Point(X(p.Hour + 1), Y(of(p.Point))));
                return back ? new[] { b, a } : [a, b];
            }));
            Add(svg, $"<polygon class=\"band\" points=\"{Steps(p => p.P90, false)} {Steps(p => p.P10, true)}\"/><polyline class=\"middle\" points=\"{Steps(p => p.P50, false)}\"/>");
        }
        Add(svg, $"<line class=\"now\" x1=\"{X(reply.Past.Count):0.#}\" x2=\"{X(reply.Past.Count):0.#}\" y1=\"{Top}\" y2=\"{Height - Bottom}\"/>");
        var name = WebUtility.HtmlEncode(reply.Series);
        return $$"""
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><title>{{name}}: forecast</title>
            <style>
            body { font: 14px system-ui, sans-serif; margin: 24px; color: #222; background: #fff }
            svg { max-width: 100%; height: auto } svg text { font-size: 12px; fill: #555 }
            .grid { stroke: #ddd } .came { fill: #8a9bb0 } .band { fill: #f0883e; fill-opacity: .3 } .middle { fill: none; stroke: #c4510c; stroke-width: 1.5 } .now { stroke: #222; stroke-dasharray: 4 3 }
            </style></head><body>
            <h1 style="font-size:18px">{{name}}, samples an hour</h1>
            <svg viewBox="0 0 {{Width}} {{Height}}" role="img" aria-label="forecast and what came">{{svg}}</svg>
            <p>Bars: what came. Band: P10 to P90 as said at most a day before; line: P50. Right of the dashed line: the next 24 hours. Times are UTC.
            By {{WebUtility.HtmlEncode(reply.Model ?? "seasonal baselines alone")}} at {{WebUtility.HtmlEncode(reply.Edge)}}.</p>
            </body></html>
            """;
    }

    private static string Point(double x, double y) => string.Create(CultureInfo.InvariantCulture, $"{x:0.#},{y:0.#}");

    private static void Add(StringBuilder to, FormattableString text) => to.Append(text.ToString(CultureInfo.InvariantCulture));

    /// <summary>1, 2, 4 or 5 times a power of ten, so that quarters of it read well.</summary>
    private static double Nice(double top)
    {
        var power = Math.Pow(10, Math.Floor(Math.Log10(top)));
        return power * new[] { 1, 2, 4, 5, 8, 10 }.First(step => step * power >= top);
    }
}
