using System.CommandLine;
using System.Globalization;
using System.Text;
using Foretier.Cli.Ask;
using Foretier.Core.Samples;
using Foretier.Protocol.Api;

namespace Foretier.Cli.Map;

/// <summary><c>foretier map</c>: which partitions are expected, and what is reserved for them.</summary>
internal static class MapCommand
{
    public static Command Make()
    {
        var series = new Argument<string?>("SERIES") { Description = "A series or a pattern such as acme/*/temperature (default: all).", Arity = ArgumentArity.ZeroOrOne };
        var edge = new Option<string?>("--edge") { Description = "Partitions of this edge alone.", HelpName = "NODE" };
        var from = new Option<string?>("--from") { Description = $"Windows that end after this time: {TimeText.Forms}.", HelpName = "TIME" };
        var to = new Option<string?>("--to") { Description = "Windows that begin before this time.", HelpName = "TIME" };
        var html = new Option<string?>("--html") { Description = "Draw it into this file, a page for a browser that needs nothing else.", HelpName = "FILE" };
        var command = new Command("map", """
            Show the predictive partition map: which series will share a partition in which window, and what is reserved for it.
            How much is expected of each (P90), on which tier, how it will be read, and which rollups stand ready. It is a hint: what tiers really hold is told by 'foretier tier'.
              foretier map 'acme/*/temperature' --from now --html map.html
            """) { series, edge, from, to, html, Forget() };
        return command.Asks(async (session, parse, client, cancel) =>
        {
            string? Time(Option<string?> option) => parse.GetValue(option) is { } text ? Instant.Format(TimeText.Parse(option.Name, text, session.Clock)) : null;
            var reply = await client.MapAsync(parse.GetValue(series), parse.GetValue(edge), Time(from), Time(to), cancel).ConfigureAwait(false);
            if (parse.GetValue(html) is { } file)
            {
                await File.WriteAllTextAsync(file, MapPage.Draw(reply, Instant.Now(session.Clock)), new UTF8Encoding(false), cancel).ConfigureAwait(false);
                session.Terminal.Note($"drawn to {file}");
            }
            if (session.Terminal.Json)
            {
                session.Terminal.WriteDocument(reply);
                return;
            }
            Show(session.Terminal, reply);
        });
    }

    private static Command Forget()
    {
        var edge = new Argument<string>("EDGE") { Description = "The edge's name: its FORETIER__NODE." };
        return new Command("forget", "Forget an edge that was taken out of service: its partitions, and that it is not connected. What it shipped stays where it is.") { edge }.Asks(async (session, parse, client, cancel) =>
        {
            var gone = await client.ForgetEdgeAsync(parse.GetRequiredValue(edge), cancel).ConfigureAwait(false);
            session.Terminal.Tell(gone, $"edge {gone.Edge} is forgotten");
        });
    }

    private static void Show(Terminal terminal, MapReply reply)
    {
        var table = Terminal.NewTable("partition", "edge", ">series", ">samples P50", ">P90", ">memory", ">SSD", ">HDD", ">archive", "read", "prefer", "rollups");
        foreach (var entry in reply.Entries)
        {
            Terminal.AddRow(table, entry.Id, entry.Edge, Number(entry.Series), Number(entry.SamplesP50), Number(entry.SamplesP90), Bytes(entry.Reserved.Memory), Bytes(entry.Reserved.Ssd),
                Bytes(entry.Reserved.Hdd), Bytes(entry.Reserved.Archive), entry.Access, entry.Prefer, string.Join(' ', entry.Rollups));
        }
        terminal.Write(table);
        terminal.WriteLine($"revision {reply.Revision}: {Number(reply.Entries.Count)} partitions of {Number(reply.Groups.Count)} groups");
    }

    internal static string Bytes(double bytes) => bytes >= 1L << 30 ? string.Create(CultureInfo.InvariantCulture, $"{bytes / (1L << 30):0.0} GB")
        : bytes >= 1L << 20 ? string.Create(CultureInfo.InvariantCulture, $"{bytes / (1L << 20):0.0} MB")
        : bytes >= 1L << 10 ? string.Create(CultureInfo.InvariantCulture, $"{bytes / (1L << 10):0.0} KB") : string.Create(CultureInfo.InvariantCulture, $"{bytes:0} B");

    private static string Number(long number) => number.ToString("N0", CultureInfo.InvariantCulture);
}
