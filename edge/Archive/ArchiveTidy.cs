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
public sealed class ArchiveTidy(ObjectStore store, ArchiveWriter writer, string site, TimeProvider clock)
{
    // What the last sweep found unnamed: a file may be about to be named, so only what is still unnamed at the next sweep goes.
    private HashSet<string> _suspects = [];

    /// <param name="layers">A chain of holdings of one edge and window, as published, from After = 0.</param>
    /// <exception cref="ArchiveException">The store failed, or a layer is damaged; everything is as it was.</exception>
    public async Task<MergedLayers> MergeAsync(IReadOnlyList<Holding> layers, CancellationToken cancel)
    {
        var (edge, window) = (layers[0].Edge, layers[0].Window);
        using var catalog = new ArchiveCatalog(store, site);
        var source = new ArchiveSource(store, catalog, new(), clock);
        var series = new Dictionary<string, SeriesInfo>(StringComparer.Ordinal);
        foreach (var layer in layers)
        {
            foreach (var known in (await ReadAsync(layer, cancel).ConfigureAwait(false)).Files.SelectMany(f => f.Series))
            {
                series[known.Name] = new(known.Name, edge, known.Unit, known.Kind);
            }
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
            if (result.Gone.Count > 0)
            {
                throw new ArchiveException(ArchiveFault.NotFound, "merge", new ManifestKey(site, edge, window, parts[result.Gone[0]].After, parts[result.Gone[0]].Through).ToString(), "a layer is no longer there");
            }
            var counted = SeriesScan.Count([.. result.Slices.SelectMany(slice => slice.Erased.Select(range => Layer.Tombstone(slice.Part + 1, range))
                .Concat(slice.Samples is { Count: > 0 } samples ? [Layer.Of(slice.Part + 1, samples)] : []))]);
            (superseded, deleted) = (superseded + counted.Superseded, deleted + counted.Deleted);
            return counted.Samples;
        }
        var merged = await writer.PublishAsync(new(edge, window, layers[0].After, layers[^1].Through, series.Values, Merge), cancel).ConfigureAwait(false);
        return new(merged, superseded, deleted);
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
        var keys = new List<ManifestKey>();
        await foreach (var info in store.ListAsync(ManifestKey.PrefixOf(site), cancel).ConfigureAwait(false))
        {
            if (ManifestKey.TryParse(info.Key, out var key))
            {
                keys.Add(key!);
            }
        }
        var current = published.Select(holding => new ManifestKey(site, holding.Edge, holding.Window, holding.After, holding.Through)).ToHashSet();
        var obsolete = keys.GroupBy(k => (k.Edge, k.Window)).SelectMany(of => of.Where(k => !current.Contains(k)
            && (isKnown(k.Edge, k.Window) || of.Any(o => o != k && o.After <= k.After && o.Through >= k.Through)))).ToHashSet();
        var named = new HashSet<string>(StringComparer.Ordinal);
        foreach (var key in keys.Where(key => !obsolete.Contains(key)))
        {
            named.UnionWith(ArchiveManifest.Parse(key, await store.GetAsync(key.ToString(), cancel).ConfigureAwait(false)).Files.Select(f => f.Key));
        }
        foreach (var key in obsolete)
        {
            await store.DeleteAsync(key.ToString(), cancel).ConfigureAwait(false);
        }
        var (objects, bytes) = (obsolete.Count, 0L);
        var suspects = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var info in store.ListAsync(ArchiveKeys.RawOf(site), cancel).ConfigureAwait(false))
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
        _suspects = suspects;
        return (objects, bytes);
    }

    private async Task<ArchiveManifest> ReadAsync(Holding layer, CancellationToken cancel)
    {
        var key = new ManifestKey(site, layer.Edge, layer.Window, layer.After, layer.Through);
        return ArchiveManifest.Parse(key, await store.GetAsync(key.ToString(), cancel).ConfigureAwait(false));
    }
}
