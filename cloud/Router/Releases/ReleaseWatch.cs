using Foretier.Archive.Stores;

namespace Foretier.Router.Releases;

/// <summary>Looks for releases and rollouts that other routers have put into the archive, at start and now and then.</summary>
internal sealed class ReleaseWatch : IAsyncDisposable
{
    /// <summary>By the clock on the wall, whatever a test's clock says: it is requests to an archive.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);

    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;

    private ReleaseWatch(IReadOnlyList<Func<CancellationToken, Task>> look, ILogger log) => _loop = Task.Run(() => LoopAsync(look, log));

    /// <param name="look">Each looks at one sort.</param>
    public static ReleaseWatch Start(ILogger<ReleaseWatch> log, params IReadOnlyList<Func<CancellationToken, Task>> look) => new(look, log);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task LoopAsync(IReadOnlyList<Func<CancellationToken, Task>> looks, ILogger log)
    {
        var told = new string?[looks.Count];
        while (!_stop.IsCancellationRequested)
        {
            for (var i = 0; i < looks.Count; i++)
            {
                try
                {
                    await looks[i](_stop.Token).ConfigureAwait(false);
                    told[i] = null;
                }
                catch (ArchiveException error)
                {
                    if (told[i] != error.Message)
                    {
                        log.LogWarning("Releases in the archive cannot be read, boxes are told what was known: {Reason}", error.Message);
                    }
                    told[i] = error.Message;
                }
            }
            await Task.Delay(Interval, _stop.Token).ConfigureAwait(false);
        }
    }
}
