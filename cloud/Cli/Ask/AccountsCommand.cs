using System.CommandLine;
using System.Globalization;
using Foretier.Core.Tiers;
using Foretier.Protocol.Api;

namespace Foretier.Cli.Ask;

/// <summary><c>foretier accounts</c>: whose devices publish, what they may do, and what the account is given.</summary>
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
            var isGiven = (await client.AccountsAsync(cancel).ConfigureAwait(false)).Accounts.Where(known => known.Account == account && known.Terms is not null).Select(known => known.Edge).ToList();
            if (isGiven.Count > 0)
            {
                await client.SetTermsAsync(account, AccountTerms.Usual, cancel).ConfigureAwait(false);
            }
            if (isGiven is not [null])
            {
                await client.RemoveAccountAsync(account, cancel).ConfigureAwait(false);
            }
            session.Terminal.Tell(new { account, removed = true }, $"{account} is removed");
        });
        return Lists(new("accounts", "Accounts, the topic rules of their devices, and what they are given. Alone it lists them.")
        {
            Lists(new("list", "List accounts, on which edge, the topic rules of their devices, and what they are given.")), add, Set(), remove,
        });
    }

    private static Command Set()
    {
        var name = new Argument<string>("ACCOUNT") { Description = "Its name." };
        var options = new TermsText.Options();
        var command = new Command("set", """
            Change what an account is given, on every edge and gateway; what is left out stays.
            Forecasts go by the time zone, reservations, copies made ahead and the map by the rest, from the next full hour on. Nothing is refused or deleted by it.
              foretier accounts set acme --priority 3 --time-zone Europe/Rome --retention 90d --budget hdd=500GB --price ssd=0.4 --price hdd=0.05
            """) { name };
        foreach (var option in options.All)
        {
            command.Add(option);
        }
        command.Validators.Add(result =>
        {
            if (options.All.All(option => result.GetResult(option) is null))
            {
                result.AddError("say what to change: --priority, --retention, --time-zone, --budget or --price");
            }
        });
        return command.Asks(async (session, parse, client, cancel) =>
        {
            var account = parse.GetRequiredValue(name);
            var before = (await client.AccountsAsync(cancel).ConfigureAwait(false)).Accounts.FirstOrDefault(known => known.Account == account)?.Terms ?? AccountTerms.Usual;
            var reply = await client.SetTermsAsync(account, TermsText.Change(before, parse, options), cancel).ConfigureAwait(false);
            session.Terminal.Tell(reply, $"{account}: {TermsText.Shown(reply.Terms)}");
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
        var table = Terminal.NewTable("account", ">devices", "publish", "subscribe", "given", "edge");
        foreach (var account in reply.Accounts)
        {
            Terminal.AddRow(table, account.Account, account.Devices.ToString(CultureInfo.InvariantCulture),
                DevicesCommand.Shown(account.Publish), DevicesCommand.Shown(account.Subscribe), TermsText.Shown(account.Terms), account.Edge ?? "none");
        }
        session.Terminal.Write(table);
    });
}
