using System.CommandLine;
using System.IO.Compression;
using Foretier.Core.Query;
using Foretier.Predict.Models;
using Foretier.Predict.Replay;
using Foretier.Predict.Replay.Events;

namespace Foretier.Cli.Replay;

/// <summary><c>foretier replay</c>: what policies of placement would have done with writes and reads that are known.</summary>
internal static class ReplayCommand
{
    public static Command Make()
    {
        var trace = new Option<string?>("--trace") { Description = $"CSV, plain or .gz: t,k (each row reads one resource k of size 1 at t, seconds since 1970), or {EventCsv.Header} (op: read or write).", HelpName = "FILE" };
        var workload = new Option<string?>("--workload") { Description = $"A made workload instead of a trace: {string.Join(", ", WorkloadTrace.Names)} (what a fleet writes; dashboards, alert rules, reports and investigations; 450 days).", HelpName = "NAME" };
        var seed = NumberText.Option("--seed", "Which one of its kind the workload is. 0 to 2147483647.", 1, 0, int.MaxValue);
        var devices = NumberText.Option("--devices", "Devices of each of the workload's four accounts. 1 to 10000.", 30, 1, 10_000);
        var length = NumberText.Option("--length", "Days that the workload runs. 30 to 4000.", 450, 30, 4_000);
        var export = new Option<string?>("--export") { Description = "Write the workload as CSV (.gz packs it), and replay nothing.", HelpName = "FILE" };
        var policies = new Option<string[]>("--policy") { Description = $"Only these: {string.Join(", ", AccessReplay.Policies)} (default: all); for t,k also {AccessReplay.Belady}.", HelpName = "NAME", AllowMultipleArgumentsPerToken = true };
        var hot = new Option<double?>("--hot") { Description = "What the fast tier takes: a share of all resources (t,k; default 0.05), of a year's raw samples otherwise (default: a week of them).", HelpName = "0..1" };
        var days = NumberText.Option("--days", "Last days that are scored; what comes before is to learn from. 1 to 3650.", 365, 1, 3_650);
        var epoch = new Option<string?>("--epoch") { Description = "How often policies decide about t,k: 1h, 2h, 3h, 4h, 6h, 8h, 12h or 1d. About anything else they decide every hour.", DefaultValueFactory = _ => "1d", HelpName = "TIME" };
        var model = new Option<string?>("--model") { Description = "Folder of another access-ranker than the one that comes with the program.", HelpName = "DIR" };
        var html = new Option<string?>("--html") { Description = "Write a page with the table and with charts over time.", HelpName = "FILE" };
        var command = new Command("replay", """
            Replay writes and reads in order of time against policies of what is kept on the fast tier, built and reserved ahead.
              foretier replay --trace reads.csv.gz
              foretier replay --workload site --seed 7 --html replay.html
            Every policy has the same room and pays for each move; it knows what came before it decides, and nothing else. Only clairvoyant
            knows the future, as a bound: what each epoch will read most, and exactly what will be written.
            predictive is the code of the agent and the gateway. static: partitions at their largest volume of the first 28 days, all rollups,
            tiers by age. Who asks the same again within the hour is one read of a workload;
            what lies within the last hour is in the agent's memory, whatever the policy, and is not scored.
              hot hit: reads that found all they asked for on the fast tier / reads
              presynth: closed rollup buckets built before they were asked for / asked for; waste: rollups built ahead, unread for 7 days / built ahead
              moves: promotions + demotions; move amp: bytes moved / bytes ingested (of t,k: moves / reads)
              prealloc: written into a partition made ahead, within its reservation / written; over, under: reserved in vain, missing / written
              coverage: partitions and windows that stayed within their reservation; gap closed: hot hit's way from lru (0) to clairvoyant (1)
              cost, latency: modelled, by prices and speeds of the tiers (Replay/Events/TierModel.cs); below the table, what the same reads take
              where everything is built and on flash, which no placement gets below
            """) { trace, workload, seed, devices, length, export, policies, hot, days, epoch, model, html };
        command.SetAction(CommandLine.Run(async (session, parse, cancel) =>
        {
            var chosen = Chosen(parse.GetValue(policies));
            var (file, made) = (parse.GetValue(trace), parse.GetValue(workload));
            if (file is null == made is null)
            {
                throw new CommandException(ExitCode.BadUsage, file is null ? "there is nothing to replay" : "a trace and a workload cannot be replayed together", "Name one: --trace FILE or --workload NAME");
            }
            var options = Options(parse.GetValue(hot), parse.GetValue(days), parse.GetValue(epoch)!);
            var site = new WorkloadOptions { Seed = parse.GetValue(seed), Devices = parse.GetValue(devices), Days = parse.GetValue(length) };
            if (parse.GetValue(export) is { } target)
            {
                Export(target, made ?? throw new CommandException(ExitCode.BadUsage, "only a workload can be exported", $"Name one: --workload {WorkloadTrace.Names[0]}"), site);
                session.Terminal.Note($"{target} written");
                return ExitCode.Ok;
            }
            var source = file is not null ? TraceFile.Read(file) : new TraceFile(null, Make(made!, site));
            await using var ranker = Open(parse.GetValue(model), ModelContract.AccessRanker, session.Terminal, chosen);
            var run = new ReplayRun(options, chosen, session.Terminal, session.Clock);
            var result = source.Reads is { } reads ? await run.OfAsync(reads, ranker, cancel).ConfigureAwait(false) : await EventsAsync(source.Events!).ConfigureAwait(false);
            if (parse.GetValue(html) is { } page)
            {
                await File.WriteAllTextAsync(page, ReplayPage.Of(result), cancel).ConfigureAwait(false);
                session.Terminal.Note($"{page} written");
            }
            result.Show(session.Terminal);
            return ExitCode.Ok;

            async Task<ReplayResult> EventsAsync(EventTrace events)
            {
                await using var volumes = Open(null, ModelContract.VolumeLstm, session.Terminal, chosen);
                return await run.OfAsync(events, ranker, volumes, cancel).ConfigureAwait(false);
            }
        }));
        return command;
    }

