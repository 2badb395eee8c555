using System.CommandLine;

namespace Foretier.Cli.Ask;

/// <summary><c>foretier devices</c>: who may publish.</summary>
internal static class DevicesCommand
{
    public static Command Make()
    {
        var list = new Command("list", "List devices and concentrators.");
        Asks(list, async (session, parse, client, cancel) =>
        {
            var reply = await client.DevicesAsync(cancel).ConfigureAwait(false);
            if (session.Terminal.Json)
            {
                session.Terminal.WriteDocument(reply);
                return;
            }
            var table = Terminal.NewTable("account", "device");
            foreach (var device in reply.Devices)
            {
                Terminal.AddRow(table, device.Account, device.Device);
            }
            session.Terminal.Write(table);
        });

        var name = new Argument<string>("ACCOUNT/DEVICE") { Description = "MQTT user name; 'account/*' is a concentrator that publishes for every device of the account." };
        name.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && result.Tokens[0].Value.Split('/') is not [{ Length: > 0 }, { Length: > 0 }])
            {
                result.AddError($"'{result.Tokens[0].Value}' is not ACCOUNT/DEVICE");
            }
        });
        var secret = new Option<string?>("--device-secret") { Description = "Its secret (default: one is made up and shown once).", HelpName = "SECRET" };
        var add = new Command("add", "Let a device publish, or change its secret.") { name, secret };
        Asks(add, async (session, parse, client, cancel) =>
        {
            var (account, device) = Split(parse.GetRequiredValue(name));
            var reply = await client.PutDeviceAsync(account, device, parse.GetValue(secret), cancel).ConfigureAwait(false);
            if (session.Terminal.Json)
            {
                session.Terminal.WriteDocument(reply);
                return;
            }
            session.Terminal.WriteLine($"user {reply.Account}/{reply.Device}  secret {reply.Secret}");
        });

        var revoke = new Command("revoke", "Take a device's secret away; what it has published stays.") { name };
        Asks(revoke, async (session, parse, client, cancel) =>
        {
            var (account, device) = Split(parse.GetRequiredValue(name));
            await client.RemoveDeviceAsync(account, device, cancel).ConfigureAwait(false);
            if (session.Terminal.Json)
            {
                session.Terminal.WriteDocument(new { account, device, revoked = true });
                return;
            }
            session.Terminal.WriteLine($"{account}/{device} is revoked");
        });
        return new("devices", "Devices and their secrets.") { list, add, revoke };
    }

    private static void Asks(Command command, Func<Session, ParseResult, Client.ForetierClient, CancellationToken, Task> ask)
    {
        var server = new ServerOptions();
        server.AddTo(command);
        command.SetAction(CommandLine.Run(async (session, parse, cancel) =>
        {
            using var client = server.Open(parse);
            await ask(session, parse, client, cancel).ConfigureAwait(false);
            return ExitCode.Ok;
        }));
    }

    private static (string Account, string Device) Split(string name) => (name.Split('/')[0], name.Split('/')[1]);
}
