using System.CommandLine;
using System.IO.Compression;
using System.Text;
using Foretier.Cli.Ask;
using Foretier.Client;
using Foretier.Core.Samples;

namespace Foretier.Cli.Export;

/// <summary><c>foretier export --workload</c>: what models are trained on, from a running system.</summary>
internal static class ExportCommand
{
    public static Command Make()
    {
        var glob = new Argument<string?>("GLOB") { Description = "Only series that match, for example 'acme/*/temperature' (default: all).", Arity = ArgumentArity.ZeroOrOne };
        var workload = new Option<bool>("--workload") { Description = "Samples an hour of every series, from its first sample on any tier to the last full hour." };
        var output = new Option<string?>("--out") { Description = "File to write, gzipped where it ends with .gz (default: standard output).", HelpName = "FILE" };
        var from = new Option<string?>("--from") { Description = $"Begin: {TimeText.Forms} (default: the first sample there is).", HelpName = "TIME" };
        var zone = new Option<string>("--tz") { Description = "Time zone on whose clock the devices and people live, such as Europe/Rome.", HelpName = "ZONE", DefaultValueFactory = _ => "UTC" };
        var command = new Command("export", """
            Write how many samples each series had in each hour: what 'backtest' reads and models/train/train_volume.py learns from.
              foretier export --workload --tz Europe/Rome --out mine.jsonl.gz
            """) { glob, workload, output, from, zone };
        command.Validators.Add(result =>
        {
            if (!result.GetValue(workload))
            {
                result.AddError("say what to export: --workload");
            }
            if (result.GetValue(CommandLine.Json) && result.GetResult(output) is null)
            {
                result.AddError("--json describes what was written to a file: name it with --out");
            }
        });
        return command.Asks(async (session, parse, client, cancel) =>
        {
            var clock = Zone(parse.GetRequiredValue(zone));
            var begin = parse.GetValue(from) ?? await FirstAsync(client, cancel).ConfigureAwait(false);
            var file = parse.GetValue(output);
            long series = 0, hours = 0;
            var writer = file is null ? session.Terminal.Output : Create(file);
            try
            {
                foreach (var name in await NamesAsync(client, parse.GetValue(glob), cancel).ConfigureAwait(false))
                {
                    // A series at a time: the answer for all may be larger than a server gives.
                    var reply = await client.QueryAsync(new() { Series = name, From = begin, Fn = "count", Step = "1h" }, cancel).ConfigureAwait(false);
                    if (reply.Meta.Partial)
                    {
                        throw new CommandException(ExitCode.Failed, $"{name} is not all there now: {QueryCommand.Provenance(reply.Meta)}", "Hours that are missing would look like hours without samples; try again when its source is back.");
                    }
                    var end = Instant.Floor(Instant.Now(session.Clock), Instant.Hour);
                    if (reply.Results is [var result] && HourlyLine.Of(name, result.Points, end, clock) is { } line)
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

    private static async Task<IEnumerable<string>> NamesAsync(ForetierClient client, string? glob, CancellationToken cancel) =>
        (await client.SeriesAsync(glob, cancel).ConfigureAwait(false)).Series.Select(entry => entry.Name).Distinct().Order(StringComparer.Ordinal);

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
