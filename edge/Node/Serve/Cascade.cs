using System.Net.Http.Json;
using System.Text.Json;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Node.Hosting;
using Foretier.Node.Keys;
using Foretier.Node.Link;
using Foretier.Protocol;
using Foretier.Protocol.Api;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;

namespace Foretier.Node.Serve;

/// <summary>What a node itself does of the things that are asked at the top and go down every link. Null: not its business.</summary>
public sealed record NodeDuties
{
    public Func<Ledger>? Ledger { get; init; }

    /// <summary>
    /// Moves its own data; runs after the nodes below have moved theirs. Null result: this move is not for this node.
    /// Throws IOException or InvalidOperationException where it could not be finished.
    /// </summary>
    public Func<MoveRequest, CancellationToken, Task<MoveResult?>>? Move { get; init; }

    /// <summary>Declares kind or unit of a series it owns; null result where it does not know it.</summary>
    public Func<SeriesChange, Task<SeriesEntry?>>? ChangeSeries { get; init; }

    public DeletionDuties? Deletion { get; init; }
    public DeviceDuties? Devices { get; init; }

    /// <summary>What accounts are given, as this node knows it, by account.</summary>
    public Func<IReadOnlyDictionary<string, AccountTerms>> Terms { get; init; } = () => new Dictionary<string, AccountTerms>();
    public EnrolmentDuties? Enrolment { get; init; }
    public ForecastDuties? Forecasts { get; init; }
    public FleetDuties? Fleet { get; init; }

    /// <summary>What it has written to its flash; of edges.</summary>
    public Func<FlashEntry>? Flash { get; init; }

    /// <summary>What it finds when it looks at itself.</summary>
    public Func<NodeReport>? Report { get; init; }
}

/// <summary>
/// Administration: asked of any node, done by it and by every node below. The same handlers stand under /api/v1 (for keys that administer)
/// and /internal/v1 (for the node above).
/// </summary>
public sealed class Cascade(NodeDuties own, LinkHub? below, TimeProvider clock, ILogger<Cascade> log)
{
    public void Map(RouteGroupBuilder group)
    {
        group.MapGet("/ledger", LedgerAsync).WithSummary("The conservation account of every hop.").RequireAdminOrNode();
        group.MapGet("/flash", FlashAsync).WithSummary("What every edge has written to its flash, and how long that lasts.").RequireAdminOrNode();
        group.MapPost("/tier/move", MoveAsync).WithSummary("Move windows to a colder tier now.").RequireAdminOrNode();
        group.MapPatch("/series", ChangeSeriesAsync).Taking().WithSummary("Declare the kind or the unit of a series.").RequireAdminOrNode();
        new DeletionApi(own.Deletion, this, clock).Map(group);
        new DeviceApi(own.Devices, this, own.Terms).Map(group);
        new EnrolmentApi(own.Enrolment, this).Map(group);
        new ForecastApi(own.Forecasts, this).Map(group);
        new FleetApi(own.Fleet, this, clock).Map(group);
        group.MapGet("/doctor", DoctorAsync).Taking().WithSummary("What every node finds when it looks at itself.").RequireAdminOrNode();
    }

    /// <summary>What stands beside the groups: where devices get their certificates.</summary>
    public void MapPublic(IEndpointRouteBuilder app) => new EnrolmentApi(own.Enrolment, this).MapPublic(app);

    private async Task<IResult> DoctorAsync(CancellationToken cancel)
    {
        var nodes = new List<NodeReport>();
        if (own.Report is not null)
        {
            nodes.Add(own.Report());
        }
        foreach (var reply in await AskBelowAsync<DoctorReply>(HttpMethod.Get, "doctor", null, cancel).ConfigureAwait(false))
        {
            nodes.AddRange(reply.Reply?.Nodes ?? [new(reply.Node, "", [new("link", CheckStatus.Fail, $"{reply.Node} does not answer: {reply.Error}", "look at its log")])]);
        }
        return Results.Ok(new DoctorReply(nodes));
    }

    private Task<IResult> ChangeSeriesAsync(SeriesChange change, CancellationToken cancel) =>
        DoAsync<SeriesEntry>(own.ChangeSeries is { } here ? () => here(change) : null, HttpMethod.Patch, "series", change,
            $"no connected edge has a series '{change.Series}'; list what there is with GET /api/v1/series", cancel);

    private async Task<IResult> LedgerAsync(CancellationToken cancel)
    {
        var nodes = new List<Ledger>();
        if (own.Ledger is not null)
        {
            nodes.Add(own.Ledger());
        }
        foreach (var reply in await AskBelowAsync<LedgerReply>(HttpMethod.Get, "ledger", null, cancel).ConfigureAwait(false))
        {
            nodes.AddRange(reply.Reply?.Nodes ?? []);
        }
        return Results.Ok(new LedgerReply(nodes, nodes.TrueForAll(n => n.Balanced)));
    }

    private async Task<IResult> FlashAsync(CancellationToken cancel)
    {
        var nodes = new List<FlashEntry>();
        if (own.Flash is not null)
        {
            nodes.Add(own.Flash());
        }
        foreach (var reply in await AskBelowAsync<FlashReply>(HttpMethod.Get, "flash", null, cancel).ConfigureAwait(false))
        {
            nodes.AddRange(reply.Reply?.Nodes ?? []);
        }
        return Results.Ok(new FlashReply(nodes));
    }

