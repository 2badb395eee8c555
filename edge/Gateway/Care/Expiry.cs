using Foretier.Archive;
using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Gateway.Warm;

namespace Foretier.Gateway.Care;

/// <summary>Ends windows that are past retention, on the disk and in the archive.</summary>
/// <remarks>
/// An empty layer takes the place of their flushes: edges and catalogs go on knowing that these were received, what comes late follows them, and a new gateway
/// learns it from the archive. Files in the archive are no longer named then and go by the next sweeps. A crash in between leaves samples that the next round ends.
/// </remarks>
/// <param name="publish">As of the packer; null where there is no archive.</param>
internal sealed class Expiry(WarmStore store, Func<ArchivePack, CancellationToken, Task<Holding>>? publish, ILogger<Expiry> log)
{
    /// <summary>Ends what belongs to windows that ended before a time (µs).</summary>
    /// <exception cref="IOException">The disk failed; ask again.</exception>
    /// <exception cref="ArchiveException">The archive failed; ask again.</exception>
    public async Task EndAsync(long before, CancellationToken cancel)
    {
        foreach (var (edge, window) in await store.ReadEndedAsync(before, cancel).ConfigureAwait(false))
        {
            if (await store.BeginPackAsync(edge, window, cancel).ConfigureAwait(false) is { } held)
            {
                await store.CompletePackAsync(held, await EmptyAsync(edge, window, held.After, held.Through, cancel).ConfigureAwait(false), cancel, isExpiry: true).ConfigureAwait(false);
            }
            var layers = (await store.ReadArchivedAsync(cancel).ConfigureAwait(false)).Where(layer => layer.Edge == edge && layer.Window == window).OrderBy(layer => layer.After).ToList();
            var samples = layers.Sum(layer => layer.Count);
            if (samples > 0)
            {
                var empty = await EmptyAsync(edge, window, layers[0].After, layers[^1].Through, cancel).ConfigureAwait(false);
                await store.CompleteMergeAsync(empty, layers, new(0, 0, samples), cancel).ConfigureAwait(false);
            }
            log.LogInformation("{Edge} {Window} is past retention and deleted", edge, window);
        }
    }

    private Task<Holding> EmptyAsync(string edge, Window window, long after, long through, CancellationToken cancel) => publish is null
        ? Task.FromResult(new Holding(edge, window, ArchiveManifest.Node, Tier.Archive, after, through, TimeRange.Nothing, 0, 0))
        : publish(new(edge, window, after, through, [], _ => new()), cancel);
}
