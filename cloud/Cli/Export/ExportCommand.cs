using System.CommandLine;
using System.IO.Compression;
using System.Text;
using Foretier.Cli.Ask;
using Foretier.Client;
using Foretier.Core.Samples;
using Foretier.Predict.Volume;

namespace Foretier.Cli.Export;

/// <summary><c>foretier export</c>: samples as Parquet, CSV or line protocol; with <c>--workload</c> what models are trained on.</summary>
internal static class ExportCommand
{
    public static Command Make()
    {
        var glob = new Argument<string?>("GLOB") { Description = "Only series that match, for example 'acme/*/temperature' (default: all).", Arity = ArgumentArity.ZeroOrOne };
        var format = new Option<string?>("--format") { Description = "parquet, csv or line (default: as the file's name ends: .parquet, .csv, .lp).", HelpName = "FORM" };
        format.AcceptOnlyFromAmong(SampleWriter.Formats);
        var workload = new Option<bool>("--workload") { Description = "Instead: samples an hour of every series, from its first sample on any tier to the last full hour." };
        var output = new Option<string?>("--out") { Description = "File to write; csv, line and --workload gzipped where it ends with .gz (default: standard output).", HelpName = "FILE" };
        var from = new Option<string?>("--from") { Description = $"Begin: {TimeText.Forms} (default: the first sample there is).", HelpName = "TIME" };
        var to = new Option<string?>("--to") { Description = "End, exclusive (default: now).", HelpName = "TIME" };
        var zone = new Option<string>("--tz") { Description = "Of --workload: time zone on whose clock the devices and people live, such as Europe/Rome.", HelpName = "ZONE", DefaultValueFactory = _ => "UTC" };
        var command = new Command("export", """
            Write samples of every tier to a file, in pages, however many they are; the file appears once all of it is there.
              foretier export 'acme/*/temperature' --from 2017-03-01 --to 2017-04-01 --out march.parquet
              foretier export --out all.csv.gz              series,time,value,state
              foretier export --format line | gzip > all.lp.gz      measurement,account=…,device=… value=… ns
              foretier export --workload --tz Europe/Rome --out mine.jsonl.gz      what 'backtest' reads and models/train/train_volume.py learns from
            """) { glob, format, output, from, to, workload, zone };
        command.Validators.Add(result =>
        {
            var form = result.GetValue(workload) ? "workload" : result.GetValue(format) ?? SampleWriter.FormatOf(result.GetValue(output));
            if (form is null)
            {
                result.AddError("say what to export: --format parquet, csv or line, a file whose name ends so, or --workload");
            }
            if (form == "parquet" && result.GetResult(output) is null)
            {
                result.AddError("Parquet needs a file: name it with --out");
            }
            if (form == "workload" && result.GetResult(to) is not null)
            {
                result.AddError("--workload always ends with the last full hour: leave --to out");
            }
            if (result.GetValue(CommandLine.Json) && result.GetResult(output) is null)
            {
                result.AddError("--json describes what was written to a file: name it with --out");
            }
        });
        return command.Asks(async (session, parse, client, cancel) =>
        {
            if (!parse.GetValue(workload))
            {
                var path = parse.GetValue(output);
                var (exported, samples) = await new SampleExport(client, session.Terminal, session.Clock).RunAsync(parse.GetValue(glob),
                    parse.GetValue(format) ?? SampleWriter.FormatOf(path)!, path,
                    parse.GetValue(from) ?? await FirstAsync(client, cancel).ConfigureAwait(false),
                    parse.GetValue(to) ?? SampleExport.Now(session.Clock), cancel).ConfigureAwait(false);
                if (session.Terminal.Json)
                {
                    session.Terminal.WriteDocument(new { file = path, series = exported, samples });
                    return;
                }
                session.Terminal.Note($"{exported} series, {samples} samples{(path is null ? "" : $": {path}")}");
                return;
            }
            var clock = Zone(parse.GetRequiredValue(zone));
            var begin = parse.GetValue(from) ?? await FirstAsync(client, cancel).ConfigureAwait(false);
            var file = parse.GetValue(output);
            long series = 0, hours = 0;
            var names = await NamesAsync(client, parse.GetValue(glob), cancel).ConfigureAwait(false);
            var gaps = (await client.GapsAsync(cancel).ConfigureAwait(false)).Nodes.ToDictionary(node => node.Node,
                node => VolumeHistory.HoursIn([.. node.Gaps.Select(gap => new TimeRange(gap.From.Micros, gap.To.Micros))], 0).ToHashSet(), StringComparer.Ordinal);
            var unasked = names.SelectMany(named => named.Edges).Distinct().Where(edge => !gaps.ContainsKey(edge)).ToList();
            if (unasked.Count > 0)
            {
                session.Terminal.Note($"{string.Join(", ", unasked)} cannot be asked when it was down: such hours are written as hours without samples");
            }
            var writer = file is null ? session.Terminal.Output : Create(file);
            try
            {
                foreach (var (name, edges) in names)
                {
                    // A series at a time: the answer for all may be larger than a server gives.
                    var reply = await client.QueryAsync(new() { Series = name, From = begin, Fn = "count", Step = "1h" }, cancel).ConfigureAwait(false);
                    if (reply.Meta.Partial)
                    {
                        throw new CommandException(ExitCode.Failed, $"{name} is not all there now: {QueryCommand.Provenance(reply.Meta)}", "Hours that are missing would look like hours without samples; try again when its source is back.");
                    }
                    var end = Instant.Floor(Instant.Now(session.Clock), Instant.Hour);
                    if (reply.Results is [var result] && HourlyLine.Of(name, result.Points, end, clock, Unwatched(edges, gaps)) is { } line)
                    {
                        await writer.WriteLineAsync(line.ToJson().AsMemory(), cancel).ConfigureAwait(false);
                        (series, hours) = (series + 1, hours + line.Values.Count);
                    }
                }
            }
            finally
            {
                if (file is not null)
                {
                    await writer.DisposeAsync().ConfigureAwait(false);
                }
            }
            if (session.Terminal.Json)
            {
                session.Terminal.WriteDocument(new { file, series, hours });
                return;
            }
            session.Terminal.Note($"{series} series, {hours} hours{(file is null ? "" : $": {file}")}");
        });
    }

