using System.CommandLine;
using System.Globalization;
using Foretier.Core.Samples;
using Foretier.Protocol.Api;

namespace Foretier.Cli.Ask;

/// <summary><c>foretier query</c>: points of series, and where they came from.</summary>
internal static class QueryCommand
{
    public static Command Make()
    {
        var asked = new QuestionOptions();
        var server = new ServerOptions();
        var limit = new Option<int>("--limit") { Description = "Rows shown for each series in a table, newest first to stay; 0 = all.", HelpName = "N", DefaultValueFactory = _ => 1000 };
        var command = new Command("query", """
            Ask for samples of series, or functions of them over steps of time.
              foretier query acme/boiler-1/temperature --from -1h
              foretier query 'acme/*/temperature' --from 2017-03-09 --to 2017-03-10 --step 1h --fn avg,max
            """);
        asked.AddTo(command);
        command.Add(limit);
        server.AddTo(command);
        command.SetAction(CommandLine.Run(async (session, parse, cancel) =>
        {
            using var client = server.Open(parse);
            var parameters = asked.Read(parse);
            if (session.Terminal.Json)
            {
                using var document = new StreamReader(await client.QueryDocumentAsync(parameters, cancel).ConfigureAwait(false));
                await CopyAsync(document, session.Terminal.Output, cancel).ConfigureAwait(false);
                session.Terminal.WriteLine();
                return ExitCode.Ok;
            }
            Show(session.Terminal, await client.QueryAsync(parameters, cancel).ConfigureAwait(false), parse.GetValue(limit));
            return ExitCode.Ok;
        }));
        return command;
    }

    /// <summary>Where an answer came from, in a line.</summary>
    public static string Provenance(ReplyMeta meta)
    {
        var tiers = meta.Tiers.Count == 0 ? "nothing was read" : "from " + string.Join(", ", meta.Tiers.Select(t => string.Create(CultureInfo.InvariantCulture,
            $"{t.Tier}@{t.Node}{(t.Resolution is null ? "" : " " + t.Resolution)}{(t.Ms is { } ms ? $" {ms:0.0##} ms" : "")}")));
        var missing = meta.Missing is { Count: > 0 } ranges ? $" (missing {string.Join(", ", ranges.Select(r => $"{r.From}..{r.To}"))})" : "";
        var watermark = meta.Watermark is { } time ? $" · complete up to {time}" : "";
        return $"{tiers} · {(meta.Exact ? "exact" : "approximate")} · {(meta.Partial ? "PARTIAL" + missing : "whole")}{watermark}";
    }

    private static void Show(Terminal terminal, QueryReply reply, int limit)
    {
        foreach (var result in reply.Results)
        {
            terminal.WriteLine($"{result.Series}  {result.Fn}{(result.State is null ? "" : $" {result.State}")}{(result.Unit is null ? "" : $"  {result.Unit}")}  {Count(result.Points.Count, "point")}");
            if (result.Points.Count > 0)
            {
                var table = Terminal.NewTable("time", ">" + result.Fn);
                var skipped = limit > 0 ? Math.Max(0, result.Points.Count - limit) : 0;
                foreach (var point in result.Points.Skip(skipped))
                {
                    Terminal.AddRow(table, Instant.Format(point.Time), Value(point));
                }
                terminal.Write(table);
                if (skipped > 0)
                {
                    terminal.Note($"{skipped} earlier points are not shown; see them with --limit 0 or --json");
                }
            }
        }
        terminal.WriteLine(Provenance(reply.Meta));
    }

    private static string Count(int count, string what) => $"{count} {what}{(count == 1 ? "" : "s")}";

    private static string Value(ApiPoint point) => point.State is not null ? $"\"{point.State}\""
        : double.IsNaN(point.Value) ? "-" : point.Value.ToString("R", CultureInfo.InvariantCulture);

    private static async Task CopyAsync(StreamReader from, TextWriter to, CancellationToken cancel)
    {
        var buffer = new char[16 * 1024];
        int count;
        while ((count = await from.ReadAsync(buffer, cancel).ConfigureAwait(false)) > 0)
        {
            await to.WriteAsync(buffer.AsMemory(0, count), cancel).ConfigureAwait(false);
        }
    }
}

/// <summary>What is asked: the options that query and explain share. The server reads times, so that its clock says what "now" is.</summary>
internal sealed class QuestionOptions
{
    private readonly Argument<string> _series = new("SERIES") { Description = "account/device/measurement; * stands for anything within one of the three parts; several with commas." };
    private readonly Option<string?> _from = new("--from") { Description = $"Begin: {TimeText.Forms} (default: one hour before the end).", HelpName = "TIME" };
    private readonly Option<string?> _to = new("--to") { Description = "End, exclusive (default: now).", HelpName = "TIME" };
    private readonly Option<string?> _step = new("--step") { Description = "One point for each step: 30s, 1m, 1h, 1d (default: one over the whole range).", HelpName = "DURATION" };
    private readonly Option<string?> _fn = new("--fn") { Description = "raw, avg, min, max, sum, count, first, last, stddev, rate, increase, rolling_avg, duration, p50, p99.9, …; several with commas (default: raw without a step, avg with one).", HelpName = "FN" };
    private readonly Option<string?> _fill = new("--fill") { Description = "What steps without a value get: none (left out), null, previous or linear.", HelpName = "HOW" };
    private readonly Option<string?> _by = new("--by") { Description = "Put series together by account, device or measurement.", HelpName = "WHAT" };
    private readonly Option<string?> _window = new("--window") { Description = "What rolling_avg looks back over, a multiple of the step.", HelpName = "DURATION" };
    private readonly Option<string?> _tz = new("--tz") { Description = "Time zone of steps of whole days, for example Europe/Rome (default: UTC).", HelpName = "ZONE" };

    public void AddTo(Command command)
    {
        command.Add(_series);
        command.Add(_from);
        command.Add(_to);
        command.Add(_step);
        command.Add(_fn);
        command.Add(_fill);
        command.Add(_by);
        command.Add(_window);
        command.Add(_tz);
    }

    public QueryParameters Read(ParseResult parse) => new()
    {
        Series = parse.GetRequiredValue(_series),
        From = parse.GetValue(_from),
        To = parse.GetValue(_to),
        Step = parse.GetValue(_step),
        Fn = parse.GetValue(_fn),
        Fill = parse.GetValue(_fill),
        By = parse.GetValue(_by),
        Window = parse.GetValue(_window),
        Tz = parse.GetValue(_tz),
    };
}
