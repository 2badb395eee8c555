using System.CommandLine;
using System.Globalization;
using Foretier.Client;
using Foretier.Protocol.Api;
using Spectre.Console;

namespace Foretier.Cli.Ask;

/// <summary><c>foretier tier</c>: what lies where; <c>tier move</c> brings it down now.</summary>
internal static class TierCommand
{
    public static Command Make()
    {
        var server = new ServerOptions();
        var command = new Command("tier", "Show what each tier of each node holds.");
        server.AddTo(command);
        command.SetAction(CommandLine.Run(async (session, parse, cancel) =>
        {
            using var client = server.Open(parse);
            var reply = await client.TierAsync(cancel).ConfigureAwait(false);
            reply = reply with { Flash = await FlashAsync(client, cancel).ConfigureAwait(false) };
            if (session.Terminal.Json)
            {
                session.Terminal.WriteDocument(reply);
                return ExitCode.Ok;
            }
            var table = Terminal.NewTable("tier", "node", ">windows", ">samples", ">bytes", ">bytes/sample", "from", "to");
            foreach (var tier in reply.Tiers)
            {
                Terminal.AddRow(table, tier.Tier, tier.Node, Number(tier.Windows), Number(tier.Samples), Number(tier.Bytes),
                    tier.Samples == 0 ? "" : ((double)tier.Bytes / tier.Samples).ToString("0.00", CultureInfo.InvariantCulture),
                    tier.From?.ToString(), tier.To?.ToString());
            }
            session.Terminal.Write(table);
            if (reply.Flash is { Count: > 0 } flash)
            {
                session.Terminal.Write(TableOf(flash));
            }
            return ExitCode.Ok;
        }));
        command.Add(MakeMove());
        return command;
    }

    /// <summary>Null where the node asked is older than this question.</summary>
    private static async Task<IReadOnlyList<FlashEntry>?> FlashAsync(ForetierClient client, CancellationToken cancel)
    {
        try
        {
            return (await client.FlashAsync(cancel).ConfigureAwait(false)).Nodes;
        }
        catch (ServerRefusedException refused) when (refused.Problem.Status == 404)
        {
            return null;
        }
    }

    private static Table TableOf(IReadOnlyList<FlashEntry> flash)
    {
        var table = Terminal.NewTable("flash of", ">MB used", ">of", ">MB written in 24 h", ">of", ">GB in all", ">years left");
        foreach (var edge in flash)
        {
            Terminal.AddRow(table, edge.Node, Number(edge.Used / 1_000_000), Number(edge.UsedMax / 1_000_000), (edge.WrittenDay / 1e6).ToString("N1", CultureInfo.InvariantCulture),
                edge.WrittenDayMax is { } max ? Number(max / 1_000_000) : "", (edge.Written / 1e9).ToString("N2", CultureInfo.InvariantCulture), Years(edge.LifeYears));
        }
        return table;
    }

    private static string Years(double? years) => years is { } left ? left > 100 ? "> 100" : left.ToString("0.0", CultureInfo.InvariantCulture) : "";

    private static Command MakeMove()
    {
        var server = new ServerOptions();
        var to = new Option<string>("--to") { Description = "hdd: from the edges to their gateway; archive: from there on to the object store.", HelpName = "hdd|archive", Required = true };
        to.AcceptOnlyFromAmong("hdd", "archive");
        var before = new Option<string?>("--before") { Description = $"Windows that begin before this time: {TimeText.Forms} (default: all).", HelpName = "TIME" };
        var wait = new Option<bool>("--wait") { Description = "Return when all is there, durable; else when the work has begun." };
        var command = new Command("move", "Move windows of samples to a colder tier now. Nothing leaves a tier before the next has it safely.") { to, before, wait };
        server.AddTo(command);
        command.SetAction(CommandLine.Run(async (session, parse, cancel) =>
        {
            using var client = server.Open(parse);
            ApiTime? until = parse.GetValue(before) is { } text ? new(TimeText.Parse("--before", text, session.Clock)) : null;
            var waits = parse.GetValue(wait);
            var reply = await client.MoveAsync(new(parse.GetRequiredValue(to), until, waits), cancel).ConfigureAwait(false);
            if (session.Terminal.Json)
            {
                session.Terminal.WriteDocument(reply);
            }
            else
            {
                session.Terminal.WriteLine(waits
                    ? $"moved {Number(reply.Windows)} windows, {Number(reply.Samples)} samples"
                    : "moving; 'foretier tier' shows how far it is");
            }
            return ExitCode.Ok;
        }));
        return command;
    }

    private static string Number(long number) => number.ToString("N0", CultureInfo.InvariantCulture);
}
