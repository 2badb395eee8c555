using System.CommandLine;
using System.Globalization;
using System.IO.Compression;
using Foretier.Core.Query;
using Foretier.Predict.Models;
using Foretier.Predict.Replay;

namespace Foretier.Cli.Replay;

/// <summary><c>foretier replay</c>: what policies of placement would have done with reads that are known.</summary>
internal static class ReplayCommand
{
    public static Command Make()
    {
        var trace = new Option<string?>("--trace") { Description = "CSV, plain or .gz, with the columns t,k: each row reads one resource (k) of size 1 at t, seconds since 1970.", HelpName = "FILE" };
        var workload = new Option<string?>("--workload") { Description = $"A made workload instead of a trace: {string.Join(", ", WorkloadTrace.Names)} (dashboards, alert rules, reports and investigations over a fleet, for 450 days).", HelpName = "NAME" };
        var seed = NumberText.Option("--seed", "Which one of its kind the workload is. 0 to 2147483647.", 1, 0, int.MaxValue);
        var devices = NumberText.Option("--devices", "Devices of each of the workload's four accounts. 1 to 10000.", 30, 1, 10_000);
        var export = new Option<string?>("--export") { Description = "Write the workload as CSV (t,op,series,resolution,from,to,bytes; .gz packs it), and replay nothing.", HelpName = "FILE" };
        var policies = new Option<string[]>("--policy") { Description = $"Only these: {string.Join(", ", AccessReplay.Policies)} (default: all).", HelpName = "NAME", AllowMultipleArgumentsPerToken = true };
        var hot = new Option<double>("--hot") { Description = "Share of all resources' size that the fast tier takes.", DefaultValueFactory = _ => 0.05, HelpName = "0..1" };
        var days = NumberText.Option("--days", "Last days of the trace that are scored; what comes before is to learn from. 1 to 3650.", 365, 1, 3_650);
        var epoch = new Option<string?>("--epoch") { Description = "How often policies decide: 1h, 2h, 3h, 4h, 6h, 8h, 12h or 1d (default: 1d for a trace, 1h for a workload).", HelpName = "TIME" };
        var model = new Option<string?>("--model") { Description = "Folder of another access-ranker than the one that comes with the program.", HelpName = "DIR" };
        var html = new Option<string?>("--html") { Description = "Write the hot hits over time as a page with a chart.", HelpName = "FILE" };
        var command = new Command("replay", """
            Replay reads in order of time against policies of what is kept on the fast tier.
              foretier replay --trace reads.csv.gz
              foretier replay --workload site --seed 7
            Every policy has the same room and pays for each move; at each epoch it knows what was read before it, and nothing else. Two know
            the future, as bounds: clairvoyant (Belady's MIN, on demand) and interval-clairvoyant (what each epoch will read most).
            hot hit: reads that found their resource on the fast tier / reads; by size: each weighing what it read; hourly: who reads a resource
            again and again counts once an hour. moves: promotions + demotions. move amp: size of what moved /
            size of what was read. gap closed: hot hit's way from lru (0) to interval-clairvoyant (1).
            """) { trace, workload, seed, devices, export, policies, hot, days, epoch, model, html };
        command.SetAction(CommandLine.Run(async (session, parse, cancel) =>
        {
            var chosen = Chosen(parse.GetValue(policies));
            var (file, made) = (parse.GetValue(trace), parse.GetValue(workload));
            if (file is null == made is null)
            {
                throw new CommandException(ExitCode.BadUsage, file is null ? "there is nothing to replay" : "a trace and a workload cannot be replayed together", "Name one: --trace FILE or --workload NAME");
            }
            var options = Options(parse.GetValue(hot), parse.GetValue(days), parse.GetValue(epoch) ?? (made is null ? "1d" : "1h"));
            var site = new WorkloadOptions { Seed = parse.GetValue(seed), Devices = parse.GetValue(devices) };
            if (parse.GetValue(export) is { } target)
            {
                Export(target, made, site);
                session.Terminal.Note($"{target} written");
                return ExitCode.Ok;
            }
            var reads = file is not null ? Read(file) : Make(made!, site);
            var scores = new List<PolicyScore>();
            string? problem = null;
            await using var ranker = chosen.Contains("predictive") ? Ranker(parse.GetValue(model), out problem) : null;
            if (problem is not null)
            {
                session.Terminal.Note($"predictive goes by EWMA-28d alone: {problem}");
            }
            foreach (var name in chosen)
            {
                var progress = new ProgressLine(session.Terminal, $"reads replayed against {name}", session.Clock);
                scores.Add(await AccessReplay.RunAsync(AccessReplay.Make(name, reads, options, ranker), reads, options, cancel,
                    done => progress.Report((long)(done * reads.Times.Count), done)).ConfigureAwait(false));
                progress.End();
            }
            var result = new ReplayResult(reads, options, ranker?.Manifest, scores);
            if (parse.GetValue(html) is { } page)
            {
                await File.WriteAllTextAsync(page, ReplayPage.Of(result), cancel).ConfigureAwait(false);
                session.Terminal.Note($"{page} written");
            }
            result.Show(session.Terminal);
            return ExitCode.Ok;
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
        return split.FirstOrDefault(n => !AccessReplay.Policies.Contains(n)) is { } unknown
            ? throw new CommandException(ExitCode.BadUsage, $"there is no policy '{unknown}'", $"Choose from {string.Join(", ", AccessReplay.Policies)}")
            : split;
    }

    private static ReplayOptions Options(double hot, int days, string epoch)
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

    private static ReadTrace Make(string name, WorkloadOptions site)
    {
        try
        {
            return WorkloadTrace.Make(name, site);
        }
        catch (ArgumentException e)
        {
            throw new CommandException(ExitCode.BadUsage, e.Message, "See foretier replay --help");
        }
    }

    private static void Export(string path, string? name, WorkloadOptions site)
    {
        if (name is null || !WorkloadTrace.Names.Contains(name))
        {
            throw new CommandException(ExitCode.BadUsage, "only a workload can be exported", $"Name one: --workload {WorkloadTrace.Names[0]}");
        }
        using var file = File.Create(path);
        using Stream packed = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? new GZipStream(file, CompressionLevel.Fastest) : file;
        using var text = new StreamWriter(packed);
        WorkloadTrace.WriteCsv(text, site);
    }

    private static ReadTrace Read(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            using Stream plain = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? new GZipStream(file, CompressionMode.Decompress) : file;
            using var text = new StreamReader(plain);
            return ReadTrace.ReadCsv(text, Path.GetFileName(path));
        }
        catch (InvalidDataException e)
        {
            throw new CommandException(ExitCode.Failed, $"{path}: {e.Message}");
        }
    }

    private static OnnxInference? Ranker(string? folder, out string? problem)
    {
        problem = null;
        try
        {
            var opened = ModelFolder.Open(folder ?? Path.Combine(ModelFolder.Shipped, ModelContract.AccessRanker.Id));
            return opened.Manifest.Id == ModelContract.AccessRanker.Id ? OnnxInference.Load(opened)
                : throw new InferenceException(InferenceFailure.Refused, $"{opened.Path} has {opened.Manifest.Id} instead of {ModelContract.AccessRanker.Id}");
        }
        catch (InferenceException e)
        {
            problem = folder is null ? e.Message : throw new CommandException(ExitCode.Failed, e.Message);
            return null;
        }
    }
}

/// <summary>What is shown of a replay.</summary>
internal sealed record ReplayResult(ReadTrace Trace, ReplayOptions Options, ModelManifest? Model, IReadOnlyList<PolicyScore> Scores)
{
    /// <summary>The way from lru (0) to interval-clairvoyant (1); null where one of them was not replayed.</summary>
    public double? GapClosed(PolicyScore score) =>
        Scores.FirstOrDefault(s => s.Policy == "lru") is { } lru && Scores.FirstOrDefault(s => s.Policy == "interval-clairvoyant") is { } best && best.HotHit > lru.HotHit
            ? (score.HotHit - lru.HotHit) / (best.HotHit - lru.HotHit) : null;

    public void Show(Terminal terminal)
    {
        if (terminal.Json)
        {
            terminal.WriteDocument(new
            {
                trace = Trace.Name,
                resources = Trace.Names.Count,
                capacity = AccessReplay.CapacityOf(Trace, Options),
                epochHours = Options.Epoch.TotalHours,
                scoredDays = Options.ScoredDays,
                reads = Scores[0].Reads,
                model = Model is null ? null : $"{Model.Id} {Model.Version}, trained until {Model.TrainedUntil:yyyy-MM-dd}",
                policies = Scores.Select(s => new
                {
                    policy = s.Policy,
                    hotHit = s.HotHit,
                    hotHitBytes = s.HotHitBytes,
                    hotHitHourly = s.HotHitHourly,
                    promotions = s.Promotions,
                    demotions = s.Demotions,
                    moves = s.Moves,
                    moveAmp = s.MoveAmp,
                    gapClosed = GapClosed(s),
                }),
            });
            return;
        }
        var table = Terminal.NewTable("policy", ">hot hit", ">by size", ">hourly", ">promotions", ">demotions", ">moves", ">move amp", ">gap closed");
        foreach (var s in Scores)
        {
            Terminal.AddRow(table, s.Policy, Share(s.HotHit), Share(s.HotHitBytes), Share(s.HotHitHourly), Count(s.Promotions), Count(s.Demotions), Count(s.Moves),
                s.MoveAmp.ToString("0.000", CultureInfo.InvariantCulture), GapClosed(s) is { } gap ? Share(gap) : "-");
        }
        terminal.Write(table);
        terminal.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{Trace.Name}: {Scores[0].Reads:N0} reads in the last {Options.ScoredDays} days, {Trace.Names.Count:N0} resources, room for {AccessReplay.CapacityOf(Trace, Options):N0} of {Trace.Sizes.Sum():N0}, epochs of {Options.Epoch.TotalHours:0} h"));
        if (Model is not null)
        {
            terminal.WriteLine($"predictive with {Model.Id} {Model.Version}, trained until {Model.TrainedUntil:yyyy-MM-dd}");
        }
    }

    private static string Share(double share) => share.ToString("0.0000", CultureInfo.InvariantCulture);

    private static string Count(long count) => count.ToString("N0", CultureInfo.InvariantCulture);
}
