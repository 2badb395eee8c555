using System.CommandLine;
using System.Globalization;
using Foretier.Protocol.Api;
using Spectre.Console;

namespace Foretier.Cli.Forecast;

/// <summary><c>foretier scorecard</c>: how forecasts came out.</summary>
internal static class ScorecardCommand
{
    public static Command Make()
    {
        var days = NumberText.Option("--days", "Over the last days, 1 to 90.", 7, 1, 90);
        var server = new ServerOptions();
        var command = new Command("scorecard", """
            Show how forecasts of volume came out, by kind of series, size and distance, against SN24, SN168 (the same hour a day, a week ago) and HoW4 (mean of four weeks).
            wql: weighted quantile loss of P50 and P90, smaller is better; coverage: share of hours with no more samples than the P90; over, under: reserved and not used,
            used and not reserved, over samples.
            made ahead: window files before their samples, copies and rollups before their readers; used and wasted are those that were, or were not, of use.
            A series for which a baseline does better follows it by itself: 'believed' shows how much each counts.
            """) { days };
        server.AddTo(command);
        command.SetAction(CommandLine.Run(async (session, parse, cancel) =>
        {
            using var client = server.Open(parse);
            var reply = await client.ScorecardAsync(parse.GetValue(days), cancel).ConfigureAwait(false);
            if (session.Terminal.Json)
            {
                session.Terminal.WriteDocument(reply);
                return ExitCode.Ok;
            }
            foreach (var node in reply.Nodes)
            {
                Show(session.Terminal, node);
            }
            return ExitCode.Ok;
        }));
        return command;
    }

    private static void Show(Terminal terminal, NodeScorecard node)
    {
        if (node is { All: null, Classes.Count: 0, Moves.Count: > 0 })
        {
            terminal.WriteLine($"{node.Node}: reads are expected by {node.Model ?? "EWMA-28d"}");
            ShowMoves(terminal, node);
            return;
        }
        terminal.WriteLine($"{node.Node}: {node.Model ?? "seasonal baselines alone"}{(node.Fallback is null ? "" : $" ({node.Fallback})")}");
        if (node.All is not { } all)
        {
            terminal.WriteLine("  no forecast has been held against what came yet: the first is, two hours after it was made");
            ShowMoves(terminal, node);
            return;
        }
        var table = Terminal.NewTable("kind", "size", "ahead", ">hours", ">wql", ">SN24", ">SN168", ">HoW4", ">model alone", ">mase", ">coverage", ">over", ">HoW4's", ">under");
        foreach (var line in node.Classes)
        {
            Add(table, line, line.Kind ?? "");
        }
        Add(table, all, "all");
        terminal.Write(table);
        terminal.WriteLine("believed: " + string.Join(", ", node.Believed.Where(w => w.Value >= 0.01).Select(w => string.Create(CultureInfo.InvariantCulture, $"{w.Key} {w.Value:0.00}"))));
        foreach (var mix in node.KindMixes)
        {
            terminal.WriteLine(string.Create(CultureInfo.InvariantCulture, $"kinds of {mix.Account}: Brier {mix.Brier:0.000}, of yesterday's mix {mix.BrierYesterday:0.000}"));
        }
        ShowMoves(terminal, node);
    }

    private static void ShowMoves(Terminal terminal, NodeScorecard node)
    {
        if (node.Moves.Count == 0)
        {
            return;
        }
        var table = Terminal.NewTable("made ahead", ">made", ">moved MB", ">MB", ">used", ">used MB", ">wasted", ">wasted MB", ">waiting", ">reads");
        foreach (var line in node.Moves)
        {
            Terminal.AddRow(table, line.What, Count(line.Made), Megabytes(line.MovedBytes), Megabytes(line.Bytes), Count(line.Used), Megabytes(line.UsedBytes),
                Count(line.Wasted), Megabytes(line.WastedBytes), Count(line.Waiting), Count(line.Reads));
        }
        terminal.Write(table);
    }

    private static string Count(long number) => number.ToString("N0", CultureInfo.InvariantCulture);
    private static string Megabytes(long bytes) => (bytes / 1e6).ToString("0.00", CultureInfo.InvariantCulture);

    private static void Add(Table table, ScoreLine line, string kind) => Terminal.AddRow(table, kind, line.Size, line.Distance, line.Hours.ToString("N0", CultureInfo.InvariantCulture),
        Figure(line.Wql), Figure(line.Baselines.GetValueOrDefault("SN24")), Figure(line.Baselines.GetValueOrDefault("SN168")), Figure(line.Baselines.GetValueOrDefault("HoW4")),
        Figure(line.WqlModel), Figure(line.Mase), Figure(line.CoverageP90), Figure(line.OverReservation), Figure(line.OverReservationHoW4), Figure(line.UnderReservation));

    private static string Figure(double? figure) => figure?.ToString("0.000", CultureInfo.InvariantCulture) ?? "-";
}
