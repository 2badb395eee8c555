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

    /// <summary>Sets the secret of a device; null makes one up. Returns it.</summary>
    public Func<string, string, string?, string>? PutDevice { get; init; }

    /// <summary>False where there is no such device.</summary>
    public Func<string, string, bool>? RemoveDevice { get; init; }
    public Func<IReadOnlyList<DeviceEntry>>? Devices { get; init; }
}

/// <summary>
/// Administration: asked of any node, done by it and by every node below. The same handlers stand under /api/v1 (for keys that administer)
/// and /internal/v1 (for the node above).
/// </summary>
public sealed class Cascade(NodeDuties own, LinkHub? below, TimeProvider clock, ILogger<Cascade> log)
{
    public void Map(RouteGroupBuilder group)
    {
        group.MapGet("/ledger", LedgerAsync).WithSummary("The conservation account of every hop.");
        group.MapPost("/tier/move", MoveAsync).WithSummary("Move windows to a colder tier now.").RequireAdminOrNode();
        group.MapGet("/devices", DevicesAsync).WithSummary("Devices and concentrators with a secret.").RequireAdminOrNode();
        group.MapPut("/devices/{account}/{device}", PutDeviceAsync).WithSummary("Create a device, or change its secret.").RequireAdminOrNode();
        group.MapDelete("/devices/{account}/{device}", RemoveDeviceAsync).WithSummary("Revoke a device at once.").RequireAdminOrNode();
    }

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

    private async Task<IResult> DevicesAsync(CancellationToken cancel)
    {
        var devices = new List<DeviceEntry>(own.Devices?.Invoke() ?? []);
        foreach (var reply in await AskBelowAsync<DevicesReply>(HttpMethod.Get, "devices", null, cancel).ConfigureAwait(false))
        {
            devices.AddRange(reply.Reply?.Devices ?? []);
        }
        return Results.Ok(new DevicesReply(devices));
    }

    private async Task<IResult> PutDeviceAsync(string account, string device, DeviceSecret secret, CancellationToken cancel)
    {
        if (!SeriesKey.IsValidPart(account) || (device != "*" && !SeriesKey.IsValidPart(device)))
        {
            return Problem.Of(StatusCodes.Status400BadRequest, "bad_name", $"'{account}/{device}' is not account/device (letters, digits and _ . : @ - ; * alone is a concentrator)");
        }
        var entries = new List<DeviceEntry>();
        var given = secret.Secret;
        if (own.PutDevice is not null)
        {
            given = own.PutDevice(account, device, given);
            entries.Add(new(account, device));
        }
        foreach (var reply in await AskBelowAsync<DeviceSecretReply>(HttpMethod.Put, $"devices/{account}/{Uri.EscapeDataString(device)}", new DeviceSecret(given), cancel).ConfigureAwait(false))
        {
            if (reply.Reply is not null)
            {
                given ??= reply.Reply.Secret;
                entries.Add(new(account, device));
            }
        }
        return entries.Count > 0 ? Results.Ok(new DeviceSecretReply(account, device, given!))
            : Problem.Of(StatusCodes.Status503ServiceUnavailable, "no_edge", "no edge is connected that could take the device; try again when one is");
    }

    private async Task<IResult> RemoveDeviceAsync(string account, string device, CancellationToken cancel)
    {
        var found = own.RemoveDevice?.Invoke(account, device) == true;
        foreach (var reply in await AskBelowAsync<JsonElement?>(HttpMethod.Delete, $"devices/{account}/{Uri.EscapeDataString(device)}", null, cancel).ConfigureAwait(false))
        {
            found |= reply.Error is null;
        }
        return found ? Results.Ok(new { account, device }) : Problem.Of(StatusCodes.Status404NotFound, "unknown_device", $"no connected edge knows {account}/{device}");
    }

    private async Task<List<(string Node, TReply? Reply, string? Error)>> AskBelowAsync<TReply>(
        HttpMethod method, string path, object? body, CancellationToken cancel)
    {
        async Task<(string, TReply?, string?)> AskAsync(LinkedNode node)
        {
            using var request = new HttpRequestMessage(method, $"internal/v1/{path}") { Version = node.Http.DefaultRequestVersion, VersionPolicy = node.Http.DefaultVersionPolicy };
            request.Content = body is null ? null : JsonContent.Create(body, body.GetType(), options: NodeJson.Options);
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancel, node.Ended);
            try
            {
                using var response = await node.Http.SendAsync(request, ended.Token).ConfigureAwait(false);
                return response.IsSuccessStatusCode
                    ? (node.Name, await response.Content.ReadFromJsonAsync<TReply>(NodeJson.Options, ended.Token).ConfigureAwait(false), null)
                    : (node.Name, default, $"{(int)response.StatusCode} {await response.Content.ReadAsStringAsync(ended.Token).ConfigureAwait(false)}");
            }
            catch (Exception error) when (!cancel.IsCancellationRequested && error is HttpRequestException or IOException or OperationCanceledException or JsonException)
            {
                return (node.Name, default, error.Message);
            }
        }
        return below is null ? [] : [.. await Task.WhenAll(below.Nodes.Select(AskAsync)).ConfigureAwait(false)];
    }
}
