using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Foretier.Node.Keys;
using Foretier.Node.Prometheus.Promql;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Foretier.Node.Prometheus;

/// <summary>
/// What Grafana asks of a Prometheus: expressions at one time or over steps, and which labels there are. Under <c>/prometheus</c>, so that
/// a data source has the address <c>http://node/prometheus</c>. Answers and errors have Prometheus' form.
/// </summary>
public sealed class PromApi(PromSource source)
{
    private const int SeriesMax = 10_000;

    private static readonly JsonWriterOptions Compact = new() { SkipValidation = true };

    /// <param name="api">The group <c>/prometheus/api/v1</c>.</param>
    public void Map(RouteGroupBuilder api)
    {
        foreach (var (path, answer, summary) in new (string, Func<PromRequest, Utf8JsonWriter, CancellationToken, Task>, string)[]
        {
            ("/query", QueryAsync, "A PromQL expression at one time."),
            ("/query_range", QueryRangeAsync, "A PromQL expression over steps."),
            ("/series", SeriesAsync, "The series that match[] selects."),
            ("/labels", LabelsAsync, "The labels there are."),
            ("/label/{name}/values", ValuesAsync, "The values of a label."),
            ("/metadata", MetadataAsync, "Type and unit of each metric."),
        })
        {
            api.MapMethods(path, [HttpMethods.Get, HttpMethods.Post], (HttpContext http, CancellationToken cancel) => AnswerAsync(http, answer, cancel))
                .WithSummary(summary).WithTags("prometheus");
        }
        api.MapGet("/status/buildinfo", (HttpContext http, CancellationToken cancel) => AnswerAsync(http, BuildInfo, cancel)).WithSummary("That it is like a Prometheus 2.").WithTags("prometheus");
    }

    private async Task AnswerAsync(HttpContext http, Func<PromRequest, Utf8JsonWriter, CancellationToken, Task> answer, CancellationToken cancel)
    {
        var request = await PromRequest.ReadAsync(http, cancel).ConfigureAwait(false);
        var body = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(body, Compact);
        try
        {
            json.WriteStartObject();
            json.WriteString("status", "success");
            json.WritePropertyName("data");
            await answer(request, json, cancel).ConfigureAwait(false);
            if (request.Warnings.Count > 0)
            {
                json.WriteStartArray("warnings");
                foreach (var warning in request.Warnings)
                {
                    json.WriteStringValue(warning);
                }
                json.WriteEndArray();
            }
            json.WriteEndObject();
        }
        catch (PromException refused)
        {
            json.Flush();
            body.Clear();
            json.Reset();
            http.Response.StatusCode = refused.Status;
            json.WriteStartObject();
            json.WriteString("status", "error");
            json.WriteString("errorType", refused.Type);
            json.WriteString("error", refused.Message);
            json.WriteEndObject();
        }
        json.Flush();
        http.Response.ContentType = "application/json; charset=utf-8";
        await http.Response.BodyWriter.WriteAsync(body.WrittenMemory, cancel).ConfigureAwait(false);
    }

