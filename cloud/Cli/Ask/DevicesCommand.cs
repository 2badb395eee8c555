using System.CommandLine;
using System.Globalization;
using Foretier.Core.Samples;
using Foretier.Protocol.Api;

namespace Foretier.Cli.Ask;

/// <summary><c>foretier devices</c>: who may publish, and who is heard.</summary>
internal static class DevicesCommand
{
    public static Command Make() => Lists(new("devices", "Devices: credentials, topic rules, and who has fallen silent. Alone it lists them.")
    {
        Lists(new("list", "List devices and concentrators.")), Add(), Rotate(), Enroll(), Set(), Revoke(), Remove(),
    });

    private const string CertificateHeader = "Foretier-Certificate";
    private const string SignatureHeader = "Foretier-Signature";

    internal static string Shown(IReadOnlyList<string>? rules) => rules is null ? "own topics" : string.Join(' ', rules);

    private static Command Lists(Command command) => command.Asks(async (session, _, client, cancel) =>
    {
        var reply = await client.DevicesAsync(cancel).ConfigureAwait(false);
        if (session.Terminal.Json)
        {
            session.Terminal.WriteDocument(reply);
            return;
        }
        var table = Terminal.NewTable("device", "status", "last seen", "expected every", "credentials", "publish", "subscribe", "edge");
        foreach (var device in reply.Devices)
        {
            Terminal.AddRow(table, $"{device.Account}/{device.Device}", device.Status, device.LastSeen is { } seen ? Instant.Format(seen.Micros) : "never",
                device.ExpectSeconds is { } seconds ? seconds.ToString("0.#", CultureInfo.InvariantCulture) + " s" : "",
                Credentials(device), Shown(device.Publish), Shown(device.Subscribe), device.Edge);
        }
        session.Terminal.Write(table);
        var silent = reply.Devices.Count(d => d.Status == "silent");
        session.Terminal.WriteLine($"{reply.Devices.Count} devices{(silent > 0 ? $", {silent} silent" : "")}");
    });

    private static Command Add()
    {
        var name = Asking.DeviceArgument();
        var secret = Secret();
        return new Command("add", "Let a device publish, or change its secret at once.") { name, secret }.Asks((session, parse, client, cancel) =>
            GiveAsync(session, parse, client, name, secret, TimeSpan.Zero, cancel));
    }

    private static Command Rotate()
    {
        var name = Asking.DeviceArgument();
        var secret = Secret();
        var grace = TimeText.DurationOption("--grace", "How long the secret before goes on to work (default: not at all).");
        return new Command("rotate", "Give a device a new secret.") { name, secret, grace }.Asks((session, parse, client, cancel) =>
            GiveAsync(session, parse, client, name, secret, parse.GetValue(grace) ?? TimeSpan.Zero, cancel));
    }

    private static Command Enroll()
    {
        var name = Asking.DeviceArgument();
        return new Command("enroll", "Print a one-time token and how a device gets its client certificate with it.") { name }.Asks(async (session, parse, client, cancel) =>
        {
            var (account, device) = Asking.Split(parse.GetRequiredValue(name));
            var reply = await client.OpenEnrolmentAsync(account, device, cancel).ConfigureAwait(false);
            if (session.Terminal.Json)
            {
                session.Terminal.WriteDocument(reply);
                return;
            }
            var file = device == "*" ? account : device;
            var url = new Uri(client.Server, $"api/v1/enroll/{Uri.EscapeDataString(account)}/{Uri.EscapeDataString(device)}");
            foreach (var enrolment in reply.Enrolments)
            {
                session.Terminal.WriteLine($"""
                    Edge {enrolment.Edge}: token {enrolment.Token}, for one certificate, until {Instant.Format(enrolment.Until.Micros)}. On the device:

                      openssl ecparam -name prime256v1 -genkey -noout -out {file}.key
                      openssl req -new -key {file}.key -subj /CN=device -out {file}.csr
                      curl -fsS -H 'Authorization: Bearer {enrolment.Token}' --data-binary @{file}.csr {url} -o {file}.crt

                    It then publishes over TLS with {file}.crt and {file}.key, without a secret. Before the certificate ends, renew it:

                      curl -fsS -H "{CertificateHeader}: $(openssl x509 -in {file}.crt -outform DER | base64 -w0)" \
                        -H "{SignatureHeader}: $(openssl dgst -sha256 -sign {file}.key {file}.csr | base64 -w0)" \
                        --data-binary @{file}.csr {url} -o {file}.new.crt

                    """);
            }
        });
    }

