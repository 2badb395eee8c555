using System.Globalization;
using System.Net;
using System.Text;
using Foretier.Predict.Replay;

namespace Foretier.Cli.Replay;

/// <summary>A replay as one page that needs nothing else: a table, and hot hits over time as a drawing.</summary>
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
            <!doctype html><html lang="en"><meta charset="utf-8"><title>Replay of {{Text(result.Trace.Name)}}</title>
            <style>body{font:15px/1.5 system-ui,sans-serif;margin:2em;max-width:70em}table{border-collapse:collapse}td,th{padding:.2em .9em;text-align:right}td:first-child,th:first-child{text-align:left}tr+tr{border-top:1px solid #ddd}</style>
            <h1>Replay of {{Text(result.Trace.Name)}}</h1>
            <p>{{result.Scores[0].Reads:N0}} reads in the last {{result.Options.ScoredDays}} days; {{result.Trace.Names.Count:N0}} resources, of whose size {{result.Options.HotShare:0.##}} fits on the fast tier; epochs of {{result.Options.Epoch.TotalHours:0}} h.</p>
            <table><tr><th>policy<th>hot hit<th>by size<th>moves<th>move amp</tr>

            """);
        for (var i = 0; i < result.Scores.Count; i++)
        {
            var s = result.Scores[i];
            page.AppendLine(CultureInfo.InvariantCulture,
                $"<tr><td><span style=\"color:{Colours[i % Colours.Length]}\">&#9632;</span> {Text(s.Policy)}<td>{s.HotHit:0.0000}<td>{s.HotHitBytes:0.0000}<td>{s.Moves:N0}<td>{s.MoveAmp:0.000}</tr>");
        }
        page.AppendLine(CultureInfo.InvariantCulture,
            $"</table><h2>Hot hits over time</h2><p>Means of {SmoothDays} days.</p><svg viewBox=\"0 0 {Width} {Height}\" width=\"{Width}\" role=\"img\" aria-label=\"hot hits of each policy over time\">");
        for (var tenth = 0; tenth <= 10; tenth += 2)
        {
            var y = Y(tenth / 10.0);
            page.AppendLine(CultureInfo.InvariantCulture, $"<line x1=\"{Left}\" x2=\"{Width}\" y1=\"{y:0}\" y2=\"{y:0}\" stroke=\"#e5e7eb\"/><text x=\"0\" y=\"{y + 4:0}\" font-size=\"12\">{tenth / 10.0:0.0}</text>");
        }
        for (var i = 0; i < result.Scores.Count; i++)
        {
            page.AppendLine(CultureInfo.InvariantCulture, $"<polyline fill=\"none\" stroke-width=\"2\" stroke=\"{Colours[i % Colours.Length]}\" points=\"{Points(result.Scores[i])}\"><title>{Text(result.Scores[i].Policy)}</title></polyline>");
        }
        return page.AppendLine("</svg></html>").ToString();
    }

    private static string Points(PolicyScore score)
    {
        var points = new StringBuilder();
        for (var day = 0; day < score.Daily.Count; day++)
        {
            var recent = score.Daily.Skip(Math.Max(0, day - SmoothDays + 1)).Take(Math.Min(day + 1, SmoothDays)).Where(share => !double.IsNaN(share)).ToList();
            if (recent.Count > 0)
            {
                points.Append(CultureInfo.InvariantCulture, $"{Left + (double)day / Math.Max(1, score.Daily.Count - 1) * (Width - Left):0.0},{Y(recent.Average()):0.0} ");
            }
        }
        return points.ToString().TrimEnd();
    }

    private static double Y(double share) => 10 + (1 - share) * (Height - 20);

    private static string Text(string text) => WebUtility.HtmlEncode(text);
}
