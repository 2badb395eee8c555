using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Foretier.Core.Query;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;

namespace Foretier.Node.Serve;

/// <summary>Writes answers as JSON (the default), NDJSON or CSV. Times are epoch milliseconds, with a fraction where there are microseconds.</summary>
public static class AnswerWriter
{
    /// <summary>{"results":[…],"meta":{…}}</summary>
    public static void WriteJson(Utf8JsonWriter json, Answer answer)
    {
        json.WriteStartObject();
        json.WriteStartArray("results");
        foreach (var series in answer.Series)
        {
            foreach (var fn in answer.Question.Functions)
            {
                json.WriteStartObject();
                json.WriteString("series", series.Name);
                json.WriteString("unit", series.Unit);
                json.WriteString("fn", Question.NameOf(fn));
                json.WriteStartArray("points");
                foreach (var point in PointsOf(answer.Question, series, fn))
                {
                    json.WriteStartArray();
                    WriteTime(json, point.Time);
                    WriteValue(json, point);
                    json.WriteEndArray();
                }
                json.WriteEndArray();
                json.WriteEndObject();
            }
        }
        json.WriteEndArray();
        json.WritePropertyName("meta");
        WriteMeta(json, answer);
        json.WriteEndObject();
    }

    public static void WriteMeta(Utf8JsonWriter json, Answer answer)
    {
        json.WriteStartObject();
        json.WriteStartArray("tiers");
        foreach (var use in answer.Tiers)
        {
            json.WriteStartObject();
            json.WriteString("tier", JsonNamingPolicy.CamelCase.ConvertName(use.Tier.ToString()));
            json.WriteString("node", use.Node);
            WriteRange(json, use.Range);
            json.WriteString("resolution", use.Resolution);
            json.WriteNumber("ms", Math.Round(use.Milliseconds, 3));
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteBoolean("exact", true);
        json.WriteBoolean("partial", answer.IsPartial);
        json.WriteStartArray("missing");
        foreach (var range in answer.Missing)
        {
            json.WriteStartObject();
            WriteRange(json, range);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteString("watermark", Instant.Format(answer.Watermark / Instant.Millisecond * Instant.Millisecond));
        json.WriteNumber("planRevision", answer.PlanRevision);
        json.WriteEndObject();
    }

    /// <summary>One line for each point: {"series":…,"fn":…,"t":…,"v":…}; a last line {"meta":{…}}.</summary>
    public static void WriteNdjson(IBufferWriter<byte> to, Answer answer)
    {
        using var json = new Utf8JsonWriter(to, new() { SkipValidation = true });
        void EndLine()
        {
            json.Flush();
            json.Reset();
            to.Write("\n"u8);
        }
        foreach (var (series, fn, point) in AllPoints(answer))
        {
            json.WriteStartObject();
            json.WriteString("series", series.Name);
            json.WriteString("fn", Question.NameOf(fn));
            json.WritePropertyName("t");
            WriteTime(json, point.Time);
            json.WritePropertyName("v");
            WriteValue(json, point);
            json.WriteEndObject();
            EndLine();
        }
        json.WriteStartObject();
        json.WritePropertyName("meta");
        WriteMeta(json, answer);
        json.WriteEndObject();
        EndLine();
    }

    /// <summary>series,fn,t,v with a heading; times RFC 3339. A partial answer says so in a closing comment line.</summary>
    public static void WriteCsv(IBufferWriter<byte> to, Answer answer)
    {
        var line = new StringBuilder("series,fn,t,v\n");
        void EndLine()
        {
            to.Write(Encoding.UTF8.GetBytes(line.ToString()));
            line.Clear();
        }
        EndLine();
        foreach (var (series, fn, point) in AllPoints(answer))
        {
            line.Append(series.Name).Append(',').Append(Question.NameOf(fn)).Append(',').Append(Instant.Format(point.Time)).Append(',');
            line.Append(point.State is { } state ? Quote(state) : point.Value.ToString("R", CultureInfo.InvariantCulture)).Append('\n');
            EndLine();
        }
        if (answer.IsPartial)
        {
            line.Append("# partial: missing ").AppendJoin(' ', answer.Missing).Append('\n');
            EndLine();
        }
    }

    private static string Quote(string text) =>
        text.AsSpan().ContainsAny(",\"\n\r") ? $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : text;

    private static IEnumerable<(SeriesAnswer, Fn, Point)> AllPoints(Answer answer) =>
        from series in answer.Series from fn in answer.Question.Functions from point in PointsOf(answer.Question, series, fn) select (series, fn, point);

    private static IEnumerable<Point> PointsOf(Question question, SeriesAnswer series, Fn fn)
    {
        if (fn == Fn.Raw)
        {
            var raw = series.Raw!;
            for (var i = 0; i < raw.Count; i++)
            {
                yield return new(raw.Times[i], raw.Values[i], raw.StateAt(i));
            }
            yield break;
        }
        var rows = series.Rows!;
        if (rows.Count == 0 && fn == Fn.Count && question.Step == 0)
        {
            // How many is always a question with an answer.
            yield return new(question.Range.From, 0, null);
        }
        for (var i = 0; i < rows.Count; i++)
        {
            var row = rows.Rows[i];
            if (ValueOf(fn, row.Rollup, out var value, out var state))
            {
                yield return new(row.Start, value, state);
            }
        }
    }

    private static bool ValueOf(Fn fn, in Rollup rollup, out double value, out string? state)
    {
        state = fn switch { Fn.First => rollup.FirstState, Fn.Last => rollup.LastState, _ => null };
        value = fn switch
        {
            Fn.Avg => rollup.Mean,
            Fn.Min => rollup.Min,
            Fn.Max => rollup.Max,
            Fn.Sum => rollup.Sum,
            Fn.Count => rollup.Count,
            Fn.First => rollup.First,
            _ => rollup.Last,
        };
        return fn is Fn.Count or Fn.First or Fn.Last || rollup.Numbers > 0;
    }

    private static void WriteValue(Utf8JsonWriter json, Point point)
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
        json.WriteString("from", Instant.Format(range.From));
        json.WriteString("to", Instant.Format(range.To));
    }

    private readonly record struct Point(long Time, double Value, string? State);
}