    private async Task<IResult> MoveAsync(TierMoveRequest request, CancellationToken cancel)
    {
        if (request.To is not ("hdd" or "archive"))
        {
            return Problem.Of(StatusCodes.Status400BadRequest, "bad_tier", $"cannot move to '{request.To}'; use hdd or archive");
        }
        var move = new MoveRequest(request.To, request.Before?.Micros ?? Instant.Now(clock) + Instant.AheadMax);
        if (!request.Wait)
        {
            _ = Task.Run(async () =>
            {
                try
                {
                    await MoveAllAsync(request, move, CancellationToken.None).ConfigureAwait(false);
                }
                catch (Exception error) when (error is HttpRequestException or IOException or OperationCanceledException or InvalidOperationException)
                {
                    log.LogWarning("Move to {Tier} did not finish: {Reason}", request.To, error.Message);
                }
            }, CancellationToken.None);
            return Results.Accepted(value: new TierMoveReply(0, 0));
        }
        return await MoveAllAsync(request, move, cancel).ConfigureAwait(false);
    }

    private async Task<IResult> MoveAllAsync(TierMoveRequest request, MoveRequest move, CancellationToken cancel)
    {
        var moved = new MoveResult(0, 0);
        foreach (var reply in await AskBelowAsync<TierMoveReply>(HttpMethod.Post, "tier/move",
            new TierMoveRequest(request.To, new ApiTime(move.Before), true), cancel).ConfigureAwait(false))
        {
            if (reply.Reply is null)
            {
                return Problem.Of(StatusCodes.Status503ServiceUnavailable, "move_unfinished", $"{reply.Node}: {reply.Error}; nothing is lost, ask again");
            }
            moved = new(moved.Windows + reply.Reply.Windows, moved.Samples + reply.Reply.Samples);
        }
        try
        {
            if (own.Move is not null && await own.Move(move, cancel).ConfigureAwait(false) is { } here)
            {
                moved = here;
            }
            return Results.Ok(new TierMoveReply(moved.Windows, moved.Samples));
        }
        catch (Exception error) when (error is IOException or InvalidOperationException)
        {
            log.LogWarning("Move to {Tier} did not finish: {Reason}", request.To, error.Message);
            return Problem.Of(StatusCodes.Status503ServiceUnavailable, "move_unfinished", $"{error.Message}; what has moved stays moved, nothing is lost, ask again");
        }
    }

    /// <summary>Changes something on every edge at or below this node: the answer is the first that did it, else why none did.</summary>
    /// <param name="own">What this node does itself; null where it is not its business. A null result: it knows no such thing.</param>
    /// <param name="unknown">What to say where no node knows it.</param>
    internal async Task<IResult> DoAsync<TReply>(
        Func<Task<TReply?>>? own, HttpMethod method, string path, object? body, string unknown, CancellationToken cancel)
        where TReply : class
    {
        TReply? done = null;
        var isUnknown = false;
        try
        {
            done = own is null ? null : await own().ConfigureAwait(false);
            isUnknown = own is not null && done is null;
        }
        catch (ArgumentException wrong)
        {
            return Problem.Of(StatusCodes.Status400BadRequest, "bad_request", wrong.Message);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return Problem.Of(StatusCodes.Status503ServiceUnavailable, "not_written", $"it could not be written down and is not done: {error.Message}");
        }
        Protocol.Api.Problem? problem = null;
        foreach (var answer in await AskBelowAsync<TReply>(method, path, body, cancel).ConfigureAwait(false))
        {
            done ??= answer.Reply;
            isUnknown |= answer.Problem?.Status == StatusCodes.Status404NotFound;
            problem ??= answer.Problem is { Status: not StatusCodes.Status404NotFound } other ? other : null;
        }
        return done is not null ? Results.Ok(done)
            : problem is not null ? Problem.Of(problem.Status, problem.Code ?? "refused", problem.Detail ?? problem.Title)
            : isUnknown ? Problem.Of(StatusCodes.Status404NotFound, "unknown", unknown)
            : Problem.Of(StatusCodes.Status503ServiceUnavailable, "no_edge", "no edge is connected that could do it; try again when one is");
    }

    /// <summary>Asks every node below the same, and waits for all of them.</summary>
    internal async Task<IReadOnlyList<Answered<TReply>>> AskBelowAsync<TReply>(HttpMethod method, string path, object? body, CancellationToken cancel)
    {
        async Task<Answered<TReply>> AskAsync(LinkedNode node)
        {
            using var request = node.Request(method, $"internal/v1/{path}", body is null ? null : JsonContent.Create(body, body.GetType(), options: NodeJson.Options));
            using var patience = new LinkPatience(node, cancel);
            try
            {
                using var response = await node.Http.SendAsync(request, patience.Token).ConfigureAwait(false);
                if (response.IsSuccessStatusCode)
                {
                    return new(node.Name, await response.Content.ReadFromJsonAsync<TReply>(NodeJson.Options, patience.Token).ConfigureAwait(false), null, null);
                }
                var problem = Protocol.Api.Problem.Read(response.StatusCode, response.ReasonPhrase, await response.Content.ReadAsStringAsync(patience.Token).ConfigureAwait(false));
                return new(node.Name, default, $"{problem.Status} {problem.Detail ?? problem.Title}", problem);
            }
            catch (Exception error) when (!cancel.IsCancellationRequested && error is HttpRequestException or IOException or OperationCanceledException or JsonException)
            {
                return new(node.Name, default, patience.Reason ?? error.Message, null);
            }
        }
        return below is null ? [] : [.. await Task.WhenAll(below.Nodes.Select(AskAsync)).ConfigureAwait(false)];
    }
}

/// <summary>What a node below answered.</summary>
/// <param name="Reply">Null where it did not do it.</param>
/// <param name="Error">Then why, in words.</param>
/// <param name="Problem">And as it said it, where it said something.</param>
internal sealed record Answered<TReply>(string Node, TReply? Reply, string? Error, Protocol.Api.Problem? Problem);