    private static Command Set()
    {
        var name = Asking.DeviceArgument();
        var publish = Asking.Rules("--publish", "What it may publish, such as v1/acme/boiler-1/+");
        var subscribe = Asking.Rules("--subscribe", "What it may hear");
        var expect = Asking.Expect();
        return new Command("set", "Change what a device may publish or hear, or how often it is expected.") { name, publish, subscribe, expect }.Asks(async (session, parse, client, cancel) =>
        {
            var (account, device) = Asking.Split(parse.GetRequiredValue(name));
            var reply = await client.ChangeDeviceAsync(account, device,
                new(parse.RulesOf(publish), parse.RulesOf(subscribe), parse.GetValue(expect)), cancel).ConfigureAwait(false);
            session.Terminal.Tell(reply, $"{account}/{device}: publishes {Shown(reply.Publish)}; hears {Shown(reply.Subscribe)}; expected "
                + (reply.ExpectSeconds is { } seconds ? $"every {seconds.ToString("0.#", CultureInfo.InvariantCulture)} s" : "as often as it turns out"));
        });
    }

    private static Command Revoke()
    {
        var name = Asking.DeviceArgument();
        var serial = new Option<string?>("--certificate") { Description = "Only the certificate with this serial number (default: secret and all certificates).", HelpName = "SERIAL" };
        return new Command("revoke", "Take a device's credentials away at once; what it has published stays.") { name, serial }.Asks(async (session, parse, client, cancel) =>
        {
            var (account, device) = Asking.Split(parse.GetRequiredValue(name));
            if (parse.GetValue(serial) is { } one)
            {
                await client.RevokeCertificateAsync(account, device, one, cancel).ConfigureAwait(false);
                session.Terminal.Tell(new { account, device, certificate = one, revoked = true }, $"certificate {one} of {account}/{device} is revoked");
                return;
            }
            await client.RemoveDeviceAsync(account, device, cancel).ConfigureAwait(false);
            session.Terminal.Tell(new { account, device, revoked = true }, $"{account}/{device} is revoked");
        });
    }

    private static Command Remove()
    {
        var name = Asking.DeviceArgument();
        return new Command("remove", "Forget a device, its credentials and rules; what it has published stays.") { name }.Asks(async (session, parse, client, cancel) =>
        {
            var (account, device) = Asking.Split(parse.GetRequiredValue(name));
            await client.ForgetDeviceAsync(account, device, cancel).ConfigureAwait(false);
            session.Terminal.Tell(new { account, device, removed = true }, $"{account}/{device} is removed");
        });
    }

    private static Option<string?> Secret() =>
        new("--device-secret") { Description = "Its secret (default: one is made up and shown once).", HelpName = "SECRET" };

    private static async Task GiveAsync(Session session, ParseResult parse, Client.ForetierClient client,
        Argument<string> name, Option<string?> secret, TimeSpan grace, CancellationToken cancel)
    {
        var (account, device) = Asking.Split(parse.GetRequiredValue(name));
        var reply = await client.RotateDeviceAsync(account, device, parse.GetValue(secret), grace, cancel).ConfigureAwait(false);
        session.Terminal.Tell(reply, $"user {reply.Account}/{reply.Device}  secret {reply.Secret}");
    }

    private static string Credentials(DeviceEntry device)
    {
        var certificates = device.Certificates?.Count ?? 0;
        return string.Join(", ", new[]
        {
            device.HasSecret ? device.GraceUntil is { } until ? $"secret (the one before until {Instant.Format(until.Micros)})" : "secret" : null,
            certificates == 0 ? null : certificates == 1 ? "1 certificate" : $"{certificates} certificates",
        }.OfType<string>()) is { Length: > 0 } some ? some : "none";
    }
}
