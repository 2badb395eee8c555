using Foretier.Core.Tiers;
using Mvccpb;

namespace Foretier.Router.Etcd;

/// <summary>
/// Keeps a copy of everything below a prefix: reads it once, then watches. A broken watch goes on where it was; where etcd has compacted that
/// away, or forgotten more than it told, everything is read again.
/// </summary>
/// <param name="load">Begins to take all keys anew: what was taken before is void when the revision of all is told.</param>
/// <param name="change">Takes what whole revisions changed, in order, and the last of them.</param>
internal sealed class EtcdFollower(
    EtcdCluster etcd, string prefix, Func<Loading> load, Action<IReadOnlyList<Event>, long> change, TimeProvider clock, ILogger log) : IAsyncDisposable
{
    private static readonly TimeSpan RetryMin = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan RetryMax = TimeSpan.FromSeconds(3);

    private readonly CancellationTokenSource _stop = new();
    private readonly Signal _advanced = new();
    private long _revision;

    /// <summary>Ends when the following has ended: faulted if it died of what it did not expect.</summary>
    public Task Completion { get; private set; } = Task.CompletedTask;

    /// <summary>Why it is behind, in words; null while it is not.</summary>
    public string? Problem { get; private set; } = "etcd has not answered yet";

    /// <summary>Times everything had to be read anew; 1 after a start.</summary>
    public int Loads { get; private set; }

    public void Start() => Completion = Task.Run(() => RunAsync(_stop.Token));

    /// <summary>Returns when what was written at a revision has been taken.</summary>
    public async Task ReachAsync(long revision, CancellationToken cancel)
    {
        while (true)
        {
            var advanced = _advanced.Next;
            if (Volatile.Read(ref _revision) >= revision)
            {
                return;
            }
            await advanced.WaitAsync(cancel).ConfigureAwait(false);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await Completion.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task RunAsync(CancellationToken stop)
    {
        var delay = RetryMin;
        var isLoaded = false;
        try
        {
            while (true)
            {
                try
                {
                    if (!isLoaded)
                    {
                        var loading = load();
                        var revision = await etcd.ReadAsync(prefix, loading.Take, stop).ConfigureAwait(false);
                        loading.Done(revision);
                        Loads++;
                        Advance(revision);
                        isLoaded = true;
                    }
                    await foreach (var told in etcd.WatchAsync(prefix, _revision + 1, stop).ConfigureAwait(false))
                    {
                        if (told.CompactRevision > 0 || (told.Created && told.Header.Revision < _revision && await BeganAnewAsync(stop).ConfigureAwait(false)))
                        {
                            log.LogInformation("etcd does not remember what came after revision {Revision}; reading {Prefix} anew", _revision, prefix);
                            isLoaded = false;
                            break;
                        }
                        if (Problem is not null)
                        {
                            log.LogInformation("etcd is followed from revision {Revision}", _revision);
                            Problem = null;
                        }
                        delay = RetryMin;
                        if (told.Events.Count > 0)
                        {
                            var last = told.Events[^1].Kv.ModRevision;
                            change(told.Events, last);
                            Advance(last);
                        }
                    }
                    continue;
                }
                catch (EtcdException error)
                {
                    if (Problem is null)
                    {
                        log.LogWarning("{Reason}; going on with what is known", error.Message);
                    }
                    Problem = error.Message;
                }
                await Task.Delay(delay, clock, stop).ConfigureAwait(false);
                delay = delay * 2 < RetryMax ? delay * 2 : RetryMax;
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Asked to stop.
        }
        catch (Exception bug)
        {
            Problem = $"etcd is not followed any more: {bug.Message}";
            throw;
        }
    }

    /// <summary>
    /// Whether etcd's revisions began anew (restored from an old copy, or another one), and would never reach ours. A member that answers with
    /// less may only lag behind: a majority is asked.
    /// </summary>
    private async Task<bool> BeganAnewAsync(CancellationToken stop) => await etcd.RevisionAsync(stop).ConfigureAwait(false) < _revision;

    private void Advance(long revision)
    {
        Volatile.Write(ref _revision, revision);
        _advanced.Set();
    }
}

/// <summary>A reading of all keys: each is given once, then the revision that they are of.</summary>
internal sealed record Loading(Action<KeyValue> Take, Action<long> Done);
