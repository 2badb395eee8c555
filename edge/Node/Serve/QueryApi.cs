using System.Text.Json;
using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Node.Hosting;
using Foretier.Node.Keys;
using Foretier.Protocol.Api;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;

namespace Foretier.Node.Serve;

/// <summary>
/// The questions of the public interface, the same on agent, gateway and router; each answers from what its catalog knows.
/// </summary>
public sealed class QueryApi(Answerer answerer, Catalog catalog, TimeProvider clock, Func<PartitionMap>? map = null)
{
    private static readonly JsonWriterOptions Compact = new() { SkipValidation = true };

    public void Map(RouteGroupBuilder api)
    {
        api.MapGet("/query", (HttpContext http, string? series, string? from, string? to, string? step, string? fn, CancellationToken cancel) =>
            QueryAsync(http, new(series, from, to, step, fn), cancel)).Taking("series", "from", "to", "step", "fn").WithName("query").WithSummary("Samples or functions of series over a range.");
        api.MapPost("/query", QueryManyAsync).WithName("queryMany").WithSummary("Several queries in one request; each has its own answer or problem.");
        api.MapGet("/explain", (HttpContext http, string? series, string? from, string? to, string? step, string? fn, bool? execute, CancellationToken cancel) =>
            ExplainAsync(http, new(series, from, to, step, fn), execute ?? true, cancel)).Taking("series", "from", "to", "step", "fn", "execute").WithName("explain").WithSummary("How a query is answered: plan, estimates, and what it really cost.");
        api.MapGet("/series", Series).WithName("series").WithSummary("The series there are.");
        if (map is not null)
        {
            api.MapGet("/map", MapOf).WithName("map").WithSummary("The predictive partition map: what is expected, and what is reserved for it.");
        }
        api.MapGet("/tier", Tiers).WithName("tier").WithSummary("What each tier and node holds.");
    }

    /// <summary>The parameters of a query as written.</summary>
    public sealed record QueryText(string? Series, string? From, string? To, string? Step, string? Fn);

    /// <summary>The same in a JSON document, where lists are lists.</summary>
    public sealed record QueryDocument(JsonElement Series, JsonElement From, JsonElement To, JsonElement Step, JsonElement Fn)
    {
        public QueryText ToText() => new(Text(Series), Text(From), Text(To), Text(Step), Text(Fn));

        private static string? Text(JsonElement element) => element.ValueKind switch
        {
            JsonValueKind.Array => string.Join(',', element.EnumerateArray().Select(Text)),
            JsonValueKind.Undefined or JsonValueKind.Null => null,
            _ => element.ToString(),
        };
    }

    private async Task<IResult> QueryAsync(HttpContext http, QueryText text, CancellationToken cancel)
    {
        if (Ask(http, text, out var question, out var error) is not { } series)
        {
            return Problem.Of(error!);
        }
        var answer = await answerer.AnswerAsync(question!, series, cancel).ConfigureAwait(false);
        http.Response.Headers.CacheControl = "no-store";
        var accept = http.Request.Headers.Accept.ToString();
        if (accept.Contains("text/csv", StringComparison.OrdinalIgnoreCase))
        {
            http.Response.ContentType = "text/csv; charset=utf-8";
            AnswerWriter.WriteCsv(http.Response.BodyWriter, answer);
        }
        else if (accept.Contains("application/x-ndjson", StringComparison.OrdinalIgnoreCase))
        {
            http.Response.ContentType = "application/x-ndjson";
            AnswerWriter.WriteNdjson(http.Response.BodyWriter, answer);
        }
        else
        {
            WriteJson(http, json => AnswerWriter.WriteJson(json, answer));
        }
        await http.Response.BodyWriter.FlushAsync(cancel).ConfigureAwait(false);
        return Results.Empty;
    }