    private static async Task<string> FirstAsync(ForetierClient client, CancellationToken cancel)
    {
        var tiers = (await client.TierAsync(cancel).ConfigureAwait(false)).Tiers;
        return tiers.Min(tier => tier.From?.Micros) is { } first ? Instant.Format(Instant.Floor(first, Instant.Hour)) : "-1h";
    }

    private static async Task<List<(string Name, List<string> Edges)>> NamesAsync(ForetierClient client, string? glob, CancellationToken cancel) =>
        [.. (await client.SeriesAsync(glob, cancel).ConfigureAwait(false)).Series.GroupBy(entry => entry.Name, entry => entry.Edge ?? "", StringComparer.Ordinal)
            .OrderBy(series => series.Key, StringComparer.Ordinal).Select(series => (series.Key, series.ToList()))];

    /// <summary>Hours in which no edge of a series was counting: a device that moved is heard by one of them at a time.</summary>
    private static HashSet<long>? Unwatched(List<string> edges, Dictionary<string, HashSet<long>> gaps)
    {
        var unwatched = gaps.GetValueOrDefault(edges[0])?.ToHashSet();
        foreach (var edge in edges.Skip(1))
        {
            unwatched?.IntersectWith(gaps.GetValueOrDefault(edge) ?? []);
        }
        return unwatched;
    }

    private static StreamWriter Create(string path)
    {
        Stream stream = File.Create(path);
        return new(path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? new GZipStream(stream, CompressionLevel.Optimal) : stream, new UTF8Encoding(false), 1 << 16);
    }

    private static TimeZoneInfo Zone(string name)
    {
        try
        {
            return TimeZoneInfo.FindSystemTimeZoneById(name);
        }
        catch (Exception e) when (e is TimeZoneNotFoundException or InvalidTimeZoneException)
        {
            throw new CommandException(ExitCode.BadUsage, $"--tz: '{name}' is no time zone this machine knows", "Use a name such as Europe/Rome.");
        }
    }
}
