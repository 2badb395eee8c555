using System.Net;
using Foretier.Agent.Hot;
using Foretier.Agent.Ingest.Identity;
using Foretier.Agent.Ingest.Identity.Certificates;
using Foretier.Core.Samples;
using Foretier.Node.Serve;
using Foretier.Protocol.Api;
using SeriesEntry = Foretier.Protocol.Api.SeriesEntry;

namespace Foretier.Agent;

/// <summary>What an operator asks of an edge, in the words of the API. An <see cref="ArgumentException"/> says what is wrong with a request.</summary>
internal sealed class Administration(string node, HotStore store, DeviceRegistry devices, DeviceCertificates certificates, DeviceWatch watch, TimeProvider wire)
{
    private static readonly string[] Kinds = ["gauge", "counter", "state", "event"];
    private const int UnitLengthMax = 64;
    private static readonly TimeSpan DeletionPatience = TimeSpan.FromSeconds(5);
    private const double ExpectSecondsMax = 366.0 * 86_400;

    // Guessing at secrets by enrolment is as slow as by log-in. Behind a link all have one address: the device counts.
    private readonly FailureThrottle _failures = new(10, TimeSpan.FromSeconds(2), wire);

    public EnrolmentDuties Enrolment => new(OpenEnrolment, Sign);

    public DeviceDuties Duties => new()
    {
        List = () => [.. devices.Devices.Select(EntryOf)],
        Put = Put,
        Change = Change,
        End = End,
        Accounts = Accounts,
        PutAccount = (account, rules) => EntryOf(devices.PutAccount(account, new(Rule(rules.Publish), Rule(rules.Subscribe)))),
        RemoveAccount = RemoveAccount,
    };

    public async Task<SeriesEntry?> ChangeSeriesAsync(SeriesChange change)
    {
        if (!SeriesKey.TryParse(change.Series, out var series))
        {
            throw new ArgumentException($"'{change.Series}' is not account/device/measurement");
        }
        if (change.Kind is not null && !Kinds.Contains(change.Kind))
        {
            throw new ArgumentException($"'{change.Kind}' is no kind of series; use {string.Join(", ", Kinds)}");
        }
        if (change.Unit is { } unit && (unit.Length > UnitLengthMax || unit.Any(char.IsControl)))
        {
            throw new ArgumentException($"a unit has at most {UnitLengthMax} characters and no control characters; SenML's are written as 'Cel', '%RH', 'W'");
        }
        if (store.Declare(series!, change.Unit, change.Kind) is not { } declared)
        {
            return null;
        }
        await store.WaitDurableAsync(declared.Ticket, CancellationToken.None);
        if (change.ExpectSeconds is { } seconds)
        {
            devices.Meet(new(series!.Account, series.Device));
            devices.Expect(new(series.Account, series.Device), Interval(seconds));
        }
        return new(change.Series, declared.Unit, declared.Kind, node);
    }

    /// <summary>Deletes on this edge, and waits a while for the gateway to have it too.</summary>
    /// <param name="hasGateway">Whether there is one.</param>
    public async Task<DeletionReply?> DeleteAsync(SeriesKey series, TimeRange range, bool hasGateway, CancellationToken cancel)
    {
        Deletion? done;
        try
        {
            done = await store.DeleteAsync(series, range, hasGateway ? DeletionPatience : TimeSpan.Zero, cancel);
        }
        catch (HotStoreUnavailableException e)
        {
            throw new IOException(e.Message, e);
        }
        if (done is null)
        {
            return null;
        }
        var shares = new List<DeletedShare> { new(node, "ssd", done.Samples) };
        if (done.SamplesBelow > 0)
        {
            shares.Add(new($"gateway of {node}", "hdd", done.SamplesBelow));
        }
        return new(series.ToString(), new(range.From), new(range.To), shares, [node],
            [.. done.IsWritten ? Array.Empty<string>() : [node], .. done.IsBelow ? Array.Empty<string>() : [$"gateway of {node}"]]);
    }

    private DeviceSecretReply Put(string account, string device, DeviceSecret secret)
    {
        if (secret.Secret is null or { Length: 0 or > 200 })
        {
            throw new ArgumentException("a secret has 1 to 200 characters; leave it out to have one made up");
        }
        if (!(secret.GraceSeconds >= 0 && secret.GraceSeconds <= DeviceRegistry.GraceMax.TotalSeconds))
        {
            throw new ArgumentException($"graceSeconds must lie within 0 and {DeviceRegistry.GraceMax.TotalSeconds:0}");
        }
        devices.Set(new(account, device), secret.Secret, secret.Generated, TimeSpan.FromSeconds(secret.GraceSeconds));
        return new(account, device, secret.Secret);
    }

