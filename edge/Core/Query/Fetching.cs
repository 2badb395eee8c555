using System.Diagnostics;
using Foretier.Core.Tiers;

namespace Foretier.Core.Query;

/// <summary>Asks sources what a plan says, in parallel, and learns from each what it costs.</summary>
internal sealed class Fetching(Func<string, IDataSource?> sourceOf, SourceHealth health)
{
    /// <summary>A span for each fetch where someone listens (Node/Hosting/Telemetry); else nothing is made.</summary>
    private static readonly ActivitySource Tracing = new("Foretier");

    /// <summary>So many times longer than expected is late: the estimates are rough, the first fetch after a pause is slow, and a second one costs too.</summary>
    private const double LateFactor = 8;

    /// <summary>Less is noise of a busy machine.</summary>
    private static readonly TimeSpan LateMin = TimeSpan.FromMilliseconds(400);

    /// <summary>The link's own deadline comes first.</summary>
    private static readonly TimeSpan LateMax = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan ProbeMax = TimeSpan.FromSeconds(10);

    private int _isProbing;

    /// <summary>The answer of each fetch of a plan, in its order. One without whom nothing would be lost is not waited for when it is late.</summary>
    /// <param name="fetches">They run at the same time.</param>
    /// <param name="earlier">Answers to earlier plans of the question; what was answered is not asked again.</param>
    /// <param name="isReplaceable">Whether all that these nodes are asked for can be had elsewhere.</param>
    /// <param name="cancel">Ends the work.</param>
    public async Task<Fetched[]> AllAsync(IReadOnlyList<PlannedFetch> fetches, IReadOnlyList<Fetched> earlier, Func<IReadOnlyCollection<string>, bool> isReplaceable,
        CancellationToken cancel)
    {
        var tasks = new Task<Fetched>[fetches.Count];
        var stops = new CancellationTokenSource?[fetches.Count];
        try
        {
            for (var i = 0; i < tasks.Length; i++)
            {
                var fetch = fetches[i];
                if (earlier.Count > 0 && AnswerTo(fetch, earlier) is { } known)
                {
                    tasks[i] = Task.FromResult(known with { Fetch = fetch });
                    continue;
                }
                stops[i] = CancellationTokenSource.CreateLinkedTokenSource(cancel);
                tasks[i] = OneAsync(fetch, cancel, stops[i]!.Token);
            }
            Task all = tasks.Length == 1 ? tasks[0] : Task.WhenAll(tasks);
            if (!all.IsCompleted)
            {
                await WaitAsync(all, fetches, cancel).ConfigureAwait(false);
                await StopLateAsync(fetches, tasks, stops, isReplaceable).ConfigureAwait(false);
            }
            await all.ConfigureAwait(false);
            return Array.ConvertAll(tasks, task => task.Result);
        }
        finally
        {
            foreach (var stop in stops)
            {
                stop?.Dispose();
            }
        }
    }

    private static Fetched? AnswerTo(PlannedFetch fetch, IReadOnlyList<Fetched> earlier) =>
        earlier.FirstOrDefault(one => one.Cost.Outcome == FetchOutcome.Answered && one.Fetch.AsksSameAs(fetch));

    private static async Task StopLateAsync(IReadOnlyList<PlannedFetch> fetches, Task<Fetched>[] tasks, CancellationTokenSource?[] stops,
        Func<IReadOnlyCollection<string>, bool> isReplaceable)
    {
        string[] late = [.. fetches.Where((_, i) => !tasks[i].IsCompleted).Select(f => f.Node).Distinct()];
        if (late.Length == 0 || !isReplaceable(late))
        {
            return;
        }
        for (var i = 0; i < tasks.Length; i++)
        {
            if (!tasks[i].IsCompleted)
            {
                await stops[i]!.CancelAsync().ConfigureAwait(false);
            }
        }
    }

    /// <summary>Asks a source that the plan did without, only to learn whether it is still slow. One at a time; nobody waits for it.</summary>
    public void Probe(PlannedFetch fetch)
    {
        if (Interlocked.Exchange(ref _isProbing, 1) == 0)
        {
            _ = ProbeAsync(fetch);
        }
    }

    private async Task ProbeAsync(PlannedFetch fetch)
    {
        using var stop = new CancellationTokenSource(ProbeMax, health.Clock);
        try
        {
            await OneAsync(fetch, CancellationToken.None, stop.Token).ConfigureAwait(false);
        }
        finally
        {
            Volatile.Write(ref _isProbing, 0);
        }
    }

    /// <summary>Until all are there, or the one that may take longest is late.</summary>
    private async Task WaitAsync(Task all, IReadOnlyList<PlannedFetch> fetches, CancellationToken cancel)
    {
        var patience = TimeSpan.FromMilliseconds(fetches.Max(f => f.EstimatedMilliseconds) * LateFactor);
        await all.WaitAsync(patience < LateMin ? LateMin : patience > LateMax ? LateMax : patience, health.Clock, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <param name="fetch">What is asked.</param>
    /// <param name="cancel">Of the question.</param>
    /// <param name="stop">Of this fetch, and of the question.</param>
    private async Task<Fetched> OneAsync(PlannedFetch fetch, CancellationToken cancel, CancellationToken stop)
    {
        var started = health.Clock.GetTimestamp();
        try
        {
            using var span = Tracing.StartActivity("fetch");
            span?.SetTag("foretier.node", fetch.Node).SetTag("foretier.parts", fetch.Request.Parts.Count).SetTag("foretier.series", fetch.Request.Series.Count);
            var source = sourceOf(fetch.Node) ?? throw new DataSourceUnavailableException(fetch.Node, "not connected");
            var result = await source.FetchAsync(fetch.Request, stop).ConfigureAwait(false);
            var done = Done(fetch, result, started, result.Gone.Count > 0 ? FetchOutcome.Moved : FetchOutcome.Answered);
            health.Answered(fetch.Node, fetch.Tier, fetch.Work, done.Cost.Milliseconds);
            return done;
        }
        catch (DataSourceUnavailableException)
        {
            health.Failed(fetch.Node);
            return Done(fetch, null, started, FetchOutcome.Failed);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested && stop.IsCancellationRequested)
        {
            var late = Done(fetch, null, started, FetchOutcome.Late);
            health.Took(fetch.Node, fetch.Tier, fetch.Work, late.Cost.Milliseconds);
            return late;
        }
    }

    private Fetched Done(PlannedFetch fetch, FetchResult? result, long started, FetchOutcome outcome) => new(fetch, result,
        new(fetch.Node, fetch.Tier, fetch.Work, fetch.EstimatedMilliseconds, health.Clock.GetElapsedTime(started).TotalMilliseconds, outcome));
}
