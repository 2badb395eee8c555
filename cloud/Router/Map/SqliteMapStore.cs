using System.Text.Json;
using Foretier.Core.Partitions;
using Microsoft.Data.Sqlite;

namespace Foretier.Router.Map;

/// <summary>One router's own store: a SQLite file.</summary>
public sealed class SqliteMapStore : PartitionMapStore
{
    private readonly Lock _lock = new();
    private readonly MapTables _tables;
    private readonly SharedNames _shared = new();

    private SqliteMapStore(MapTables tables, Dictionary<string, PartitionMap> ofNode, long revision)
    {
        _tables = tables;
        Swap(PartitionMap.Empty.With(revision, ofNode.Select(own => KeyValuePair.Create(own.Key, (PartitionMap?)own.Value))));
    }

    /// <summary>A failure of the disk is told to the one who puts; what is in memory serves on.</summary>
    public override string? Problem => null;

    /// <summary>
    /// Opens or creates the file. One that is damaged or of an unknown format is moved aside to <c>….damaged</c>, named in the log, and begun
    /// anew: every node then sends its whole map again.
    /// </summary>
    public static SqliteMapStore Open(string path, ILogger<SqliteMapStore> log)
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

    public override Task<bool> RemoveAsync(string edge, CancellationToken cancel)
    {
        lock (_lock)
        {
            if (!Current.Edges.Contains(edge))
            {
                return Task.FromResult(false);
            }
            var revision = Current.Revision + 1;
            Write(() => _tables.Remove(edge, revision));
            Swap(Current.With(revision, edge, null));
            return Task.FromResult(true);
        }
    }

    public override ValueTask DisposeAsync()
    {
        _tables.Dispose();
        return ValueTask.CompletedTask;
    }

    protected override Task<MapPut> StoreAsync(string edge, PartitionMapUpdate update, CancellationToken cancel)
    {
        lock (_lock)
        {
            var older = Current.Of(edge);
            if (update.Revision == older.Revision)
            {
                return Task.FromResult(MapPut.Known);
            }
            if (!update.Reset && update.Since != older.Revision)
            {
                return Task.FromResult(MapPut.NeedWhole);
            }
            update = update with { Entries = [.. update.Entries.Select(_shared.In)], Groups = [.. update.Groups.Select(_shared.In)] };
            var newer = update.ApplyTo(older);
            var revision = Current.Revision + 1;
            Write(() => _tables.Write(edge, older, newer, update, revision));
            Swap(Current.With(revision, edge, newer));
            return Task.FromResult(MapPut.Stored);
        }
    }

    private static void Write(Action write)
    {
        try
        {
            write();
        }
        catch (SqliteException error)
        {
            throw new IOException($"the map file cannot be written: {error.Message}", error);
        }
    }

    private static SqliteMapStore Load(string path)
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
}
