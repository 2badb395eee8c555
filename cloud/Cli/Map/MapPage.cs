using System.Globalization;
using System.Net;
using System.Text;
using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Protocol.Api;

namespace Foretier.Cli.Map;

/// <summary>
/// The map as a page with one drawing (SVG): time to the right. Above, what is reserved on each tier; below, a row for each group of series, its
/// partitions in the colour of the tier they should be read from. No script, nothing fetched.
/// </summary>
internal static class MapPage
{
    private const int Left = 220, Right = 20, Top = 34, TierHeight = 56, RowHeight = 24, Gap = 26, WidthMin = 900, WindowWidthMin = 36;

    /// <summary>More rows than anyone looks at; the rest is told by number.</summary>
    private const int RowsMax = 400;

    private static readonly string[] Tiers = ["memory", "ssd", "hdd", "archive"];

    /// <param name="reply">The map, or a part of it.</param>
    /// <param name="now">µs.</param>
    public static string Draw(MapReply reply, long now)
    {
        var partitions = reply.Entries.Select(entry => (Entry: entry, Known: PartitionId.TryParse(entry.Id, out var id), Id: id)).Where(p => p.Known).ToList();
        if (partitions.Count == 0)
        {
            return Page(reply.Revision, "<p>Nothing is predicted of what was asked for.</p>");
        }
        var (from, to) = (partitions.Min(p => p.Id.Window.Start), partitions.Max(p => p.Id.Window.End));
        var days = (double)(to - from) / Instant.Day;
        var width = Math.Max(WidthMin, Left + Right + days * WindowWidthMin);
        double X(long time) => Left + (time - from) * (width - Left - Right) / (to - from);
        var rows = partitions.GroupBy(p => (p.Entry.Edge, p.Id.Account, p.Id.Group)).OrderBy(r => r.Key.Edge, StringComparer.Ordinal)
            .ThenBy(r => r.Key.Account, StringComparer.Ordinal).ThenBy(r => r.Key.Group.Length).ThenBy(r => r.Key.Group, StringComparer.Ordinal).ToList();
        var rowsTop = Top + Tiers.Length * TierHeight + Gap;
        var height = rowsTop + Math.Min(rows.Count, RowsMax) * RowHeight + 12;
        var svg = new StringBuilder();
        for (var day = Instant.Floor(from + Instant.Day - 1, Instant.Day); day < to; day += Instant.Day)
        {
            Add(svg, $"<line class=\"grid\" x1=\"{X(day):0.#}\" x2=\"{X(day):0.#}\" y1=\"{Top - 8}\" y2=\"{height}\"/>");
            if (days <= 40 || Instant.ToDateTimeOffset(day).Day == 1)
            {
                Add(svg, $"<text x=\"{X(day) + 3:0.#}\" y=\"{Top - 12}\">{Instant.ToDateTimeOffset(day).ToString(days <= 40 ? "MM-dd" : "yyyy-MM", CultureInfo.InvariantCulture)}</text>");
            }
        }
        var windows = partitions.GroupBy(p => p.Id.Window).Select(w => (Window: w.Key, Bytes: Tiers.Select(tier => w.Sum(p => On(p.Entry.Reserved, tier))).ToArray())).ToList();
        for (var tier = 0; tier < Tiers.Length; tier++)
        {
            var (bottom, top) = (Top + (tier + 1) * TierHeight, Math.Max(1, windows.Max(w => w.Bytes[tier])));
            Add(svg, $"<text class=\"name\" x=\"{Left - 8}\" y=\"{bottom - 22}\" text-anchor=\"end\">{Tiers[tier]}</text><text x=\"{Left - 8}\" y=\"{bottom - 8}\" text-anchor=\"end\">up to {MapCommand.Bytes(windows.Max(w => w.Bytes[tier]))}</text>");
            foreach (var (window, bytes) in windows)
            {
                var size = bytes[tier] * (TierHeight - 10.0) / top;
                Add(svg, $"<rect class=\"{Tiers[tier]}\" x=\"{X(window.Start) + 1:0.#}\" y=\"{bottom - size:0.#}\" width=\"{X(window.End) - X(window.Start) - 2:0.#}\" height=\"{size:0.#}\"><title>{window}: {MapCommand.Bytes(bytes[tier])} reserved on {Tiers[tier]}</title></rect>");
            }
        }
        for (var row = 0; row < Math.Min(rows.Count, RowsMax); row++)
        {
            var (y, most) = (rowsTop + row * RowHeight, Math.Max(1, rows[row].Max(p => p.Entry.SamplesP90)));
            Add(svg, $"<text x=\"{Left - 8}\" y=\"{y + 16}\" text-anchor=\"end\">{Text($"{rows[row].Key.Edge} {rows[row].Key.Account}/{rows[row].Key.Group}")}</text>");
            foreach (var (entry, _, id) in rows[row])
            {
                var size = 4 + entry.SamplesP90 * (RowHeight - 8.0) / most;
                var tip = string.Create(CultureInfo.InvariantCulture, $"{entry.Id}: {entry.Series} series, {entry.SamplesP50} to {entry.SamplesP90} samples, {MapCommand.Bytes(entry.Reserved.Ssd)} on SSD, read {entry.Access}, rollups {string.Join(' ', entry.Rollups)}");
                Add(svg, $"<rect class=\"{Text(entry.Prefer)} {Text(entry.Access)}\" x=\"{X(id.Window.Start) + 1:0.#}\" y=\"{y + RowHeight - 3 - size:0.#}\" width=\"{X(id.Window.End) - X(id.Window.Start) - 2:0.#}\" height=\"{size:0.#}\"><title>{Text(tip)}</title></rect>");
            }
        }
        if (now > from && now < to)
        {
            Add(svg, $"<line class=\"now\" x1=\"{X(now):0.#}\" x2=\"{X(now):0.#}\" y1=\"{Top - 8}\" y2=\"{height}\"/><text x=\"{X(now) + 3:0.#}\" y=\"{Top - 24}\">now</text>");
        }
        var more = rows.Count > RowsMax ? $"<p>{rows.Count - RowsMax} more groups are not drawn.</p>" : "";
        return Page(reply.Revision, $"<svg viewBox=\"0 {-12} {width.ToString("0", CultureInfo.InvariantCulture)} {height + 12}\" role=\"img\" aria-label=\"partitions by tier over time\">{svg}</svg>{more}");
    }