    private static IReadOnlyList<string> Chosen(string[]? names)
    {
        if (names is not { Length: > 0 })
        {
            return AccessReplay.Policies;
        }
        var split = names.SelectMany(n => n.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)).Distinct().ToList();
        return split.FirstOrDefault(n => !AccessReplay.Policies.Contains(n) && n != AccessReplay.Belady) is { } unknown
            ? throw new CommandException(ExitCode.BadUsage, $"there is no policy '{unknown}'", $"Choose from {string.Join(", ", AccessReplay.Policies)}")
            : split;
    }

    private static ReplayOptions Options(double? hot, int days, string epoch)
    {
        if (!Question.TryDuration(epoch, out var length))
        {
            throw new CommandException(ExitCode.BadUsage, $"'{epoch}' is not a length of time", "Write --epoch 1h or --epoch 1d");
        }
        var options = new ReplayOptions { HotShare = hot, ScoredDays = days, Epoch = TimeSpan.FromMicroseconds(length) };
        try
        {
            options.Validate();
            return options;
        }
        catch (ArgumentException e)
        {
            throw new CommandException(ExitCode.BadUsage, e.Message, "See foretier replay --help");
        }
    }

    private static EventTrace Make(string name, WorkloadOptions site)
    {
        try
        {
            return WorkloadTrace.Make(name, site);
        }
        catch (Exception e) when (e is ArgumentException or InvalidDataException)
        {
            throw new CommandException(ExitCode.BadUsage, e.Message, "See foretier replay --help");
        }
    }

    private static void Export(string path, string name, WorkloadOptions site)
    {
        var made = Make(name, site);
        using var file = File.Create(path);
        using Stream packed = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? new GZipStream(file, CompressionLevel.Fastest) : file;
        using var text = new StreamWriter(packed);
        WorkloadTrace.WriteCsv(text, made);
    }

    /// <summary>A model for the predictive policy; null where it is not asked for, or does not open: then its fallback goes on, and a note says so.</summary>
    private static OnnxInference? Open(string? folder, ModelContract contract, Terminal terminal, IReadOnlyList<string> policies)
    {
        if (!policies.Contains("predictive"))
        {
            return null;
        }
        try
        {
            var opened = ModelFolder.Open(folder ?? Path.Combine(ModelFolder.Shipped, contract.Id));
            return opened.Manifest.Id == contract.Id ? OnnxInference.Load(opened)
                : throw new InferenceException(InferenceFailure.Refused, $"{opened.Path} has {opened.Manifest.Id} instead of {contract.Id}");
        }
        catch (InferenceException e) when (folder is null)
        {
            terminal.Note($"predictive goes without {contract.Id}: {e.Message}");
            return null;
        }
        catch (InferenceException e)
        {
            throw new CommandException(ExitCode.Failed, e.Message);
        }
    }
}
