using System.CommandLine;
using System.Globalization;
using Foretier.Predict.Backtest;
using Foretier.Predict.Models;
using Spectre.Console;

namespace Foretier.Cli.Backtest;

/// <summary><c>foretier backtest</c>: how well series would have been forecast, by the code the agent runs.</summary>
internal static class BacktestCommand
{
    public static Command Make()
    {
        // Not the data folder of every other command: this one asks no server.
        var data = new Option<string[]>("--data")
        {
            Description = "Files to forecast: hourly JSONL, or events as CSV; plain or .gz.",
            HelpName = "FILE",
            Required = true,
            AllowMultipleArgumentsPerToken = true,
        };
        var model = new Option<string?>("--model") { Description = "Folder with model.onnx and model.json (default: the volume-lstm that came with this program); or of folders without-FILE, each the model for the file of that name.", HelpName = "DIR" };
        var none = new Option<bool>("--no-model") { Description = "Seasonal baselines only: what remains when a model fails." };
        var zone = new Option<string?>("--tz") { Description = "Time zone whose clock the habits in files of UTC times follow, such as Europe/Berlin (default: UTC).", HelpName = "ZONE" };
        var series = new Option<string[]>("--series-column") { Description = "Column of a CSV that names the series; several are joined by @ (default: series, sensor, …, else all but time and value).", HelpName = "NAME" };
        var time = new Option<string?>("--time-column") { Description = "Column of a CSV with the time: epoch or RFC 3339 (default: t, time, timestamp, …).", HelpName = "NAME" };
        var perSeries = new Option<bool>("--per-series") { Description = "Show every series, not only files." };
        var command = new Command("backtest", $$"""
            Show how well series would have been forecast: every 25 hours the next 24, by the code that runs in the agent.
              foretier backtest --data hourly_bike.jsonl.gz hourly_lora.jsonl.gz
            Hourly JSONL: {"series": "a", "start": "2017-03-09 06:00:00", "freq": "H", "tz": "local", "values": [3, 6, null]}, one a line.
            CSV: a header, a row an event; events are counted by hour and series.

            wql       mean of the weighted quantile losses of P50 and P90, relative to SN168's; geometric mean over series
            baseline  the best single one of SN24, SN168 (the same hour a day, a week ago) and HoW4 (mean of the same hour of four weeks),
                      each with the P90 that its own errors of the last four weeks suggest
            mase      mean absolute error of P50 over the mean difference from the day before; mean over series
            coverage  share of hours with no more samples than the P90, and of those whose P90 is at least 1
            over      reserved by P90 and not used, over samples; beside it HoW4's

            A series teaches for its first 672 hours, or half of it where it is shorter than twice that. Series of less than {{RollingOrigin.HoursMin}} hours, or less than
            {{EventCounts.EventsMin}} events, are skipped. Where no sample came, or SN168 was right in every hour, there is no relative wql: such series count for coverage
            and reservation only.
            """) { data, model, none, zone, series, time, perSeries };
        command.SetAction(CommandLine.Run(async (session, parse, cancel) =>
        {
            var own = ZoneOf(parse.GetValue(zone));
            // All are read first: a file that is none should not cost the work on those before it.
            var files = parse.GetRequiredValue(data).Select(path => (Path: path, File: HourlyFile.Read(path, own, parse.GetValue(series) ?? [], parse.GetValue(time)))).ToList();
            var folder = parse.GetValue(model);
            var scores = new List<BacktestScore>();
            var models = new List<ModelManifest?>();
            foreach (var (path, file) in files)
            {
                await using var inference = parse.GetValue(none) ? null : Open(FolderOf(folder, path), session.Terminal);
                models.Add(inference?.Manifest);
                scores.Add(await ScoreAsync(path, file, inference, session, cancel).ConfigureAwait(false));
            }
            var pooled = BacktestFigures.Of(null, null, BacktestScore.Of(scores));
            var same = models.TrueForAll(one => one?.Sha256 == models[0]?.Sha256);
            var reply = new BacktestReply(models[0] is null ? "baselines, Hedge and ACI" : same ? "model, Hedge and ACI" : "each file's own model, Hedge and ACI",
                same && models[0] is { } only ? BacktestModel.Of(only) : null,
                [.. files.Select((file, i) => BacktestFigures.Of(file.Path, models[i] is { } one && !same ? BacktestModel.Of(one) : null, scores[i]))], pooled);
            if (session.Terminal.Json)
            {
                session.Terminal.WriteDocument(reply);
            }
            else
            {
                Show(session.Terminal, reply, parse.GetValue(perSeries) ? scores : null);
            }
            return pooled.Series > 0 ? ExitCode.Ok : throw new CommandException(ExitCode.Failed, "no series is long enough to be forecast", $"They need {RollingOrigin.HoursMin} hours, or {EventCounts.EventsMin} events.");
        }));
        return command;
    }