    private static string Page(long revision, string body) => $$"""
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><title>Partition map, revision {{revision}}</title>
        <style>
        body { font: 14px system-ui, sans-serif; margin: 24px; color: #222; background: #fff }
        svg { max-width: 100%; height: auto } svg text { font-size: 11px; fill: #555 } svg .name { font-size: 13px; fill: #222 }
        .grid { stroke: #e4e4e4 } .now { stroke: #222; stroke-dasharray: 4 3 }
        .memory { fill: #b3261e } .ssd { fill: #e07b39 } .hdd { fill: #3f7cac } .archive { fill: #8a9bb0 }
        .frequent { stroke: #222; stroke-width: 1.2 } .rare { fill-opacity: .55 }
        b { display: inline-block; width: 12px; height: 12px; margin: 0 4px 0 14px; vertical-align: -1px }
        </style></head><body>
        <h1 style="font-size:18px">Predictive partition map, revision {{revision}}</h1>
        {{body}}
        <p>Above: bytes reserved on each tier. Below: a row for each group of series, a bar for each of its partitions, its height the samples expected (P90), its colour the tier to read
        from:<b style="background:#b3261e"></b>memory<b style="background:#e07b39"></b>SSD<b style="background:#3f7cac"></b>HDD<b style="background:#8a9bb0"></b>archive.
        Outlined: read frequently; pale: rarely. Right of the dashed line: what is to come. Times are UTC.</p>
        </body></html>
        """;

    private static long On(MapBytes bytes, string tier) => tier switch { "memory" => bytes.Memory, "ssd" => bytes.Ssd, "hdd" => bytes.Hdd, _ => bytes.Archive };

    private static string Text(string text) => WebUtility.HtmlEncode(text);

    private static void Add(StringBuilder to, FormattableString text) => to.Append(text.ToString(CultureInfo.InvariantCulture));
}