    private async Task QueryAsync(PromRequest request, Utf8JsonWriter json, CancellationToken cancel)
    {
        var expr = Parser.Parse(request.Required("query"));
        var at = request.Time("time") ?? source.NowMs;
        var (value, steps) = await EvaluateAsync(request, expr, new(at, at, 1), cancel).ConfigureAwait(false);
        json.WriteStartObject();
        json.WriteString("resultType", value.Scalar is null ? "vector" : "scalar");
        json.WritePropertyName("result");
        if (value.Scalar is { } scalar)
        {
            WritePoint(json, steps.At(0), scalar[0]);
        }
        else
        {
            json.WriteStartArray();
            foreach (var series in value.Series)
            {
                json.WriteStartObject();
                WriteLabels(json, series.Labels);
                json.WritePropertyName("value");
                WritePoint(json, steps.At(0), series.Values[0]!.Value);
                json.WriteEndObject();
            }
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }

    private async Task QueryRangeAsync(PromRequest request, Utf8JsonWriter json, CancellationToken cancel)
    {
        var expr = Parser.Parse(request.Required("query"));
        var (from, to) = (request.Time("start"), request.Time("end"));
        if (from is null || to < from || to is null || !PromTime.TryStep(request.Required("step"), out var step))
        {
            throw PromException.BadData("a range needs start and end (epoch seconds or RFC 3339, end not before start) and a step (seconds or a duration such as 1m, above zero)");
        }
        if ((to.Value - from.Value) / step + 1 > StepGrid.CountMax)
        {
            throw PromException.BadData($"the range has more than {StepGrid.CountMax} steps; use a longer step or a shorter range");
        }
        var (value, steps) = await EvaluateAsync(request, expr, new(from.Value, to.Value, step), cancel).ConfigureAwait(false);
        json.WriteStartObject();
        json.WriteString("resultType", "matrix");
        json.WriteStartArray("result");
        foreach (var series in value.Scalar is { } scalar ? [new(LabelSet.Empty, Array.ConvertAll(scalar, v => (double?)v))] : value.Series)
        {
            json.WriteStartObject();
            WriteLabels(json, series.Labels);
            json.WriteStartArray("values");
            for (var i = 0; i < series.Values.Length; i++)
            {
                if (series.Values[i] is { } v)
                {
                    WritePoint(json, steps.At(i), v);
                }
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private async Task<(PromValue Value, StepGrid Steps)> EvaluateAsync(PromRequest request, Expr expr, StepGrid steps, CancellationToken cancel)
    {
        var evaluator = new Evaluator(source, steps, request.Caller, cancel);
        var value = await evaluator.EvaluateAsync(expr).ConfigureAwait(false);
        request.Warnings.AddRange(evaluator.Warnings);
        return (value, steps);
    }

    private Task SeriesAsync(PromRequest request, Utf8JsonWriter json, CancellationToken cancel)
    {
        var found = Selected(request, isRequired: true);
        json.WriteStartArray();
        foreach (var labels in found)
        {
            WriteMembers(json, labels);
        }
        json.WriteEndArray();
        return Task.CompletedTask;
    }

    private Task LabelsAsync(PromRequest request, Utf8JsonWriter json, CancellationToken cancel)
    {
        WriteTexts(json, Selected(request).SelectMany(labels => labels.Labels.Select(label => label.Key)));
        return Task.CompletedTask;
    }

    private Task ValuesAsync(PromRequest request, Utf8JsonWriter json, CancellationToken cancel)
    {
        WriteTexts(json, Selected(request).Select(labels => labels[request.Name]).Where(value => value.Length > 0));
        return Task.CompletedTask;
    }

    private Task MetadataAsync(PromRequest request, Utf8JsonWriter json, CancellationToken cancel)
    {
        json.WriteStartObject();
        foreach (var metric in source.Find([], request.Caller).GroupBy(series => series.Labels[LabelSet.Name]).OrderBy(metric => metric.Key, StringComparer.Ordinal))
        {
            json.WriteStartArray(metric.Key);
            foreach (var (kind, unit) in metric.Select(series => (series.Info.Kind == "counter" ? "counter" : "gauge", series.Info.Unit ?? "")).Distinct())
            {
                json.WriteStartObject();
                json.WriteString("type", kind);
                json.WriteString("help", "");
                json.WriteString("unit", unit);
                json.WriteEndObject();
            }
            json.WriteEndArray();
        }
        json.WriteEndObject();
        return Task.CompletedTask;
    }

    private static Task BuildInfo(PromRequest request, Utf8JsonWriter json, CancellationToken cancel)
    {
        // Grafana chooses by it what to offer: the features of a Prometheus of this age.
        json.WriteStartObject();
        json.WriteString("version", "2.42.0");
        json.WriteString("application", "foretier");
        json.WriteEndObject();
        return Task.CompletedTask;
    }

    private IEnumerable<LabelSet> Selected(PromRequest request, bool isRequired = false)
    {
        var matches = request.All("match[]");
        if (isRequired && matches.Count == 0)
        {
            throw PromException.BadData("name the series with match[], such as match[]=temperature or match[]={device=\"boiler-1\"}");
        }
        var found = matches.Count == 0 ? source.Find([], request.Caller) : [.. matches.SelectMany(match => source.Find(Parser.Matchers(match), request.Caller))];
        var labels = found.Select(series => series.Labels).Distinct().ToList();
        return labels.Count <= SeriesMax || !isRequired ? labels : throw PromException.Execution($"{labels.Count} series match, more than {SeriesMax}; name fewer");
    }

    private static void WriteTexts(Utf8JsonWriter json, IEnumerable<string> texts)
    {
        json.WriteStartArray();
        foreach (var text in texts.Distinct().Order(StringComparer.Ordinal))
        {
            json.WriteStringValue(text);
        }
        json.WriteEndArray();
    }

    private static void WriteLabels(Utf8JsonWriter json, LabelSet labels)
    {
        json.WritePropertyName("metric");
        WriteMembers(json, labels);
    }

    private static void WriteMembers(Utf8JsonWriter json, LabelSet labels)
    {
        json.WriteStartObject();
        foreach (var (name, value) in labels.Labels)
        {
            json.WriteString(name, value);
        }
        json.WriteEndObject();
    }

    private static void WritePoint(Utf8JsonWriter json, long ms, double value)
    {
        json.WriteStartArray();
        json.WriteNumberValue(ms / 1000m);
        json.WriteStringValue(double.IsPositiveInfinity(value) ? "+Inf" : double.IsNegativeInfinity(value) ? "-Inf" : value.ToString("R", CultureInfo.InvariantCulture));
        json.WriteEndArray();
    }
}
