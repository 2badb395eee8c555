using System.Globalization;
using System.Net;
using System.Text;

namespace Foretier.Cli.Replay;

/// <summary>A replay as one page that needs nothing else: a table, and what it measured over time as drawings.</summary>
internal static class ReplayPage
{
    private const int Width = 960;
    private const int Height = 360;
    private const int Left = 48;
    private const int SmoothDays = 28;

    private static readonly string[] Colours = ["#0b6e4f", "#c1121f", "#8d99ae", "#1d4ed8", "#a16207", "#111827", "#9ca3af"];

    public static string Of(ReplayResult result)
    {
        var page = new StringBuilder();
        page.Append(CultureInfo.InvariantCulture, $$"""
            <!doctype html><html lang="en"><meta charset="utf-8"><title>Replay of {{Text(result.Trace)}}</title>
            <style>body{font:15px/1.5 system-ui,sans-serif;margin:2em;max-width:70em}table{border-collapse:collapse}td,th{padding:.2em .9em;text-align:right}td:first-child,th:first-child{text-align:left}tr+tr{border-top:1px solid #ddd}</style>
            <h1>Replay of {{Text(result.Trace)}}</h1>
            <p>{{result.Rows[0].Reads:N0}} reads in the last {{result.Options.ScoredDays}} days; {{Text(result.About)}}.</p>
            <table><tr><th>policy<th>hot hit<th>by size<th>moves<th>move amp<th>presynth<th>waste<th>prealloc<th>over<th>cost, USD<th>mean, ms<th>p95, ms<th>p99, ms</tr>

            """);
        for (var i = 0; i < result.Rows.Count; i++)
        {
            var (s, e) = (result.Rows[i], result.Rows[i].Events);
            page.AppendLine(CultureInfo.InvariantCulture,
                $"<tr><td><span style=\"color:{Colours[i % Colours.Length]}\">&#9632;</span> {Text(s.Policy)}<td>{s.HotHit:0.0000}<td>{s.HotHitBytes:0.0000}<td>{s.Promotions + s.Demotions:N0}<td>{s.MoveAmp:0.000}<td>{e?.PreSynthHit:0.0000}<td>{e?.SynthWaste:0.000}<td>{e?.Reservation.PreAllocHit:0.0000}<td>{e?.Reservation.OverRes:0.000}<td>{e?.Cost:0.0000}<td>{e?.LatencyMean * 1000:0.00}<td>{e?.LatencyP95 * 1000:0.00}<td>{e?.LatencyP99 * 1000:0.00}</tr>");
        }
        page.AppendLine(CultureInfo.InvariantCulture, $"</table><p>Lines are means of {SmoothDays} days.</p>");
        for (var chart = 0; chart < result.Rows[0].Charts.Count; chart++)
        {
            Draw(page, result.Rows[0].Charts[chart].Title, [.. result.Rows.Select(r => (r.Policy, Smooth(r.Charts[chart].Daily)))]);
        }
        return page.AppendLine("</html>").ToString();
    }

    private static void Draw(StringBuilder page, string title, IReadOnlyList<(string Policy, double[] Values)> lines)
    {
        var top = lines.SelectMany(l => l.Values).Where(double.IsFinite).DefaultIfEmpty(1).Max();
        top = top <= 1 ? 1 : top;
        double Y(double value) => 10 + (1 - value / top) * (Height - 20);
        page.AppendLine(CultureInfo.InvariantCulture, $"<h2>{Text(title)}</h2><svg viewBox=\"0 0 {Width} {Height}\" width=\"{Width}\" role=\"img\" aria-label=\"{Text(title)} of each policy over time\">");
        for (var fifth = 0; fifth <= 5; fifth++)
        {
            page.AppendLine(CultureInfo.InvariantCulture, $"<line x1=\"{Left}\" x2=\"{Width}\" y1=\"{Y(fifth / 5.0 * top):0}\" y2=\"{Y(fifth / 5.0 * top):0}\" stroke=\"#e5e7eb\"/><text x=\"0\" y=\"{Y(fifth / 5.0 * top) + 4:0}\" font-size=\"12\">{fifth / 5.0 * top:0.0#}</text>");
        }
        for (var i = 0; i < lines.Count; i++)
        {
            var values = lines[i].Values;
            var points = string.Join(' ', Enumerable.Range(0, values.Length).Where(day => double.IsFinite(values[day])).Select(day =>
                string.Create(CultureInfo.InvariantCulture, $"{Left + (double)day / Math.Max(1, values.Length - 1) * (Width - Left):0.0},{Y(values[day]):0.0}")));
            page.AppendLine(CultureInfo.InvariantCulture, $"<polyline fill=\"none\" stroke-width=\"2\" stroke=\"{Colours[i % Colours.Length]}\" points=\"{points}\"><title>{Text(lines[i].Policy)}</title></polyline>");
        }
        page.AppendLine("</svg>");
    }

    private static double[] Smooth(IReadOnlyList<double> daily) => [.. daily.Select((_, day) =>
        daily.Skip(Math.Max(0, day - SmoothDays + 1)).Take(Math.Min(day + 1, SmoothDays)).Where(value => !double.IsNaN(value)).DefaultIfEmpty(double.NaN).Average())];

    private static string Text(string text) => WebUtility.HtmlEncode(text);
}
