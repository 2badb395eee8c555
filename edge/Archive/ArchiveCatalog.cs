using System.Collections.Concurrent;
using Foretier.Archive.Stores;
using Foretier.Core.Partitions;
using Foretier.Core.Tiers;

namespace Foretier.Archive;

/// <summary>
/// What the archive holds, read from its manifests alone, so that a new router or a gateway that lost its disk knows all of it.
/// Thread-safe; a refresh reads only manifests that are new or changed, and those that were used last are at hand without asking the store again.
/// </summary>
/// <param name="site">Only what this site put there; null: of all.</param>
/// <param name="manifestBytes">Memory for manifests that were read.</param>
public sealed class ArchiveCatalog(ObjectStore store, string? site = null, long manifestBytes = 16 << 20) : IDisposable
{
    private const int ManifestsAtOnce = 8;
    private readonly string _root = site is null ? ManifestKey.Root : ManifestKey.PrefixOf(site);
    private readonly ByteCache _manifests = new(manifestBytes);
    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _refreshing = new(1, 1);
    private readonly Dictionary<string, Entry> _entries = [];
    private readonly Dictionary<(string Edge, Window Window, long After, long Through), Entry> _byLayers = [];
    private readonly Dictionary<(string Name, string Edge), (SeriesInfo Info, Window Window)> _series = [];
    private readonly ConcurrentDictionary<string, bool> _lost = new(StringComparer.Ordinal);

    // What callers of RefreshAsync have been told.
    private Dictionary<HoldingKey, Holding> _toldHoldings = [];
    private readonly Dictionary<(string Name, string Edge), SeriesInfo> _toldSeries = [];
    private bool _told;
    private long _revision;

    /// <summary>One for each (edge, window, after): the one that reaches furthest.</summary>
    public IReadOnlyCollection<Holding> Holdings
    {
        get
        {
            lock (_lock)
            {
                return CurrentHoldings().Values;
            }
        }
    }

    /// <summary>Every series of any published window, with the unit and kind it had in the newest.</summary>
    public IReadOnlyCollection<SeriesInfo> Series
    {
        get
        {
            lock (_lock)
            {
                return [.. _series.Values.Select(s => s.Info)];
            }
        }
    }

    /// <summary>Manifests that cannot be read, and why; what they published is not in the catalog.</summary>
    public IReadOnlyCollection<ArchiveException> Damaged
    {
        get
        {
            lock (_lock)
            {
                return [.. _entries.Values.Where(e => e.Fault is not null).Select(e => e.Fault!)];
            }
        }
    }

