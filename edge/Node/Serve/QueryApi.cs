using System.Buffers;
using System.Globalization;
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
using Microsoft.AspNetCore.Routing;

namespace Foretier.Node.Serve;

/// <summary>
/// The questions of the public interface, the same on agent, gateway and router; each answers from what its catalog knows.
/// </summary>
/// <param name="asked">Told of each question that was answered: of one in pages at its first, of one that is explained not at all.</param>
public sealed class QueryApi(
    Answerer answerer, Catalog catalog, TimeProvider clock, Func<PartitionMap>? map = null, Action<Question, SeriesInfo[]>? asked = null)
{
    /// <summary>Points of a long answer in lines that are in memory at a time: about 10 MB.</summary>
    private const string PointsAtOnce = "200000";

    private const string BatchForm = "send {\"queries\":[{\"series\":…,\"from\":…,\"to\":…,\"step\":…,\"fn\":…}]} with 1 to 100 queries";

    private static readonly JsonWriterOptions Compact = new() { SkipValidation = true };

    public void Map(RouteGroupBuilder api)
    {
        api.MapGet("/query", (HttpContext http, [AsParameters] QueryText text, CancellationToken cancel) => QueryAsync(http, text, cancel))
            .Taking(QueryText.Names).WithName("query").WithSummary("Samples or functions of series over a range.").Brief();
        api.MapPost("/query", QueryManyAsync).Taking().WithName("queryMany").WithSummary("Several queries in one request; each has its own answer or problem.");
        api.MapGet("/explain", (HttpContext http, [AsParameters] QueryText text, bool? execute, CancellationToken cancel) => ExplainAsync(http, text, execute ?? true, cancel))
            .Taking([.. QueryText.Names, "execute"]).WithName("explain").WithSummary("How a query is answered: plan, estimates, and what it really cost.");
        api.MapGet("/series", Series).WithName("series").WithSummary("The series there are.");
        if (map is not null)
        {
            new PartitionMapApi(map, clock).Map(api);
        }
        api.MapGet("/tier", Tiers).WithName("tier").WithSummary("What each tier and node holds.").RequireAdminOrNode();
    }

    private async Task<IResult> QueryAsync(HttpContext http, QueryText text, CancellationToken cancel)
    {
        var accept = http.Request.Headers.Accept.ToString();
        var isCsv = accept.Contains("text/csv", StringComparison.OrdinalIgnoreCase);
        if (isCsv || accept.Contains("application/x-ndjson", StringComparison.OrdinalIgnoreCase))
        {
            return await StreamAsync(http, text, isCsv, cancel).ConfigureAwait(false);
        }
        var (answer, error) = await PageAsync(http, text, isDemand: true, cancel).ConfigureAwait(false);
        if (answer is null)
        {
            return Problem.Of(error!);
        }
        using var page = answer;
        http.Response.Headers.CacheControl = "no-store";
        http.Response.ContentType = "application/json; charset=utf-8";
        await AnswerWriter.WriteJsonAsync(http.Response.BodyWriter, page, page.Next?.ToText(text.Unchanging), cancel).ConfigureAwait(false);
        // What is left goes out with the end of the answer, in one packet.
        return Results.Empty;
    }

    /// <summary>Lines, which need not be known to the last before the first is sent: without a limit of their own they come page by page.</summary>
    private async Task<IResult> StreamAsync(HttpContext http, QueryText text, bool isCsv, CancellationToken cancel)
    {
        await SocketThread.LeaveAsync().ConfigureAwait(false);
        var isWhole = string.IsNullOrWhiteSpace(text.Limit) && string.IsNullOrWhiteSpace(text.Cursor);
        var asked = isWhole ? text with { Limit = PointsAtOnce } : text;
        var (first, error) = await PageAsync(http, asked, isDemand: true, cancel).ConfigureAwait(false);
        if (first is null)
        {
            return Problem.Of(error!);
        }
        async IAsyncEnumerable<AnswerPage> PagesAsync()
        {
            yield return first;
            for (var next = first.Next; isWhole && next is not null;)
            {
                var (page, refused) = await PageAsync(http, asked with { Cursor = next.ToText(text.Unchanging) }, isDemand: false, cancel).ConfigureAwait(false);
                yield return page ?? throw new IOException($"the answer cannot go on: {refused!.Detail}");
                next = page.Next;
            }
        }
        string? NextOf(AnswerPage last) => isWhole ? null : last.Next?.ToText(text.Unchanging);
        http.Response.Headers.CacheControl = "no-store";
        http.Response.ContentType = isCsv ? "text/csv; charset=utf-8" : "application/x-ndjson";
        try
        {
            await (isCsv ? AnswerWriter.WriteCsvAsync(http.Response.BodyWriter, PagesAsync(), NextOf, cancel)
                : AnswerWriter.WriteNdjsonAsync(http.Response.BodyWriter, PagesAsync(), NextOf, cancel)).ConfigureAwait(false);
        }
        catch (IOException)
        {
            // Half an answer must not look like a whole one.
            http.Abort();
        }
        return Results.Empty;
    }

    private async Task<IResult> QueryManyAsync(HttpContext http, QueryBatch batch, CancellationToken cancel)
    {
        if (batch.Unknown is { Count: > 0 } unknown)
        {
            return Problem.Of(StatusCodes.Status400BadRequest, "bad_parameter", $"'{unknown.Keys.First()}' is not a member here; {BatchForm}");
        }
        if (batch.Queries is not { Count: > 0 and <= 100 } queries || queries.Any(query => query is null))
        {
            return Problem.Of(StatusCodes.Status400BadRequest, "bad_query", BatchForm);
        }
        var answers = await Task.WhenAll(queries.Select(async query =>
        {
            var text = query.ToText();
            var (page, error) = query.Unknown is { Count: > 0 } members
                ? (null, new("bad_parameter", $"'{members.Keys.First()}' is not a member of a query; use {string.Join(", ", QueryText.Names)}"))
                : await PageAsync(http, text, isDemand: true, cancel).ConfigureAwait(false);
            return (Page: page, Next: page?.Next?.ToText(text.Unchanging), Error: error);
        })).ConfigureAwait(false);
        http.Response.ContentType = "application/json; charset=utf-8";
        var body = http.Response.BodyWriter;
        body.Write("{\"answers\":["u8);
        for (var i = 0; i < answers.Length; i++)
        {
            body.Write(i == 0 ? [] : ","u8);
            if (answers[i].Page is { } answer)
            {
                using var page = answer;
                await AnswerWriter.WriteJsonAsync(body, page, answers[i].Next, cancel).ConfigureAwait(false);
            }
            else
            {
                WriteProblem(body, answers[i].Error!);
            }
        }
        body.Write("]}"u8);
        await body.FlushAsync(cancel).ConfigureAwait(false);
        return Results.Empty;
    }

    private static void WriteProblem(IBufferWriter<byte> to, QuestionError error)
    {
        using var json = new Utf8JsonWriter(to, Compact);
        json.WriteStartObject();
        json.WriteStartObject("problem");
        json.WriteString("type", Problem.TypeOf(error.Code));
        json.WriteString("title", Problem.TitleOf(error.Code));
        json.WriteNumber("status", Problem.StatusOf(error));
        json.WriteString("code", error.Code);
        json.WriteString("detail", error.Detail);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>The answer, all of it or a page, or why there is none.</summary>
    private async Task<(AnswerPage? Page, QuestionError? Error)> PageAsync(HttpContext http, QueryText text, bool isDemand, CancellationToken cancel)
    {
        int? limit = null;
        PageCursor? cursor = null;
        if (!string.IsNullOrWhiteSpace(text.Limit))
        {
            limit = int.TryParse(text.Limit, NumberStyles.None, CultureInfo.InvariantCulture, out var points) && points is > 0 and <= Pager.LimitMax ? points : null;
            if (limit is null)
            {
                return (null, new("bad_limit", $"limit='{text.Limit}' is not a number of points from 1 to {Pager.LimitMax}"));
            }
        }
        if (!string.IsNullOrWhiteSpace(text.Cursor))
        {
            if (limit is null)
            {
                return (null, new("bad_cursor", "a cursor goes with the limit of the query that gave it"));
            }
            cursor = PageCursor.Parse(text.Cursor.Trim(), text.Unchanging, out var wrong);
            if (cursor is null)
            {
                return (null, wrong);
            }
        }
        if (Read(text, out var error) is not { } question)
        {
            return (null, error);
        }
        if (!question.IsSmall || !catalog.IsAtHand)
        {
            await SocketThread.LeaveAsync().ConfigureAwait(false);
        }
        if (SeriesOf(question, http, limit is not null, out error) is not { } series)
        {
            return (null, error);
        }
        try
        {
            var page = limit is null ? AnswerPage.Whole(await answerer.AnswerAsync(question, series, cancel).ConfigureAwait(false))
                : await new Pager(answerer).AskAsync(question, series, limit.Value, cursor, cancel).ConfigureAwait(false);
            if (isDemand && cursor is null)
            {
                asked?.Invoke(question, series);
            }
            return (page, null);
        }
        catch (QuestionRefusedException refused)
        {
            return (null, refused.Error);
        }
    }

    private async Task<IResult> ExplainAsync(HttpContext http, QueryText text, bool execute, CancellationToken cancel)
    {
        if (Read(text, out var error) is not { } question || SeriesOf(question, http, inPages: !string.IsNullOrWhiteSpace(text.Limit), out error) is not { } series)
        {
            return Problem.Of(error!);
        }
        var plan = answerer.Plan(question, series);
        var started = clock.GetTimestamp();
        AnswerPage? answer = null;
        if (execute)
        {
            (answer, error) = await PageAsync(http, text, isDemand: false, cancel).ConfigureAwait(false);
            if (answer is null)
            {
                return Problem.Of(error!);
            }
        }
        using var page = answer;
        var elapsed = clock.GetElapsedTime(started);
        WriteJson(http, json => ExplainWriter.Write(json, question, series, plan, page, elapsed, map?.Invoke()));
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

    private IResult Tiers() => Results.Ok(new TierReply([.. catalog.View.Holdings.Where(h => h.Node is not (Holding.Below or Holding.Gone) && !h.Extent.IsEmpty).GroupBy(h => (h.Tier, h.Node))
        .OrderBy(g => g.Key.Tier).ThenBy(g => g.Key.Node, StringComparer.Ordinal)
        .Select(g => new TierEntry(JsonNamingPolicy.CamelCase.ConvertName(g.Key.Tier.ToString()), g.Key.Node,
            g.Select(h => (h.Edge, h.Window)).Distinct().Count(), g.Sum(h => h.Count), g.Sum(h => h.Bytes),
            new ApiTime(g.Min(h => h.Extent.From)), new ApiTime(g.Max(h => h.Extent.To))))]));

    private Question? Read(QueryText text, out QuestionError? error) => Question.Parse(text.ToQuestion(), Instant.Now(clock), out error);

    private SeriesInfo[]? SeriesOf(Question question, HttpContext http, bool inPages, out QuestionError? error)
    {
        // Another account's series are, to this caller, not there.
        var caller = http.Caller();
        var series = answerer.Resolve(question, out error, inPages,
            caller.IsAdmin ? null : info => SeriesKey.TryParse(info.Name, out var key) && caller.MayRead(key!));
        return error is null ? series : null;
    }

    private static void WriteJson(HttpContext http, Action<Utf8JsonWriter> write)
    {
        http.Response.ContentType = "application/json; charset=utf-8";
        using var json = new Utf8JsonWriter(http.Response.BodyWriter, Compact);
        write(json);
    }
}