    private DeviceEntry? Change(string account, string device, DeviceChange change)
    {
        var name = new DeviceName(account, device);
        if (devices.Find(name) is not { } known)
        {
            return null;
        }
        var interval = change.ExpectSeconds is { } seconds ? Interval(seconds) : (TimeSpan?)null;
        if (change.Publish is not null || change.Subscribe is not null)
        {
            devices.SetRules(name, new(
                change.Publish is null ? known.Rules?.Publish : Rule(change.Publish),
                change.Subscribe is null ? known.Rules?.Subscribe : Rule(change.Subscribe)));
        }
        if (interval is { } told)
        {
            devices.Expect(name, told);
        }
        return EntryOf(known);
    }

    private DeviceEntry? End(string account, string device, bool remove, string? certificate)
    {
        var name = new DeviceName(account, device);
        if (devices.Find(name) is not { } known)
        {
            return null;
        }
        // Certificates first: whoever is then disconnected cannot come back by one.
        var ended = certificates.Revoke(name, certificate) > 0;
        ended |= certificate is null && (remove ? devices.Remove(name) : devices.Revoke(name));
        return ended ? EntryOf(known) : null;
    }

    private AccountEntry? RemoveAccount(string account)
    {
        foreach (var device in devices.Devices.Where(d => d.Name.Account == account))
        {
            certificates.Revoke(device.Name);
        }
        return devices.RemoveAccount(account) ? new(account, 0) { Edge = node } : null;
    }

    private EnrolmentEntry OpenEnrolment(string account, string device)
    {
        var (token, until) = certificates.NewToken(new(account, device));
        return new(node, token, new(until));
    }

    private EnrolmentReply? Sign(string account, string device, EnrolmentRequest request)
    {
        var name = new DeviceName(account, device);
        if (!_failures.Allows(IPAddress.Loopback, name.ToString()))
        {
            throw new ArgumentException($"too many failed enrolments of {name}: wait, then check its token");
        }
        using var made = certificates.Enrol(name, new(request.Token, request.Secret, request.Certificate, request.Signature), request.Request);
        if (made is null)
        {
            _failures.Failed(IPAddress.Loopback, name.ToString());
            return null;
        }
        return new(node, made.ExportCertificatePem());
    }

    private IReadOnlyList<AccountEntry> Accounts() =>
        [.. devices.Accounts.Select(a => a.Name).Concat(devices.Devices.Select(d => d.Name.Account)).Distinct().Order(StringComparer.Ordinal)
            .Select(name => EntryOf(devices.Accounts.FirstOrDefault(a => a.Name == name) ?? new(name, 0, null)))];

    private AccountEntry EntryOf(Account account) => new(account.Name, devices.Devices.Count(d => d.Name.Account == account.Name))
    {
        Edge = node,
        Publish = account.Rules?.Publish,
        Subscribe = account.Rules?.Subscribe,
    };

    private DeviceEntry EntryOf(Device device) => new(device.Name.Account, device.Name.Device)
    {
        Edge = node,
        Status = device.IsRevoked ? "revoked" : device.LastSeen == 0 ? "new" : watch.IsSilent(device) ? "silent" : "active",
        LastSeen = device.LastSeen == 0 ? null : new(device.LastSeen),
        ExpectSeconds = device.Presence.Expected == 0 ? null : Math.Round(device.Presence.Expected / (double)Instant.Second, 3),
        HasSecret = device.Secret is not null,
        GraceUntil = device.Former is { } former ? new(former.Until) : null,
        Certificates = certificates.Of(device.Name) is { Count: > 0 } some ? [.. some.Select(c => new CertificateEntry(c.Serial, new(c.NotAfter)))] : null,
        Publish = device.Rules?.Publish,
        Subscribe = device.Rules?.Subscribe,
    };

    /// <summary>An empty list means the default again.</summary>
    private static IReadOnlyList<string>? Rule(IReadOnlyList<string>? patterns) => patterns is { Count: > 0 } ? patterns : null;

    private static TimeSpan Interval(double seconds) => seconds is >= 0 and <= ExpectSecondsMax ? TimeSpan.FromSeconds(seconds)
        : throw new ArgumentException("expectSeconds must lie within 0 (learn it) and a year");
}
