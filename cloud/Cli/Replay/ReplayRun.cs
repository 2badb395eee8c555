using Foretier.Predict.Models;
using Foretier.Predict.Replay;
using Foretier.Predict.Replay.Events;

namespace Foretier.Cli.Replay;

/// <summary>Replays against one policy after the other, and says how far it is.</summary>
internal sealed class ReplayRun(ReplayOptions options, IReadOnlyList<string> policies, Terminal terminal, TimeProvider clock)
{
    public async Task<ReplayResult> OfAsync(ReadTrace trace, IInference? ranker, CancellationToken cancel)
    {
        var rows = new List<ReplayRow>();
        foreach (var policy in policies)
        {
            var score = await WatchedAsync($"reads replayed against {policy}", trace.Times.Count, report =>
                AccessReplay.RunAsync(AccessReplay.Make(policy, trace, options, ranker), trace, options, cancel, report)).ConfigureAwait(false);
            rows.Add(ReplayRow.Of(score));
        }
        return new(trace.Name, options, rows, ranker?.Manifest)
        {
            About = string.Create(System.Globalization.CultureInfo.InvariantCulture,
                $"{trace.Names.Count:N0} resources, room for {AccessReplay.CapacityOf(trace, options):N0}, epochs of {options.Epoch.TotalHours:0} h"),
        };
    }

    public async Task<ReplayResult> OfAsync(EventTrace trace, IInference? ranker, IInference? volumes, CancellationToken cancel)
    {
        if (policies.Contains(AccessReplay.Belady))
        {
            throw new CommandException(ExitCode.BadUsage, $"{AccessReplay.Belady} is for traces of the form t,k");
        }
        var reservations = await WatchedAsync("windows reserved", trace.Days, report => ReservationReplay.RunAsync(trace, options, volumes, report, cancel)).ConfigureAwait(false);
        var rows = new List<ReplayRow>();
        foreach (var policy in policies)
        {
            var score = await WatchedAsync($"hours replayed against {policy}", trace.Days * 24L, report =>
                EventReplay.RunAsync(policy, trace, options, ranker, reservations[policy], report, cancel)).ConfigureAwait(false);
            rows.Add(ReplayRow.Of(score));
        }
        return new(trace.Name, options, rows, ranker?.Manifest)
        {
            About = string.Create(System.Globalization.CultureInfo.InvariantCulture,
                $"{trace.Series.Count:N0} series over {trace.Days:N0} days, room for {EventReplay.CapacityOf(trace, options) / 1e6:N1} MB, epochs of 1 h"),
        };
    }

    private async Task<T> WatchedAsync<T>(string what, long count, Func<Action<double>, Task<T>> run)
    {
        var progress = new ProgressLine(terminal, what, clock);
        try
        {
            return await run(done => progress.Report((long)(done * count), done)).ConfigureAwait(false);
        }
        finally
        {
            progress.End();
        }
    }
}
