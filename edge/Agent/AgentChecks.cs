using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Foretier.Agent.Hot;
using Foretier.Agent.Ingest;
using Foretier.Agent.Ingest.Identity;
using Foretier.Agent.Ingest.Identity.Certificates;
using Foretier.Agent.Ingest.Mqtt;
using Foretier.Node.Serve;
using Foretier.Protocol.Api;

namespace Foretier.Agent;

/// <summary>What only an agent can tell of itself for <c>foretier doctor</c>.</summary>
internal sealed class AgentChecks(AgentOptions options, MqttOptions mqtt, HotStore store, DeviceRegistry devices, DeviceWatch watch,
    DeviceCertificates certificates, Func<string?>? link, StampBook stamps, TimeProvider clock)
{
    private const double LifeYearsMin = 3;

    public IEnumerable<Check> Make()
    {
        var now = clock.GetUtcNow();
        yield return mqtt.Port < 0 || IPAddress.IsLoopback(IPAddress.Parse(mqtt.Address))
            ? new("MQTT", CheckStatus.Ok, mqtt.Port < 0 ? "no plain port" : $"plain on loopback alone ({mqtt.Address}:{mqtt.Port})")
            : new("MQTT", CheckStatus.Warn, $"plain MQTT on {mqtt.Address}:{mqtt.Port}: secrets travel readable", "set FORETIER__MQTT__TLS__PORT=8883 and FORETIER__MQTT__PORT=-1");
        if (mqtt.Tls is { } tls)
        {
            yield return Server(tls, now);
        }
        yield return SelfCheck.Expiry("device certificates", Earliest() ?? certificates.AuthorityNotAfter, now,
            "have the device renew it (POST /api/v1/enroll), or enrol it again: foretier devices enroll");
        if (options.Identity.AnonymousAccount is { } account)
        {
            yield return new("anonymous", CheckStatus.Warn, $"clients without credentials may publish to account {account}", "unset FORETIER__IDENTITY__ANONYMOUSACCOUNT");
        }
        yield return link is null ? new("link", CheckStatus.Warn, "this edge has no gateway: its data stays on its flash", "set FORETIER__UPSTREAM")
            : link() is { } fault ? new("link", CheckStatus.Fail, fault, "see that the gateway runs and can be reached") : new("link", CheckStatus.Ok, $"up to {options.Upstream}");
        var silent = devices.Devices.Where(watch.IsSilent).Select(d => d.Name.ToString()).ToList();
        yield return silent.Count == 0 ? new("devices", CheckStatus.Ok, $"{devices.Devices.Count} known, none silent")
            : new("devices", CheckStatus.Warn, $"{silent.Count} silent: {string.Join(", ", silent.Take(10))}{(silent.Count > 10 ? ", …" : "")}", "see foretier devices list");
        yield return store.IsFull ? new("journal", CheckStatus.Fail, "journal or memory is full: ingest waits", "see that the disk is fast enough and not full")
            : new("journal", CheckStatus.Ok, $"{store.DiskUse.BytesWritten / 1e6:0.0} MB written to flash since the start");
        yield return Flash(store.Wear);
        if (stamps.Told is { } stamped)
        {
            yield return new("times", CheckStatus.Warn, stamped, "give readings a time of their own, or the box a clock that outlives a power cut; foretier series delete removes what must not stand there");
        }
    }

    private static Check Flash(FlashWear wear)
    {
        var said = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{wear.Day / 1e6:0.0} MB written in 24 hours, {wear.Total / 1e9:0.0} GB in all: {(wear.LifeYears is { } years
            ? $"{Math.Min(years, 999):0.#} years are left of {wear.Endurance / 1e12:0.#} TB" : $"nothing of {wear.Endurance / 1e12:0.#} TB is used up now")} (Hot:FlashEnduranceBytes)");
        return wear.LifeYears < LifeYearsMin ? new("flash", CheckStatus.Warn, said, "send fewer or larger messages, or lower FORETIER__HOT__FLASHBYTESPERDAY") : new("flash", CheckStatus.Ok, said);
    }

    private DateTimeOffset? Earliest() => devices.Devices.SelectMany(d => certificates.Of(d.Name)).Select(c => (long?)c.NotAfter).Min() is { } first
        ? Core.Samples.Instant.ToDateTimeOffset(first) : null;

    private static Check Server(MqttTlsOptions tls, DateTimeOffset now)
    {
        const string advice = "put a new certificate in its place and start the agent again";
        try
        {
            using var server = ServerCertificate.Open(tls).Certificate;
            return SelfCheck.Expiry("TLS certificate", server.NotAfter, now, advice);
        }
        catch (Exception failure) when (failure is MqttCertificateException or CryptographicException)
        {
            return new("TLS certificate", CheckStatus.Fail, failure.Message, advice);
        }
    }
}
