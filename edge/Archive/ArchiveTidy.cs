using Foretier.Archive.Stores;
using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Archive;

/// <summary>What putting layers together came to.</summary>
/// <param name="Superseded">Samples that a later layer had written anew.</param>
/// <param name="Deleted">Samples that a later layer had deleted.</param>
public sealed record MergedLayers(Holding Holding, long Superseded, long Deleted);

/// <summary>
/// Keeps a site's part of the archive in order: puts the layers of a window together into one, and removes what no manifest names. One user at a
/// time, the gateway whose site it is, and never while it publishes.
/// </summary>
/// <remarks>
/// Layers: 1. read, later over earlier, 2. published as one (After, Through], verified like any other, 3. the caller notes it, 4. the manifests of the
/// parts go. A crash before 4 leaves parts that one manifest holds whole: catalogs pass over them, and the next sweep removes them. Their files go by
/// the sweep too, so that whoever is reading them has time to finish.
/// </remarks>
/// <param name="catalog">Of one site, and of the same store.</param>
public sealed class ArchiveTidy(ObjectStore store, ArchiveCatalog catalog, ArchiveWriter writer, TimeProvider clock)
{
    private readonly string _site = catalog.Site ?? throw new ArgumentException("a catalog of one site is needed", nameof(catalog));

    // What the last sweep found unnamed: a file may be about to be named, so only what is still unnamed at the next sweep goes.
    private HashSet<string> _suspects = [];

    /// <param name="layers">A chain of holdings of one edge and window, as published, from After = 0.</param>
    /// <exception cref="ArchiveException">The store failed, or a layer is damaged; everything is as it was.</exception>
    public Task<MergedLayers> MergeAsync(IReadOnlyList<Holding> layers, CancellationToken cancel) => PublishAsync(layers, keepsErased: false, cancel);

    /// <summary>Publishes layers again because a file of their rollups is gone or cut short: it is made of the samples, which stay as they are.</summary>
    /// <exception cref="ArchiveException">The store failed, or the samples are damaged; everything is as it was.</exception>
    public Task MendAsync(Holding layers, CancellationToken cancel) => PublishAsync([layers], keepsErased: true, cancel);

    private async Task<MergedLayers> PublishAsync(IReadOnlyList<Holding> layers, bool keepsErased, CancellationToken cancel)
    {
        var (edge, window) = (layers[0].Edge, layers[0].Window);
        var source = new ArchiveSource(store, catalog, new(), clock);
        var series = new Dictionary<string, SeriesInfo>(StringComparer.Ordinal);
        var erased = new List<ArchiveErasure>();
        foreach (var layer in layers)
        {
            var manifest = await ReadAsync(layer, cancel).ConfigureAwait(false);
            foreach (var known in manifest.Files.SelectMany(f => f.Series))
            {
                series[known.Name] = new(known.Name, edge, known.Unit, known.Kind);
            }
            erased.AddRange((manifest.Erased ?? []).Select(e => new ArchiveErasure(e.Series, new(e.From, e.To))));
        }
        long superseded = 0, deleted = 0;
        var parts = layers.Select(layer => new FetchPart(edge, window, layer.After, layer.Through, window.Range)).ToList();
        FetchResult Fetch(string name)
        {
            try
            {
                return source.FetchAsync(new([name], parts, true, 0, 0), cancel).GetAwaiter().GetResult();
            }
            catch (DataSourceUnavailableException e)
            {
                throw e.InnerException as ArchiveException ?? new ArchiveException(ArchiveFault.Unreachable, "merge", name, e.Message, e);
            }
        }
        SampleColumns Merge(SeriesInfo info)
        {
            // The writer asks for one series after the other, so that no more than one is in memory.
            var result = Fetch(info.Name);
            if (result.Gone.Concat(result.Lost).ToList() is [var gone, ..])
            {
                throw new ArchiveException(ArchiveFault.NotFound, "merge", new ManifestKey(_site, edge, window, parts[gone].After, parts[gone].Through).ToString(), "a layer is no longer there");
            }
            var counted = SeriesScan.Count([.. result.Slices.SelectMany(slice => slice.Erased.Select(range => Layer.Tombstone(slice.Part + 1, range))
                .Concat(slice.Samples is { Count: > 0 } samples ? [Layer.Of(slice.Part + 1, samples)] : []))]);
            (superseded, deleted) = (superseded + counted.Superseded, deleted + counted.Deleted);
            return counted.Samples;
        }
        var pack = new ArchivePack(edge, window, layers[0].After, layers[^1].Through, series.Values, Merge) { Erased = keepsErased ? erased : [] };
        return new(await writer.PublishAsync(pack, cancel).ConfigureAwait(false), superseded, deleted);
    }

    /// <summary>
    /// Removes manifests that another one holds whole, those of known windows that are not published (they were lost and come again), and files that were unnamed
    /// at the last sweep and still are.
    /// </summary>
    /// <param name="published">What the caller knows to be archived.</param>
    /// <param name="isKnown">Whether the caller knows of a window, so that it would know what is archived of it.</param>
    /// <returns>How many objects went, and the bytes of those that were files.</returns>
    /// <exception cref="ArchiveException">Damaged where a manifest cannot be read: then nobody knows what it names, and nothing is removed.</exception>
    public async Task<(int Objects, long Bytes)> SweepAsync(IReadOnlyCollection<Holding> published, Func<string, Window, bool> isKnown, CancellationToken cancel)
    {
        var all = await catalog.ListAsync(cancel).ConfigureAwait(false);
        var current = published.Select(holding => new ManifestKey(_site, holding.Edge, holding.Window, holding.After, holding.Through)).ToHashSet();
        var obsolete = all.Select(layers => layers.Key).GroupBy(k => (k.Edge, k.Window)).SelectMany(of => of.Where(k => !current.Contains(k)
            && (isKnown(k.Edge, k.Window) || of.Any(o => o != k && o.After <= k.After && o.Through >= k.Through)))).ToHashSet();
        var left = all.Where(layers => !obsolete.Contains(layers.Key)).ToList();
        if (left.Find(layers => layers.Fault is not null) is { } unread)
        {
            throw unread.Fault!;
        }
        var named = left.SelectMany(layers => layers.Files).Select(file => file.Key).ToHashSet(StringComparer.Ordinal);
        foreach (var key in obsolete)
        {
            await store.DeleteAsync(key.ToString(), cancel).ConfigureAwait(false);
        }
        var (objects, bytes) = (obsolete.Count, 0L);
        var suspects = new HashSet<string>(StringComparer.Ordinal);
        foreach (var prefix in ArchiveKeys.FilesOf(_site))
        {
            await foreach (var info in store.ListAsync(prefix, cancel).ConfigureAwait(false))
            {
                if (named.Contains(info.Key))
                {
                    continue;
                }
                if (_suspects.Contains(info.Key))
                {
                    await store.DeleteAsync(info.Key, cancel).ConfigureAwait(false);
                    (objects, bytes) = (objects + 1, bytes + info.Bytes);
                }
                else
                {
                    suspects.Add(info.Key);
                }
            }
        }
        _suspects = suspects;
        return (objects, bytes);
    }

    /// <summary>As it is now: the catalog may have read it before it was published anew.</summary>
    private Task<ArchiveManifest> ReadAsync(Holding layer, CancellationToken cancel)
    {
        var key = new ManifestKey(_site, layer.Edge, layer.Window, layer.After, layer.Through);
        catalog.Doubt(key);
        return catalog.ManifestAsync(key, cancel);
    }
}
