using Foretier.Durable;
using Foretier.Core.Tiers;
using Foretier.Gateway.Receive;
using Foretier.Protocol.Shipping;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;

namespace Foretier.Gateway.Warm;

/// <content>Start: what the catalog knows, what the files have beyond it, or everything from the files where there is no catalog.</content>
public sealed partial class WarmStore
{
    /// <summary>Set among the counters once a new catalog has learnt what is in the archive.</summary>
    private const string Settled = "settled";

    private bool _isRebuilding;

    /// <summary>Opens the store, repairs what a crash left, and puts what it holds into the catalog.</summary>
    /// <param name="archived">
    /// What the archive has of this site, from its manifests; asked only where the gateway's own catalog is new, and then it must answer.
    /// Null where there is no archive.
    /// </param>
    /// <exception cref="IOException">The folder cannot be used, or another process does.</exception>
    /// <exception cref="InvalidDataException">A newer program wrote it.</exception>
    public static async Task<WarmStore> OpenAsync(WarmOptions options, Catalog catalog, TimeProvider clock, ILogger<WarmStore> log,
        Func<CancellationToken, Task<CatalogUpdate>>? archived, CancellationToken cancel)
    {
        Directory.CreateDirectory(Path.Combine(options.Directory, "edges"));
        var owner = new FileStream(Path.Combine(options.Directory, "lock"), FileMode.OpenOrCreate, FileAccess.Write, FileShare.None);
        WarmStore? store = null;
        try
        {
            store = new(options, catalog, clock, log, owner, OpenIndex(options, log));
            await store.LearnArchiveAsync(archived, cancel).ConfigureAwait(false);
            store.Load();
            store.TakeInFiles(cancel);
            store.PutAll();
            return store;
        }
        catch
        {
            store?._index.Dispose();
            await owner.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private static WarmIndex OpenIndex(WarmOptions options, ILogger log)
    {
        try
        {
            return WarmIndex.Open(options.IndexPath);
        }
        catch (SqliteException error) when (WarmIndex.IsDamage(error))
        {
            log.LogError("{Path} is damaged ({Reason}); it is put aside as .damaged and made again from the data files", options.IndexPath, error.Message);
            File.Move(options.IndexPath, options.IndexPath + ".damaged", overwrite: true);
            File.Delete(options.IndexPath + "-wal");
            File.Delete(options.IndexPath + "-shm");
            return WarmIndex.Open(options.IndexPath);
        }
    }

    /// <summary>A new catalog does not know what has been archived; without that, a file whose deletion a crash prevented would count as held.</summary>
    private async Task LearnArchiveAsync(Func<CancellationToken, Task<CatalogUpdate>>? archived, CancellationToken cancel)
    {
        if (_index.ReadCounters().ContainsKey(Settled))
        {
            return;
        }
        _isRebuilding = true;
        var known = archived is null ? null : await archived(cancel).ConfigureAwait(false);
        _index.Writer.Transact(() =>
        {
            foreach (var series in known?.Series ?? [])
            {
                _index.WriteSeries(series);
            }
            foreach (var holding in known?.Holdings ?? [])
            {
                _index.Write(holding);
                _index.Count(Counter.Received, holding.Count);
                _index.Count(Counter.Accepted, holding.Count);
            }
            _index.Count(Settled, 1);
        });
    }

    private void Load()
    {
        _hasTombstones = _index.Writer.Number("SELECT 1 FROM tombstones LIMIT 1") is not null;
        foreach (var (key, window) in _index.ReadWindows())
        {
            _windows[key] = window;
        }
        foreach (var series in _index.ReadSeries())
        {
            _series[(series.Info.Edge, series.Info.Name)] = series;
        }
        LoadCopies();
    }

    private void PutAll()
    {
        foreach (var (_, info) in _series.Values)
        {
            _catalog.Put(info);
        }
        foreach (var holding in _index.ReadArchived().Concat(_windows.Values.Select(w => w.ToHolding(Node)).Concat(_copies.Values.Select(c => c.ToHolding(Node))).OfType<Holding>()))
        {
            _catalog.Put(holding);
        }
    }

    private void TakeInFiles(CancellationToken cancel)
    {
        var missing = _windows.Values.SelectMany(w => w.Files.Select(f => (w.Edge, Name: new WarmFileName(w.Window, f.After)))).ToHashSet();
        foreach (var folder in Directory.EnumerateDirectories(Path.Combine(_options.Directory, "edges")).Order(StringComparer.Ordinal))
        {
            var edge = Path.GetFileName(folder);
            var names = Directory.EnumerateFiles(folder).Select(path => (IsOurs: WarmFileName.TryParse(Path.GetFileName(path), out var name), Name: name))
                .Where(f => f.IsOurs).Select(f => f.Name);
            foreach (var name in names.OrderBy(n => n.Window).ThenBy(n => n.After).ToList())
            {
                cancel.ThrowIfCancellationRequested();
                missing.Remove((edge, name));
                TakeIn(edge, name);
            }
        }
        foreach (var (edge, name) in missing)
        {
            _damaged[(edge, name.Window)] = $"{name} is missing";
            _log.LogError("{Path} is missing, the catalog has it; queries of that window will say that it cannot be read", _options.PathOf(edge, name));
        }
    }

    private void TakeIn(string edge, WarmFileName name)
    {
        var path = _options.PathOf(edge, name);
        var held = _windows.GetValueOrDefault((edge, name.Window)) ?? WarmWindow.Empty(edge, name.Window);
        var known = held.Files.FirstOrDefault(f => f.After == name.After);
        using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite);
        if (known is null && name.After < held.ArchivedThrough)
        {
            DropArchived(path, handle, held);
            return;
        }
        var length = RandomAccess.GetLength(handle);
        if (known is not null && length <= known.Bytes)
        {
            if (length < known.Bytes)
            {
                _damaged[(edge, name.Window)] = $"{name} has {length} of its {known.Bytes} bytes";
                _log.LogError("{Path} has {Length} of its {Bytes} bytes; queries of what was behind will say that it cannot be read", path, length, known.Bytes);
            }
            return;
        }
        var file = known ?? NewFile(name.After);
        var end = TakeInFrames(ref held, file, handle);
        if (end < length)
        {
            // Without a catalog nobody can say whether the rest was acknowledged: keep a copy for whoever wants to look.
            if (_isRebuilding)
            {
                File.Copy(path, path + ".cut", overwrite: true);
            }
            _log.LogWarning("{Path} cut from {Length} to {End} bytes: what was behind is no whole batch", path, length, end);
            RandomAccess.SetLength(handle, end);
            Disk.Sync(handle);
        }
        if (end == 0)
        {
            File.Delete(path);
        }
    }

    /// <summary>A crash came between the commit of a move and the deletion of its files.</summary>
    private void DropArchived(string path, SafeFileHandle handle, WarmWindow held)
    {
        var through = 0L;
        for (var at = 0L; WarmFrame.TryRead(handle, at, out var frame); at = frame.End)
        {
            through = frame.Through;
        }
        if (through > held.ArchivedThrough)
        {
            _log.LogError("{Path} has flushes through {Through}, the archive only through {Archived}; left as it is, unread", path, through, held.ArchivedThrough);
            return;
        }
        _log.LogInformation("{Path} has been archived, deleting it", path);
        File.Delete(path);
    }

    /// <summary>Takes in whole frames behind the committed end of a file, as one transaction. Returns where they end.</summary>
    private long TakeInFrames(ref WarmWindow held, WarmFile file, SafeFileHandle handle)
    {
        // A frame that the page cache still had after the process died may not be on the disk yet.
        Disk.Sync(handle);
        var window = held;
        var end = file.Bytes;
        var samples = 0L;
        _index.Writer.Transact(() =>
        {
            while (WarmFrame.TryRead(handle, end, out var frame)
                && (frame.After == window.Through || (!window.IsHeld && frame.After == file.After && frame.After >= window.ArchivedThrough))
                && IncomingBatch.Parse(frame.Payload, ShipBatch.DigestOf(frame.Payload.Span), out _) is { } batch && batch.Window == window.Window)
            {
                var recorded = Record(window, window.Files.FirstOrDefault(f => f.After == file.After) ?? file, frame, batch);
                Publish(recorded);
                (window, end) = (recorded.Window, frame.End);
                samples += recorded.Receipt.Accepted;
            }
        });
        if (samples > 0)
        {
            _log.LogInformation("{Edge} {Window}: took in {Samples} samples that were in the file and not in the catalog", held.Edge, held.Window, samples);
        }
        held = window;
        return end;
    }
}
