using System.CommandLine;
using Foretier.Protocol.Api;

namespace Foretier.Cli.Ask;

/// <summary><c>foretier keys</c>: who may ask over REST.</summary>
internal static class KeysCommand
{
    public static Command Make()
    {
        var name = new Argument<string>("NAME") { Description = "What to call it: whose it is, or what for." };
        var accounts = new Option<string[]>("--account") { Description = "Account whose data it may read (repeat it for more).", HelpName = "ACCOUNT", AllowMultipleArgumentsPerToken = true };
        var admin = new Option<bool>("--admin") { Description = "It may do everything, for all accounts." };
        var expires = new Option<double?>("--expires")
        {
            Description = "How long it works, such as 90d; default: until it is revoked.",
            HelpName = "DURATION",
            CustomParser = result => Core.Query.Question.TryDuration(result.Tokens[0].Value, out var micros) && micros > 0 ? micros / 1e6
                : ServerOptions.Refuse<double?>(result, $"--expires: '{result.Tokens[0].Value}' is not a duration; use for example 12h or 90d"),
        };
        var add = new Command("add", "Make an API key. It is shown this once; only its hash is kept.") { name, accounts, admin, expires }.Asks(async (session, parse, client, cancel) =>
        {
            var request = new KeyRequest(parse.GetRequiredValue(name), parse.GetValue(accounts) ?? [], parse.GetValue(admin), parse.GetValue(expires));
            var made = await client.MakeKeyAsync(request, cancel).ConfigureAwait(false);
            session.Terminal.Tell(made, made.Key);
        });
        var id = new Argument<string>("ID") { Description = "As 'foretier keys' lists it." };
        var revoke = new Command("revoke", "Revoke an API key, at once; a node that is out of reach when its link is back.") { id }.Asks(async (session, parse, client, cancel) =>
        {
            var ended = await client.RevokeKeyAsync(parse.GetRequiredValue(id), cancel).ConfigureAwait(false);
            session.Terminal.Tell(ended, $"key {ended.Id} ({ended.Name}) is revoked");
        });
        return Lists(new("keys", "API keys: who may ask over REST. Alone it lists them.") { Lists(new("list", "List API keys: what they may do and until when.")), add, revoke });
    }

    private static Command Lists(Command command) => command.Asks(async (session, _, client, cancel) =>
    {
        var reply = await client.KeysAsync(cancel).ConfigureAwait(false);
        if (session.Terminal.Json)
        {
            session.Terminal.WriteDocument(reply);
            return;
        }
        var table = Terminal.NewTable("id", "name", "may", "made", "ends");
        foreach (var key in reply.Keys)
        {
            Terminal.AddRow(table, key.Id, key.Name, key.Admin ? "everything" : "read " + string.Join(", ", key.Accounts), $"{key.CreatedAt}", key.ExpiresAt is { } end ? $"{end}" : "never");
        }
        session.Terminal.Write(table);
    });
}
