using System.Security.Cryptography;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Node.Keys;
using Foretier.Protocol.Api;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Foretier.Node.Serve;

/// <summary>
/// What an edge does about its accounts and devices. A null result: it knows no such one. An <see cref="ArgumentException"/> says what is
/// wrong with the request.
/// </summary>
public sealed record DeviceDuties
{
    public required Func<IReadOnlyList<DeviceEntry>> List { get; init; }
    public required Func<string, string, DeviceSecret, DeviceSecretReply> Put { get; init; }
    public required Func<string, string, DeviceChange, DeviceEntry?> Change { get; init; }

    /// <summary>Revokes (its secret and all certificates, or the one named), or forgets.</summary>
    public required Func<string, string, bool, string?, DeviceEntry?> End { get; init; }
    public required Func<IReadOnlyList<AccountEntry>> Accounts { get; init; }
    public required Func<string, AccountRules, AccountEntry> PutAccount { get; init; }
    public required Func<string, AccountEntry?> RemoveAccount { get; init; }
}

/// <summary>
/// Accounts and devices, asked of any node, done by every edge at or below it. The same handlers stand under /api/v1 and /internal/v1.
/// </summary>
/// <param name="terms">What accounts are given, by account.</param>
public sealed class DeviceApi(DeviceDuties? own, Cascade cascade, Func<IReadOnlyDictionary<string, AccountTerms>> terms)
{
    private const string SecretLetters = "abcdefghijklmnopqrstuvwxyz234567";
    private const int SecretLength = 32;

    public void Map(RouteGroupBuilder group)
    {
        group.MapGet("/devices", DevicesAsync).Taking().WithSummary("Devices and concentrators: credentials, rules, when they were last heard.").RequireAdminOrNode();
        group.MapPut("/devices/{account}/{device}", PutDeviceAsync).Taking().WithSummary("Create a device, or change its secret.").RequireAdminOrNode();
        group.MapPatch("/devices/{account}/{device}", ChangeDeviceAsync).Taking().WithSummary("Change its topic rules, or how often it is expected.").RequireAdminOrNode();
        group.MapDelete("/devices/{account}/{device}", RemoveDeviceAsync).Taking("remove", "certificate").WithSummary("Revoke a device at once, or forget it.").RequireAdminOrNode();
        group.MapGet("/accounts", AccountsAsync).Taking().WithSummary("Accounts, what they are given, and what their devices may do.").RequireAdminOrNode();
        group.MapPut("/accounts/{account}", PutAccountAsync).Taking().WithSummary("Create an account, or change its topic rules.").RequireAdminOrNode();
        group.MapDelete("/accounts/{account}", RemoveAccountAsync).Taking().WithSummary("Remove an account with all its devices; data and terms stay.").RequireAdminOrNode();
    }

    private async Task<IResult> DevicesAsync(CancellationToken cancel)
    {
        var devices = new List<DeviceEntry>(own?.List() ?? []);
        foreach (var reply in await cascade.AskBelowAsync<DevicesReply>(HttpMethod.Get, "devices", null, cancel).ConfigureAwait(false))
        {
            devices.AddRange(reply.Reply?.Devices ?? []);
        }
        return Results.Ok(new DevicesReply(devices));
    }

    private Task<IResult> PutDeviceAsync(string account, string device, DeviceSecret secret, CancellationToken cancel)
    {
        if (!SeriesKey.IsValidPart(account) || (device != "*" && !SeriesKey.IsValidPart(device)))
        {
            return Task.FromResult(Problem.Of(StatusCodes.Status400BadRequest, "bad_name",
                $"'{account}/{device}' is not account/device (letters, digits and _ . : @ - ; * alone is a concentrator)"));
        }
        // Made up here, once, so that all edges below get the same.
        secret = secret.Secret is null ? secret with { Secret = RandomNumberGenerator.GetString(SecretLetters, SecretLength), Generated = true } : secret;
        return cascade.DoAsync<DeviceSecretReply>(own is null ? null : () => Task.FromResult<DeviceSecretReply?>(own.Put(account, device, secret)), HttpMethod.Put, PathOf(account, device), secret, "", cancel);
    }

    private Task<IResult> ChangeDeviceAsync(string account, string device, DeviceChange change, CancellationToken cancel) =>
        cascade.DoAsync<DeviceEntry>(own is null ? null : () => Task.FromResult<DeviceEntry?>(own.Change(account, device, change)), HttpMethod.Patch, PathOf(account, device), change,
            $"no connected edge knows {account}/{device}", cancel);

    private Task<IResult> RemoveDeviceAsync(string account, string device, bool? remove, string? certificate, CancellationToken cancel) =>
        cascade.DoAsync<DeviceEntry>(own is null ? null : () => Task.FromResult<DeviceEntry?>(own.End(account, device, remove == true, certificate)), HttpMethod.Delete,
            $"{PathOf(account, device)}?remove={(remove == true ? "true" : "false")}{(certificate is null ? "" : "&certificate=" + Uri.EscapeDataString(certificate))}",
            null, $"no connected edge knows {account}/{device}{(certificate is null ? "" : $" with a valid certificate {certificate}")}, or it is revoked already", cancel);

    private async Task<IResult> AccountsAsync(CancellationToken cancel)
    {
        var accounts = new List<AccountEntry>(own?.Accounts() ?? []);
        foreach (var reply in await cascade.AskBelowAsync<AccountsReply>(HttpMethod.Get, "accounts", null, cancel).ConfigureAwait(false))
        {
            accounts.AddRange(reply.Reply?.Accounts.Where(account => account.Edge is not null) ?? []);
        }
        var given = terms();
        var named = accounts.Select(account => account.Account).ToHashSet(StringComparer.Ordinal);
        accounts.AddRange(given.Keys.Where(account => !named.Contains(account)).Order(StringComparer.Ordinal).Select(account => new AccountEntry(account, 0)));
        return Results.Ok(new AccountsReply([.. accounts.Select(account => account with { Terms = given.GetValueOrDefault(account.Account) })]));
    }

    private Task<IResult> PutAccountAsync(string account, AccountRules rules, CancellationToken cancel) =>
        cascade.DoAsync<AccountEntry>(own is null ? null : () => Task.FromResult<AccountEntry?>(own.PutAccount(account, rules)), HttpMethod.Put, $"accounts/{Uri.EscapeDataString(account)}", rules, "", cancel);

    private Task<IResult> RemoveAccountAsync(string account, CancellationToken cancel) =>
        cascade.DoAsync<AccountEntry>(own is null ? null : () => Task.FromResult<AccountEntry?>(own.RemoveAccount(account)), HttpMethod.Delete, $"accounts/{Uri.EscapeDataString(account)}", null,
            $"no connected edge knows the account {account}", cancel);

    private static string PathOf(string account, string device) => $"devices/{Uri.EscapeDataString(account)}/{Uri.EscapeDataString(device)}";
}
