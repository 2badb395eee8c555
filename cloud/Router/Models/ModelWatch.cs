using Foretier.Archive.Stores;

namespace Foretier.Router.Models;

/// <summary>Looks for models and rollouts that other routers have put into the archive, at start and now and then.</summary>
internal sealed class ModelWatch : IAsyncDisposable
{
    /// <summary>By the clock on the wall, whatever a test's clock says: it is requests to an archive.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);

    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;

    private ModelWatch(ModelRegistry registry, ILogger log) => _loop = Task.Run(() => LoopAsync(registry, log));

    public static ModelWatch Start(ModelRegistry registry, ILogger<ModelRegistry> log) => new(registry, log);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task LoopAsync(ModelRegistry registry, ILogger log)
    {
        string? told = null;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await registry.RefreshAsync(_stop.Token).ConfigureAwait(false);
                told = null;
            }
            catch (ArchiveException error)
            {
                if (told != error.Message)
                {
                    log.LogWarning("Models in the archive cannot be read, boxes are told what was known: {Reason}", error.Message);
                }
                told = error.Message;
            }
            await Task.Delay(Interval, _stop.Token).ConfigureAwait(false);
        }
    }
}