    private static async Task<BacktestScore> ScoreAsync(string path, HourlyFile file, IInference? model, Session session, CancellationToken cancel)
    {
        var progress = new ProgressLine(session.Terminal, $"forecasts of {Path.GetFileName(path)}", session.Clock);
        try
        {
            var forecasts = file.Series.Sum(series => (long)series.Counts.Length / 25);
            var score = await RollingOrigin.RunAsync(file.Series, model, done => progress.Report((long)(done * forecasts), done), cancel).ConfigureAwait(false);
            return score with { Skipped = score.Skipped + file.TooFew };
        }
        catch (InferenceException e)
        {
            throw new CommandException(ExitCode.Failed, e.Message, "--no-model shows the baselines.");
        }
        finally
        {
            progress.End();
        }
    }

    /// <summary>The model for a file: where a folder has one by its name, that.</summary>
    private static string? FolderOf(string? folder, string file) =>
        folder is not null && Path.Combine(folder, "without-" + Path.GetFileName(file).Split('.')[0]) is var own && Directory.Exists(own) ? own : folder;

    private static OnnxInference? Open(string? folder, Terminal terminal)
    {
        try
        {
            var found = ModelFolder.Open(folder ?? Path.Combine(ModelFolder.Shipped, ModelContract.VolumeLstm.Id));
            return found.Manifest.Id == ModelContract.VolumeLstm.Id ? OnnxInference.Load(found)
                : throw new CommandException(ExitCode.BadUsage, $"{folder} is a model of {found.Manifest.Id}; this takes {ModelContract.VolumeLstm.Id}");
        }
        catch (InferenceException e) when (folder is null && e.Failure == InferenceFailure.Missing)
        {
            terminal.Note($"no model came with this program ({e.Message}): baselines only");
            return null;
        }
        catch (InferenceException e)
        {
            throw new CommandException(ExitCode.BadUsage, e.Message, "Name a folder with model.onnx and model.json with --model, or use --no-model.");
        }
    }

    private static TimeZoneInfo ZoneOf(string? name)
    {
        try
        {
            return name is null ? TimeZoneInfo.Utc : TimeZoneInfo.FindSystemTimeZoneById(name);
        }
        catch (Exception e) when (e is TimeZoneNotFoundException or InvalidTimeZoneException)
        {
            throw new CommandException(ExitCode.BadUsage, $"--tz: '{name}' is no time zone this machine knows", "Use a name such as Europe/Berlin.");
        }
    }

    private static void Show(Terminal terminal, BacktestReply reply, List<BacktestScore>? perSeries)
    {
        terminal.WriteLine(reply.Model is { } model
            ? $"{reply.Forecaster}; {model.Id} {model.Version}, trained on: {string.Join("; ", model.TrainedOn)}" : reply.Forecaster);
        var table = Terminal.NewTable("file", ">series", ">rated", ">wql", ">best baseline", "", ">of it", ">model alone", ">mase", ">coverage", ">where P90 ≥ 1", ">over", ">HoW4's", ">of it");
        foreach (var (file, at) in reply.Files.Append(reply.Pooled).Select((file, at) => (file, at)))
        {
            Add(table, file.File is null ? "pooled" : Path.GetFileName(file.File), file);
            foreach (var one in perSeries is not null && file.File is not null ? perSeries[at].Series : [])
            {
                Add(table, "  " + one.Name, BacktestFigures.Of(null, null, new([one], 0)));
            }
        }
        terminal.Write(table);
        var skipped = reply.Pooled.Skipped;
        if (skipped > 0)
        {
            terminal.WriteLine($"{skipped} series skipped: fewer than {RollingOrigin.HoursMin} hours, or {EventCounts.EventsMin} events");
        }
    }

    private static void Add(Table table, string name, BacktestFigures of) => Terminal.AddRow(table, name,
        of.Series.ToString(CultureInfo.InvariantCulture), of.Rated.ToString(CultureInfo.InvariantCulture), Figure(of.Wql), Figure(of.WqlBestBaseline), of.BestBaseline,
        Figure(of.Wql / of.WqlBestBaseline), Figure(of.WqlModel), Figure(of.Mase), Figure(of.CoverageP90), Figure(of.CoverageP90From1), Figure(of.OverReservation), Figure(of.OverReservationHoW4),
        Figure(of.OverReservation / of.OverReservationHoW4));

    private static string Figure(double? figure) => figure?.ToString("0.000", CultureInfo.InvariantCulture) ?? "-";
}