    private async Task<IResult> QueryManyAsync(HttpContext http, [FromBody] QueryBatch batch, CancellationToken cancel)
    {
        if (batch.Queries is not { Count: > 0 and <= 100 } queries)
        {
            return Problem.Of(StatusCodes.Status400BadRequest, "bad_query", "send {\"queries\":[{\"series\":…,\"from\":…,\"to\":…,\"step\":…,\"fn\":…}]} with 1 to 100 queries");
        }
        var answers = await Task.WhenAll(queries.Select(async query => Ask(http, query.ToText(), out var question, out var error) is { } series
            ? (Answer: await answerer.AnswerAsync(question!, series, cancel).ConfigureAwait(false), Error: (QuestionError?)null)
            : (Answer: (Answer?)null, Error: error))).ConfigureAwait(false);
        WriteJson(http, json =>
        {
            json.WriteStartObject();
            json.WriteStartArray("answers");
            foreach (var (answer, error) in answers)
            {
                if (answer is not null)
                {
                    AnswerWriter.WriteJson(json, answer);
                    continue;
                }
                json.WriteStartObject();
                json.WriteStartObject("problem");
                json.WriteString("type", $"urn:foretier:problem:{error!.Code}");
                json.WriteString("code", error.Code);
                json.WriteString("detail", error.Detail);
                json.WriteEndObject();
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        });
        await http.Response.BodyWriter.FlushAsync(cancel).ConfigureAwait(false);
        return Results.Empty;
    }

    public sealed record QueryBatch(IReadOnlyList<QueryDocument>? Queries);

    private async Task<IResult> ExplainAsync(HttpContext http, QueryText text, bool execute, CancellationToken cancel)
    {
        if (Ask(http, text, out var question, out var error) is not { } series)
        {
            return Problem.Of(error!);
        }
        var plan = answerer.Plan(question!, series);
        var started = clock.GetTimestamp();
        var answer = execute ? await answerer.AnswerAsync(question!, series, cancel).ConfigureAwait(false) : null;
        var elapsed = clock.GetElapsedTime(started);
        WriteJson(http, json => ExplainWriter.Write(json, question!, series, plan, answer, elapsed, map?.Invoke()));
        await http.Response.BodyWriter.FlushAsync(cancel).ConfigureAwait(false);
        return Results.Empty;
    }

    private IResult Series(HttpContext http, string? series)
    {
        SeriesGlob? glob = null;
        if (series is not null && !SeriesGlob.TryParse(series, out glob, out var why))
        {
            return Problem.Of(StatusCodes.Status400BadRequest, "bad_series", why!);
        }
        var view = catalog.View;
        var caller = http.Caller();
        var found = (glob is null ? view.Series : view.Matching(glob))
            .Where(s => SeriesKey.TryParse(s.Name, out var key) && caller.MayRead(key!))
            .OrderBy(s => s.Name, StringComparer.Ordinal).ThenBy(s => s.Edge, StringComparer.Ordinal)
            .Select(s => new SeriesEntry(s.Name, s.Unit, s.Kind, s.Edge));
        return Results.Ok(new SeriesReply([.. found]));
    }

    private IResult MapOf(HttpContext http)
    {
        var caller = http.Caller();
        var current = map!();
        return Results.Json(new
        {
            revision = current.Revision,
            entries = current.Entries.Where(e => caller.MayRead(e.Id.Account)),
            groups = current.Groups.Where(g => caller.MayRead(g.Account)),
        }, NodeJson.Options);
    }

    private IResult Tiers() => Results.Ok(new TierReply([.. catalog.View.Holdings.Where(h => h.Node != Holding.Below).GroupBy(h => (h.Tier, h.Node))
        .OrderBy(g => g.Key.Tier).ThenBy(g => g.Key.Node, StringComparer.Ordinal)
        .Select(g => new TierEntry(JsonNamingPolicy.CamelCase.ConvertName(g.Key.Tier.ToString()), g.Key.Node,
            g.Select(h => (h.Edge, h.Window)).Distinct().Count(), g.Sum(h => h.Count), g.Sum(h => h.Bytes),
            new ApiTime(g.Min(h => h.Extent.From)), new ApiTime(g.Max(h => h.Extent.To))))]));

    private IReadOnlyCollection<SeriesInfo>? Ask(HttpContext http, QueryText text, out Question? question, out QuestionError? error)
    {
        question = Question.Parse(text.Series, text.From, text.To, text.Step, text.Fn, Instant.Now(clock), out error);
        if (question is null)
        {
            return null;
        }
        var series = answerer.Resolve(question, out error);
        if (error is not null)
        {
            return null;
        }
        // Another account's series are, to this caller, not there.
        var caller = http.Caller();
        var readable = caller.IsAdmin ? series : [.. series.Where(s => SeriesKey.TryParse(s.Name, out var key) && caller.MayRead(key!))];
        error = readable.Count > 0 ? null : new("unknown_series", $"no series matches '{text.Series}'; list what there is with GET /api/v1/series");
        return error is null ? readable : null;
    }

    private static void WriteJson(HttpContext http, Action<Utf8JsonWriter> write)
    {
        http.Response.ContentType = "application/json; charset=utf-8";
        using var json = new Utf8JsonWriter(http.Response.BodyWriter, Compact);
        write(json);
    }
}
