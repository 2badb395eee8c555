using System.CommandLine;
using Foretier.Protocol.Api;

namespace Foretier.Cli.Ask;

/// <summary><c>foretier series</c>: what there is, and what is known of it.</summary>
internal static class SeriesCommand
{
    private static readonly string[] Kinds = ["gauge", "counter", "state", "event"];

    public static Command Make()
    {
        var glob = new Argument<string?>("GLOB") { Description = "Only those that match, for example 'acme/*/temperature' (default: all).", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command("series", "List the series there are, declare their kind and unit, or delete from them.") { glob, Set(), Delete() };
        return command.Asks(async (session, parse, client, cancel) =>
        {
            var reply = await client.SeriesAsync(parse.GetValue(glob), cancel).ConfigureAwait(false);
            if (session.Terminal.Json)
            {
                session.Terminal.WriteDocument(reply);
                return;
            }
            var table = Terminal.NewTable("series", "kind", "unit", "edge");
            foreach (var series in reply.Series)
            {
                Terminal.AddRow(table, series.Name, series.Kind, series.Unit, series.Edge);
            }
            session.Terminal.Write(table);
            session.Terminal.WriteLine($"{reply.Series.Count} series");
        });
    }

    private static Command Delete()
    {
        var name = new Argument<string>("SERIES") { Description = "account/device/measurement; one, no pattern" };
        var from = new Option<string>("--from") { Description = "RFC 3339, epoch, now, -6h", HelpName = "TIME", Required = true };
        var to = new Option<string>("--to") { Description = "The same; itself it stays.", HelpName = "TIME", Required = true };
        name.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && !Core.Samples.SeriesKey.TryParse(result.Tokens[0].Value, out _))
            {
                result.AddError($"'{result.Tokens[0].Value}' is not account/device/measurement; one series at a time is deleted from");
            }
        });
        var delete = new Command("delete", "Delete what was accepted of a series in [from, to) until now, on every tier, for good. Later samples there are accepted.") { name, from, to };
        return delete.Asks(async (session, parse, client, cancel) =>
        {
            var reply = await client.DeleteSamplesAsync(parse.GetRequiredValue(name), parse.GetRequiredValue(from), parse.GetRequiredValue(to), cancel).ConfigureAwait(false);
            session.Terminal.Tell(reply, $"{reply.Series}: deleted {string.Join(", ", reply.Deleted.Select(share => $"{share.Samples} samples at {share.Node} ({share.Tier})"))}"
                + (reply.Pending.Count == 0 ? "" : $"; {string.Join(", ", reply.Pending)} is away and gets it when it is back"));
        });
    }

    private static Command Set()
    {
        var name = new Argument<string>("SERIES") { Description = "account/device/measurement" };
        var kind = new Option<string?>("--kind") { Description = "gauge, counter (it only grows, but for resets), state or event.", HelpName = "KIND" };
        kind.AcceptOnlyFromAmong(Kinds);
        var unit = new Option<string?>("--unit") { Description = "SenML unit such as Cel, %RH, W; '' = none.", HelpName = "UNIT" };
        var expect = Asking.Expect();
        var set = new Command("set", "Declare kind or unit of a series, on the edge that takes it in.") { name, kind, unit, expect };
        set.Validators.Add(result =>
        {
            if (result.GetResult(kind) is null && result.GetResult(unit) is null && result.GetResult(expect) is null)
            {
                result.AddError("say what to set: --kind, --unit or --expect");
            }
        });
        return set.Asks(async (session, parse, client, cancel) =>
        {
            var reply = await client.ChangeSeriesAsync(
                new SeriesChange(parse.GetRequiredValue(name), parse.GetValue(kind), parse.GetValue(unit), parse.GetValue(expect)), cancel).ConfigureAwait(false);
            session.Terminal.Tell(reply, $"{reply.Name}: {reply.Kind}{(reply.Unit is null ? "" : $", {reply.Unit}")}");
        });
    }
}