    /// <summary>
    /// Lists the archive and returns what changed since the last call; the first one is a reset. Meant for
    /// <see cref="Catalog.Apply"/> with the holdings of node <see cref="ArchiveManifest.Node"/>.
    /// </summary>
    /// <exception cref="ArchiveException">The store cannot be read; nothing has changed.</exception>
    public async Task<CatalogUpdate> RefreshAsync(CancellationToken cancel)
    {
        await _refreshing.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            await ReadAsync(_root, cancel).ConfigureAwait(false);
            lock (_lock)
            {
                return Tell();
            }
        }
        finally
        {
            _refreshing.Release();
        }
    }

    /// <summary>Whose manifests these are; null: of all sites.</summary>
    internal string? Site => site;

    /// <summary>
    /// Lists the archive and returns every manifest with the files that it names, for those who keep a site in order. What <see cref="RefreshAsync"/> will tell
    /// is as before.
    /// </summary>
    /// <exception cref="ArchiveException">The store cannot be read; nothing has changed.</exception>
    internal async Task<IReadOnlyList<PublishedLayers>> ListAsync(CancellationToken cancel)
    {
        await _refreshing.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            await ReadAsync(_root, cancel).ConfigureAwait(false);
            lock (_lock)
            {
                return [.. _entries.Values.Select(entry => new PublishedLayers(entry.Key, entry.Files, entry.Fault))];
            }
        }
        finally
        {
            _refreshing.Release();
        }
    }

    public void Dispose() => _refreshing.Dispose();

    /// <summary>
    /// The key of the manifest that published exactly these layers; looks in the store where it is not known yet. Null where there is none.
    /// </summary>
    internal async Task<ManifestKey?> FindAsync(string edge, Window window, long after, long through, CancellationToken cancel)
    {
        if (Find(edge, window, after, through) is { } known)
        {
            return known;
        }
        await _refreshing.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            // Someone else may have looked while we waited.
            if (Find(edge, window, after, through) is { } found)
            {
                return found;
            }
            List<string> sites;
            lock (_lock)
            {
                sites = [.. _entries.Values.Where(e => e.Key.Edge == edge).Select(e => e.Key.Site).Distinct()];
            }
            foreach (var prefix in sites.Count == 0 ? [_root] : sites.ConvertAll(site => ManifestKey.PrefixOf(site, edge, window)))
            {
                await ReadAsync(prefix, cancel).ConfigureAwait(false);
            }
            return Find(edge, window, after, through);
        }
        finally
        {
            _refreshing.Release();
        }
    }

    /// <summary>What a manifest says.</summary>
    /// <exception cref="ArchiveException">NotFound where it is no longer there, Damaged where it cannot be read.</exception>
    internal async Task<ArchiveManifest> ManifestAsync(ManifestKey key, CancellationToken cancel)
    {
        var name = key.ToString();
        if (_manifests.Get<ArchiveManifest>(name) is { } kept)
        {
            return kept;
        }
        var bytes = await store.GetAsync(name, cancel).ConfigureAwait(false);
        // A refresh may have read a newer one meanwhile.
        return _manifests.Get<ArchiveManifest>(name) ?? Keep(name, ArchiveManifest.Parse(key, bytes), bytes.Length);
    }

    /// <summary>What was read of a manifest is not as the store has it: it is to be read anew.</summary>
    internal void Doubt(ManifestKey key) => _manifests.Remove(key.ToString());

    /// <summary>True for a file that was looked for in vain, or found damaged, since the archive was listed last.</summary>
    internal bool IsLost(string key) => _lost.ContainsKey(key);

    internal void NoteLost(string key) => _lost[key] = true;

    private ArchiveManifest Keep(string name, ArchiveManifest manifest, int textBytes)
    {
        // As objects it takes about twice its text.
        _manifests.Put(name, manifest, textBytes * 2L);
        return manifest;
    }

    private ManifestKey? Find(string edge, Window window, long after, long through)
    {
        lock (_lock)
        {
            return _byLayers.TryGetValue((edge, window, after, through), out var entry) ? entry.Key : null;
        }
    }

    private async Task ReadAsync(string prefix, CancellationToken cancel)
    {
        var listed = new Dictionary<string, (ObjectInfo Info, ManifestKey Key)>();
        await foreach (var info in store.ListAsync(prefix, cancel).ConfigureAwait(false))
        {
            if (ManifestKey.TryParse(info.Key, out var key))
            {
                listed[info.Key] = (info, key!);
            }
        }
        List<(ObjectInfo Info, ManifestKey Key)> fresh;
        List<string> vanished;
        lock (_lock)
        {
            fresh = [.. listed.Values.Where(l => !_entries.TryGetValue(l.Info.Key, out var known) || known.Info.Tag != l.Info.Tag)];
            vanished = [.. _entries.Keys.Where(k => k.StartsWith(prefix, StringComparison.Ordinal) && !listed.ContainsKey(k))];
        }
        var read = new ConcurrentBag<(Entry Entry, ArchiveManifest? Manifest)>();
        await Parallel.ForEachAsync(fresh, new ParallelOptions { MaxDegreeOfParallelism = ManifestsAtOnce, CancellationToken = cancel },
            async (item, stop) =>
            {
                try
                {
                    var bytes = await store.GetAsync(item.Info.Key, stop).ConfigureAwait(false);
                    var manifest = Keep(item.Info.Key, ArchiveManifest.Parse(item.Key, bytes), bytes.Length);
                    read.Add((new(item.Info, item.Key, manifest.ToHolding(), null, FilesOf(manifest)), manifest));
                }
                catch (ArchiveException e) when (e.Kind == ArchiveFault.NotFound)
                {
                    // Removed between the listing and now; the next listing will not have it.
                }
                catch (ArchiveException e) when (e.Kind == ArchiveFault.Damaged)
                {
                    read.Add((new(item.Info, item.Key, null, e, []), null));
                }
            }).ConfigureAwait(false);
        if (prefix == _root)
        {
            // What was lost may have been put back.
            _lost.Clear();
        }
        lock (_lock)
        {
            vanished.ForEach(Forget);
            vanished.ForEach(key => _manifests.Remove(key));
            foreach (var (entry, manifest) in read.OrderBy(r => r.Entry.Key.Window).ThenBy(r => r.Entry.Key.Through))
            {
                Forget(entry.Info.Key);
                _entries[entry.Info.Key] = entry;
                _byLayers[entry.Layers] = entry;
                if (manifest is not null)
                {
                    Learn(manifest, entry.Key.Window);
                }
            }
        }
    }

    private void Forget(string key)
    {
        if (_entries.Remove(key, out var entry) && _byLayers.TryGetValue(entry.Layers, out var known) && known.Info.Key == key)
        {
            _byLayers.Remove(entry.Layers);
        }
    }

    private void Learn(ArchiveManifest manifest, Window window)
    {
        foreach (var file in manifest.Files)
        {
            foreach (var series in file.Series)
            {
                var id = (series.Name, manifest.Edge);
                if (!_series.TryGetValue(id, out var known) || known.Window <= window)
                {
                    var info = new SeriesInfo(series.Name, manifest.Edge, series.Unit, series.Kind);
                    _series[id] = (known.Info == info ? known.Info : info, window);
                }
            }
        }
    }

    private Dictionary<HoldingKey, Holding> CurrentHoldings()
    {
        var holdings = new Dictionary<HoldingKey, Holding>();
        var wholes = _entries.Values.Where(e => e.Holding is { After: 0 }).GroupBy(e => (e.Key.Edge, e.Key.Window)).ToDictionary(of => of.Key, of => of.Max(e => e.Key.Through));
        foreach (var entry in _entries.Values)
        {
            // Parts of what has been put together, left by a crash: they say nothing that the whole does not.
            if (entry.Key.After > 0 && wholes.TryGetValue((entry.Key.Edge, entry.Key.Window), out var through) && entry.Key.Through <= through)
            {
                continue;
            }
            if (entry.Holding is { } holding
                && (!holdings.TryGetValue(HoldingKey.Of(holding), out var other) || other.Through < holding.Through))
            {
                holdings[HoldingKey.Of(holding)] = holding;
            }
        }
        return holdings;
    }

    private CatalogUpdate Tell()
    {
        var holdings = CurrentHoldings();
        List<Holding> put = [.. holdings.Where(h => !_toldHoldings.TryGetValue(h.Key, out var told) || told != h.Value).Select(h => h.Value)];
        List<HoldingKey> removed = [.. _toldHoldings.Keys.Where(key => !holdings.ContainsKey(key))];
        var series = new List<SeriesInfo>();
        foreach (var (id, known) in _series)
        {
            if (!_toldSeries.TryGetValue(id, out var told) || told != known.Info)
            {
                _toldSeries[id] = known.Info;
                series.Add(known.Info);
            }
        }
        var reset = !_told;
        if (reset || put.Count > 0 || removed.Count > 0 || series.Count > 0)
        {
            _revision++;
        }
        _told = true;
        _toldHoldings = holdings;
        return new(_revision, reset, series, put, removed);
    }

    /// <summary>A site's own files are kept in order by it; of those of all sites nobody keeps order.</summary>
    private PublishedFile[] FilesOf(ArchiveManifest manifest) => site is null ? []
        : [.. manifest.Files.SelectMany(file => file.Rollups is { } rollups ? [new PublishedFile(file.Key, file.Bytes, false), new(rollups.Key, rollups.Bytes, true)]
            : new[] { new PublishedFile(file.Key, file.Bytes, false) })];

    private sealed record Entry(ObjectInfo Info, ManifestKey Key, Holding? Holding, ArchiveException? Fault, IReadOnlyList<PublishedFile> Files)
    {
        public (string, Window, long, long) Layers => (Key.Edge, Key.Window, Key.After, Key.Through);
    }
}

/// <summary>What a manifest publishes.</summary>
/// <param name="Fault">Why the manifest cannot be read, and nobody knows what it names; null where it can.</param>
internal sealed record PublishedLayers(ManifestKey Key, IReadOnlyList<PublishedFile> Files, ArchiveException? Fault);

/// <param name="IsRollups">Without it the samples answer.</param>
internal sealed record PublishedFile(string Key, long Bytes, bool IsRollups);
