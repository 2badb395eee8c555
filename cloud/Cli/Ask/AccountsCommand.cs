using System.CommandLine;
using System.Globalization;
using Foretier.Protocol.Api;

namespace Foretier.Cli.Ask;

/// <summary><c>foretier accounts</c>: whose devices publish, and what they may do.</summary>
internal static class AccountsCommand
{
    public static Command Make()
    {
        var name = new Argument<string>("ACCOUNT") { Description = "Its name." };
        var publish = Asking.Rules("--publish", "What its devices may publish, such as 'v1/acme/{device}/+'");
        var subscribe = Asking.Rules("--subscribe", "What its devices may hear");
        var add = new Command("add", "Make an account, or change the rules of its devices.") { name, publish, subscribe }.Asks(async (session, parse, client, cancel) =>
        {
            var reply = await client.PutAccountAsync(parse.GetRequiredValue(name), new(parse.RulesOf(publish), parse.RulesOf(subscribe)), cancel).ConfigureAwait(false);
            session.Terminal.Tell(reply, $"account {reply.Account}; add a device with: {Invocation.Name} devices add {reply.Account}/DEVICE");
        });
        var remove = new Command("remove", "Remove an account with all its devices, at once; what they have published stays.") { name }.Asks(async (session, parse, client, cancel) =>
        {
            var account = parse.GetRequiredValue(name);
            await client.RemoveAccountAsync(account, cancel).ConfigureAwait(false);
            session.Terminal.Tell(new { account, removed = true }, $"{account} is removed");
        });
        return Lists(new("accounts", "Accounts and the topic rules of their devices. Alone it lists them.")
        {
            Lists(new("list", "List accounts, on which edge, and the topic rules of their devices.")), add, remove,
        });
    }

    private static Command Lists(Command command) => command.Asks(async (session, _, client, cancel) =>
    {
        var reply = await client.AccountsAsync(cancel).ConfigureAwait(false);
        if (session.Terminal.Json)
        {
            session.Terminal.WriteDocument(reply);
            return;
        }
        var table = Terminal.NewTable("account", ">devices", "publish", "subscribe", "edge");
        foreach (var account in reply.Accounts)
        {
            Terminal.AddRow(table, account.Account, account.Devices.ToString(CultureInfo.InvariantCulture),
                DevicesCommand.Shown(account.Publish), DevicesCommand.Shown(account.Subscribe), account.Edge);
        }
        session.Terminal.Write(table);
    });
}
