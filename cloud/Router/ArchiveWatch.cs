using Foretier.Archive;
using Foretier.Archive.Stores;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Router;

/// <summary>
/// Reads the archive's manifests at start and now and then, so that archived data is found even where its gateway is gone.
/// Between two looks the gateways' own catalogs bring the news.
/// </summary>
public sealed class ArchiveWatch : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(5);

    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;

    private ArchiveWatch(ArchiveCatalog archived, ArchiveSource source, Catalog catalog, SourceHealth health, TimeProvider clock, ILogger<ArchiveWatch> log) =>
        _loop = Task.Run(() => LoopAsync(archived, source, catalog, health, clock, log));

    /// <summary>Why the archive cannot be read; null while it can.</summary>
    public string? Fault { get; private set; }

    public static ArchiveWatch Start(ArchiveCatalog archived, ArchiveSource source, Catalog catalog, SourceHealth health, TimeProvider clock, ILogger<ArchiveWatch> log) =>
        new(archived, source, catalog, health, clock, log);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task LoopAsync(ArchiveCatalog archived, ArchiveSource source, Catalog catalog, SourceHealth health, TimeProvider clock, ILogger log)
    {
        var isWarm = false;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                catalog.Apply(await archived.RefreshAsync(_stop.Token).ConfigureAwait(false), key => key.Node == ArchiveManifest.Node, isOld: true);
                health.Connected(ArchiveManifest.Node);
                Fault = null;
                if (!isWarm)
                {
                    isWarm = true;
                    await WarmUpAsync(archived, source, _stop.Token).ConfigureAwait(false);
                }
            }
            catch (ArchiveException error)
            {
                if (Fault is null)
                {
                    log.LogWarning("The archive cannot be read: {Reason}", error.Message);
                }
                Fault = error.Message;
                health.Disconnected(ArchiveManifest.Node);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            try
            {
                await Task.Delay(Fault is null ? Interval : RetryInterval, clock, _stop.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    /// <summary>Reads a little of the newest there is: the first question after a start would else wait half a second for code to be compiled.</summary>
    private static async Task WarmUpAsync(ArchiveCatalog archived, ArchiveSource source, CancellationToken stop)
    {
        if (archived.Holdings.MaxBy(holding => holding.Window.Start) is not { } newest || archived.Series.FirstOrDefault(series => series.Edge == newest.Edge) is not { } one)
        {
            return;
        }
        try
        {
            using var read = await source.FetchAsync(new([one.Name], [new(newest.Edge, newest.Window, newest.After, newest.Through, newest.Extent)], Raw: false, Instant.Hour, 0), stop)
                .ConfigureAwait(false);
        }
        catch (DataSourceUnavailableException)
        {
            // Whoever asks for it is told.
        }
    }
}
