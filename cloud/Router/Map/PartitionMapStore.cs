using System.Text.Json;
using Foretier.Core.Partitions;
using Microsoft.Data.Sqlite;

namespace Foretier.Router.Map;

/// <summary>What became of an update.</summary>
public enum MapPut
{
    /// <summary>Stored durably, and in <see cref="PartitionMapStore.Current"/>.</summary>
    Stored,

    /// <summary>The store is at that revision already.</summary>
    Known,

    /// <summary>It builds on a revision the store does not have: ask the node for its whole map.</summary>
    NeedWhole,

    /// <summary>It speaks for another edge than the one it comes from. Nothing of it is stored.</summary>
    Foreign,
}

/// <summary>
/// The maps of all edges, as a router keeps them: durable in SQLite, merged in memory into one immutable map that is swapped whole.
/// Thread-safe; writing blocks on the disk, reading does not.
/// </summary>
public sealed class PartitionMapStore : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, PartitionMap> _ofNode;
    private readonly MapTables _tables;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile PartitionMap _current;

    private PartitionMapStore(MapTables tables, Dictionary<string, PartitionMap> ofNode, long revision)
    {
        _tables = tables;
        _ofNode = ofNode;
        _current = Merge(revision);
    }

    /// <summary>
    /// Opens or creates the file. One that is damaged or of an unknown format is moved aside to <c>….damaged</c>, named in the log, and begun
    /// anew: every node then sends its whole map again.
    /// </summary>
    public static PartitionMapStore Open(string path, ILogger<PartitionMapStore> log)
    {
        path = Path.GetFullPath(path);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        try
        {
            return Load(path);
        }
        catch (Exception e) when (e is InvalidDataException or JsonException
            || e is SqliteException { SqliteErrorCode: SQLitePCL.raw.SQLITE_CORRUPT or SQLitePCL.raw.SQLITE_NOTADB or SQLitePCL.raw.SQLITE_ERROR })
        {
            log.LogWarning("{Path} is damaged ({Reason}); it is kept as {Path}.damaged, and begun anew from what the edges send", path, e.Message, path);
        }
        File.Move(path, path + ".damaged", overwrite: true);
        File.Delete(path + "-wal");
        File.Delete(path + "-shm");
        return Load(path);
    }

    /// <summary>All edges' maps in one. Its revision goes up with every update stored.</summary>
    public PartitionMap Current => _current;

    /// <summary>The revision of a node's own map that is stored here; 0 where there is none, which asks for all of it.</summary>
    public long RevisionOf(string node)
    {
        lock (_lock)
        {
            return _ofNode.TryGetValue(node, out var map) ? map.Revision : 0;
        }
    }

    /// <summary>Stores what an edge said of its own partitions; durable when it returns.</summary>
    /// <exception cref="SqliteException">The disk is full or failed; nothing has changed.</exception>
    public MapPut Put(string node, PartitionMapUpdate update)
    {
        if (update.Entries.Any(e => e.Edge != node) || update.Groups.Any(g => g.Edge != node))
        {
            return MapPut.Foreign;
        }
        lock (_lock)
        {
            var older = _ofNode.GetValueOrDefault(node) ?? PartitionMap.Empty;
            if (update.Revision == older.Revision)
            {
                return MapPut.Known;
            }
            if (!update.Reset && update.Since != older.Revision)
            {
                return MapPut.NeedWhole;
            }
            var newer = update.ApplyTo(older);
            var revision = _current.Revision + 1;
            _tables.Write(node, older, newer, update, revision);
            _ofNode[node] = newer;
            Swap(revision);
            return MapPut.Stored;
        }
    }

    /// <summary>Forgets an edge that was taken out of service.</summary>
    /// <exception cref="SqliteException">The disk is full or failed; nothing has changed.</exception>
    public void Remove(string node)
    {
        lock (_lock)
        {
            if (_ofNode.ContainsKey(node))
            {
                var revision = _current.Revision + 1;
                _tables.Remove(node, revision);
                _ofNode.Remove(node);
                Swap(revision);
            }
        }
    }

    /// <summary>Returns when <see cref="Current"/> is newer than a revision.</summary>
    public Task WaitForChangeAsync(long revision, CancellationToken cancel)
    {
        lock (_lock)
        {
            return _current.Revision > revision ? Task.CompletedTask : _changed.Task.WaitAsync(cancel);
        }
    }

    public void Dispose() => _tables.Dispose();

    private static PartitionMapStore Load(string path)
    {
        var tables = MapTables.Open(path);
        try
        {
            var ofNode = tables.Read(out var revision);
            return new(tables, ofNode, revision);
        }
        catch
        {
            tables.Dispose();
            throw;
        }
    }

    private void Swap(long revision)
    {
        _current = Merge(revision);
        var changed = _changed;
        _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        changed.SetResult();
    }

    private PartitionMap Merge(long revision) =>
        new(revision, [.. _ofNode.Values.SelectMany(m => m.Groups)], [.. _ofNode.Values.SelectMany(m => m.Entries)]);
}
