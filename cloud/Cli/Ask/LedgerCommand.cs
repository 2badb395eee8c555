using System.CommandLine;
using System.Globalization;
using Foretier.Core.Tiers;

namespace Foretier.Cli.Ask;

/// <summary><c>foretier ledger</c>: whether every sample is accounted for at every hop.</summary>
internal static class LedgerCommand
{
    public static Command Make()
    {
        var server = new ServerOptions();
        var command = new Command("ledger", """
            Show the conservation account of every hop.
            In samples:
            received = accepted + rejected; accepted = unique + superseded; unique = held + released + expired + deleted + shed.
            Ends with exit code 1 where one does not balance.
            """);
        server.AddTo(command);
        command.SetAction(CommandLine.Run(async (session, parse, cancel) =>
        {
            using var client = server.Open(parse);
            var reply = await client.LedgerAsync(cancel).ConfigureAwait(false);
            if (session.Terminal.Json)
            {
                session.Terminal.WriteDocument(reply);
            }
            else
            {
                Show(session.Terminal, reply.Nodes, reply.Balanced);
            }
            return reply.Balanced ? ExitCode.Ok : ExitCode.Failed;
        }));
        return command;
    }

    private static void Show(Terminal terminal, IReadOnlyList<Ledger> nodes, bool balanced)
    {
        var table = Terminal.NewTable("node", ">received", ">accepted", ">rejected", ">unique", ">superseded", ">held", ">released", ">expired", ">deleted", ">shed", ">lost", "balanced");
        foreach (var node in nodes)
        {
            Terminal.AddRow(table, [node.Node, .. new[]
            {
                node.Received, node.Accepted, node.Rejected, node.Unique, node.Superseded, node.Held, node.Released, node.Expired, node.Deleted, node.Shed, node.Lost,
            }.Select(n => n.ToString("N0", CultureInfo.InvariantCulture)), node.Balanced ? "yes" : "NO"]);
        }
        terminal.Write(table);
        foreach (var node in nodes.Where(n => n.RejectedBy.Count > 0))
        {
            terminal.WriteLine($"{node.Node} rejected: {string.Join(", ", node.RejectedBy.Select(r => $"{r.Key} {r.Value.ToString("N0", CultureInfo.InvariantCulture)}"))}");
        }
        terminal.WriteLine(balanced ? "balanced" : "NOT balanced");
    }
}
