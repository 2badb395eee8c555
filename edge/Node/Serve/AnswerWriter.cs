using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using System.Text.Json;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Node.Serve;

/// <summary>Writes answers as JSON (the default), NDJSON or CSV. Times are epoch milliseconds, with a fraction where there are microseconds.</summary>
public static class AnswerWriter
{
    private const int PassOnBytes = 64 * 1024;
    private const int PointBytes = 4 * 1024;
    private const int PointsAtOnce = 1_000;

    private static readonly JsonWriterOptions Unchecked = new() { SkipValidation = true };
    private static readonly JsonEncodedText[] TierNames =
        [.. Enum.GetNames<Tier>().Select(name => JsonEncodedText.Encode(JsonNamingPolicy.CamelCase.ConvertName(name)))];

    /// <summary>{"results":[…],"meta":{…}}</summary>
    public static async Task WriteJsonAsync(PipeWriter to, AnswerPage page, string? next, CancellationToken cancel)
    {
        using var json = new Utf8JsonWriter(to, Unchecked);
        json.WriteStartObject();
        json.WriteStartArray("results");
        foreach (var result in page.Results)
        {
            json.WriteStartObject();
            json.WriteString("series", result.Series);
            json.WriteString("unit", result.Unit);
            json.WriteString("fn", result.Fn.Name);
            if (result.State is not null)
            {
                json.WriteString("state", result.State);
            }
            json.WritePropertyName("points");
            json.Flush();
            using var points = result.Points.GetEnumerator();
            for (var isFirst = true; WritePoints(to, points, ref isFirst);)
            {
                await PassOnAsync(to, cancel).ConfigureAwait(false);
            }
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WritePropertyName("meta");
        WriteMeta(json, page.Answer, next);
        json.WriteEndObject();
        json.Flush();
    }

    /// <summary>Some thousand points and the brackets around all of them.</summary>
    /// <returns>False after the last.</returns>
    private static bool WritePoints(PipeWriter to, IEnumerator<ResultPoint> points, ref bool isFirst)
    {
        var text = default(PointText);
        var room = to.GetSpan(PointBytes);
        var at = 0;
        if (isFirst)
        {
            room[at++] = (byte)'[';
        }
        for (var left = PointsAtOnce; left > 0; left--)
        {
            if (!points.MoveNext())
            {
                room[at++] = (byte)']';
                to.Advance(at);
                return false;
            }
            var point = points.Current;
            var needed = PointText.NumberBytesMax + (point.State?.Length ?? 0) * 6;
            if (room.Length - at < needed)
            {
                to.Advance(at);
                room = to.GetSpan(Math.Max(PointBytes, needed));
                at = 0;
            }
            if (!isFirst)
            {
                room[at++] = (byte)',';
            }
            isFirst = false;
            at += text.Write(room[at..], point);
        }
        to.Advance(at);
        return true;
    }

    public static void WriteMeta(Utf8JsonWriter json, Answer answer, string? next = null)
    {
        json.WriteStartObject();
        json.WriteStartArray("tiers");
        for (var i = 0; i < answer.Tiers.Count; i++)
        {
            var use = answer.Tiers[i];
            json.WriteStartObject();
            json.WriteString("tier", TierNames[(int)use.Tier]);
            json.WriteString("node", use.Node);
            WriteRange(json, use.Range);
            json.WriteString("resolution", use.Resolution);
            json.WriteNumber("ms", Math.Round(use.Milliseconds, 3));
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteBoolean("exact", answer.IsExact);
        json.WriteBoolean("partial", answer.IsPartial);
        json.WriteStartArray("missing");
        foreach (var range in answer.Missing)
        {
            json.WriteStartObject();
            WriteRange(json, range);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        WriteTime(json, "watermark", answer.Watermark / Instant.Millisecond * Instant.Millisecond);
        json.WriteNumber("planRevision", answer.PlanRevision);
        if (next is not null)
        {
            json.WriteString("next", next);
        }
        json.WriteEndObject();
    }

    /// <summary>One line for each point: {"series":…,"fn":…,"t":…,"v":…}, a duration with its "state"; a last line {"meta":{…}}.</summary>
    /// <param name="pages">At least one.</param>
    /// <param name="nextOf">The cursor of the last one, if it has one.</param>
    public static async Task WriteNdjsonAsync(PipeWriter to, IAsyncEnumerable<AnswerPage> pages, Func<AnswerPage, string?> nextOf, CancellationToken cancel)
    {
        using var json = new Utf8JsonWriter(to, Unchecked);
        AnswerPage? last = null;
        Answer? answer = null;
        await foreach (var page in pages.ConfigureAwait(false))
        {
            await WriteLinesAsync(to, json, page.Results, cancel).ConfigureAwait(false);
            (last, answer) = (page, answer?.And(page.Answer) ?? page.Answer);
        }
        json.WriteStartObject();
        json.WritePropertyName("meta");
        WriteMeta(json, answer!, nextOf(last!));
        json.WriteEndObject();
        EndLine(to, json);
    }

    private static void EndLine(PipeWriter to, Utf8JsonWriter json)
    {
        json.Flush();
        json.Reset();
        to.Write("\n"u8);
    }

    private static async Task WriteLinesAsync(PipeWriter to, Utf8JsonWriter json, IReadOnlyList<AnswerResult> results, CancellationToken cancel)
    {
        foreach (var result in results)
        {
            foreach (var point in result.Points)
            {
                json.WriteStartObject();
                json.WriteString("series", result.Series);
                json.WriteString("fn", result.Fn.Name);
                if (result.State is not null)
                {
                    json.WriteString("state", result.State);
                }
                json.WritePropertyName("t");
                WriteTime(json, point.Time);
                json.WritePropertyName("v");
                WriteValue(json, point);
                json.WriteEndObject();
                EndLine(to, json);
                await PassOnAsync(to, cancel).ConfigureAwait(false);
            }
        }
    }

    /// <summary>
    /// series,fn,t,v with a heading; times RFC 3339; a duration's fn is duration:STATE. A partial answer, and one with further
    /// pages, say so in closing comment lines.
    /// </summary>
    /// <param name="pages">At least one.</param>
    /// <param name="nextOf">The cursor of the last one, if it has one.</param>
    public static async Task WriteCsvAsync(PipeWriter to, IAsyncEnumerable<AnswerPage> pages, Func<AnswerPage, string?> nextOf, CancellationToken cancel)
    {
        to.Write("series,fn,t,v\n"u8);
        AnswerPage? last = null;
        Answer? answer = null;
        await foreach (var page in pages.ConfigureAwait(false))
        {
            await WriteRowsAsync(to, page.Results, cancel).ConfigureAwait(false);
            (last, answer) = (page, answer?.And(page.Answer) ?? page.Answer);
        }
        if (answer!.IsPartial)
        {
            to.Write(Encoding.UTF8.GetBytes($"# partial: missing {string.Join(' ', answer.Missing)}\n"));
        }
        if (nextOf(last!) is { } next)
        {
            to.Write(Encoding.UTF8.GetBytes($"# next: {next}\n"));
        }
    }

    private static async Task WriteRowsAsync(PipeWriter to, IReadOnlyList<AnswerResult> results, CancellationToken cancel)
    {
        var line = new StringBuilder();
        foreach (var result in results)
        {
            var head = $"{result.Series},{Quote(result.State is null ? result.Fn.Name : $"{result.Fn.Name}:{result.State}")},";
            foreach (var point in result.Points)
            {
                line.Clear().Append(head).Append(Instant.Format(point.Time)).Append(',').Append(point.State is { } state ? Quote(state)
                    : double.IsNaN(point.Value) ? "" : point.Value.ToString("R", CultureInfo.InvariantCulture)).Append('\n');
                to.Write(Encoding.UTF8.GetBytes(line.ToString()));
                await PassOnAsync(to, cancel).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Sends what has gathered, at the pace of the one who reads: the text of an answer is never in memory as a whole.</summary>
    private static async ValueTask PassOnAsync(PipeWriter to, CancellationToken cancel)
    {
        if (to.UnflushedBytes >= PassOnBytes)
        {
            await to.FlushAsync(cancel).ConfigureAwait(false);
        }
    }

    private static string Quote(string text) =>
        text.AsSpan().ContainsAny(",\"\n\r") ? $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : text;

    private static void WriteValue(Utf8JsonWriter json, ResultPoint point)
    {
        if (point.State is not null)
        {
            json.WriteStringValue(point.State);
        }
        else if (double.IsFinite(point.Value))
        {
            json.WriteNumberValue(point.Value);
        }
        else
        {
            json.WriteNullValue();
        }
    }

    private static void WriteTime(Utf8JsonWriter json, long micros)
    {
        if (micros % Instant.Millisecond == 0)
        {
            json.WriteNumberValue(micros / Instant.Millisecond);
        }
        else
        {
            json.WriteNumberValue(micros / 1000m);
        }
    }

    private static void WriteRange(Utf8JsonWriter json, TimeRange range)
    {
        WriteTime(json, "from", range.From);
        WriteTime(json, "to", range.To);
    }

    private static void WriteTime(Utf8JsonWriter json, string name, long micros)
    {
        Span<char> text = stackalloc char[Instant.CharsMax];
        json.WriteString(name, text[..Instant.Format(micros, text)]);
    }
}
