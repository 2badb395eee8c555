using System.Text.Json;
using Foretier.Core.Partitions;
using Foretier.Node.Map;
using Microsoft.Data.Sqlite;

namespace Foretier.Router.Map;

/// <summary>One router's own store: a SQLite file.</summary>
public sealed class SqliteMapStore : MemoryMapStore
{
    private readonly MapTables _tables;
    private readonly SharedNames _shared = new();

    private SqliteMapStore(MapTables tables, Dictionary<string, PartitionMap> ofNode, long revision)
    {
        _tables = tables;
        Swap(PartitionMap.Empty.With(revision, ofNode.Select(own => KeyValuePair.Create(own.Key, (PartitionMap?)own.Value))));
    }

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

    public override ValueTask DisposeAsync()
    {
        _tables.Dispose();
        return base.DisposeAsync();
    }

    protected override PartitionMap Write(string edge, PartitionMap older, PartitionMapUpdate update, long revision)
    {
        update = update with { Entries = [.. update.Entries.Select(_shared.In)], Groups = [.. update.Groups.Select(_shared.In)] };
        var newer = MemberNames.Apply(update, older);
        Write(() => _tables.Write(edge, older, newer, update, revision));
        return newer;
    }

    protected override void WriteRemoval(string edge, long revision) => Write(() => _tables.Remove(edge, revision));

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
