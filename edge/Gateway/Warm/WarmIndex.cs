using System.Collections.Immutable;
using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Microsoft.Data.Sqlite;

namespace Foretier.Gateway.Warm;

/// <summary>A stored segment: where its bytes are, and what they cover. First and Last are inclusive.</summary>
internal readonly record struct SegmentRow(
    long File, long First, long Last, long Version, int Count, long Offset, int Length, long RollupOffset, int RollupLength);

/// <summary>A deletion: samples of the series in the range that flushes before the version wrote have ended.</summary>
internal readonly record struct TombstoneRow(long Series, long Version, TimeRange Range)
{
    public Layer ToLayer() => Layer.Tombstone(Version, Range);
}

/// <summary>A move to the archive that has begun: flushes (After, Through] of a window, whose files are sealed.</summary>
internal sealed record PackIntent(string Edge, Window Window, long After, long Through);

/// <summary>
/// The gateway's catalog on disk (SQLite, WAL, synchronous FULL): what the data files hold, what has been archived, what has been counted.
/// Everything of a batch, or of a move, is one transaction. It can be made again from the data files and the archive's manifests;
/// only the counts of what was rejected are then lost.
/// </summary>
internal sealed partial class WarmIndex : IDisposable
{
    private const int Format = 2;

    private const string Schema = """
        CREATE TABLE IF NOT EXISTS files (id INTEGER PRIMARY KEY, edge TEXT NOT NULL, start INTEGER NOT NULL, span INTEGER NOT NULL,
            after INTEGER NOT NULL, through INTEGER NOT NULL, bytes INTEGER NOT NULL, sealed INTEGER NOT NULL,
            extent_from INTEGER NOT NULL, extent_to INTEGER NOT NULL, count INTEGER NOT NULL, UNIQUE (edge, start, span, after));
        CREATE TABLE IF NOT EXISTS batches (file INTEGER NOT NULL, after INTEGER NOT NULL, through INTEGER NOT NULL, digest TEXT NOT NULL,
            offset INTEGER NOT NULL, length INTEGER NOT NULL, PRIMARY KEY (file, after)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS series (id INTEGER PRIMARY KEY, edge TEXT NOT NULL, name TEXT NOT NULL, unit TEXT, kind TEXT NOT NULL,
            UNIQUE (edge, name));
        CREATE TABLE IF NOT EXISTS segments (file INTEGER NOT NULL, series INTEGER NOT NULL, first INTEGER NOT NULL, offset INTEGER NOT NULL,
            last INTEGER NOT NULL, version INTEGER NOT NULL, count INTEGER NOT NULL, length INTEGER NOT NULL,
            rollup_offset INTEGER NOT NULL, rollup_length INTEGER NOT NULL, PRIMARY KEY (file, series, first, offset)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS tombstones (file INTEGER NOT NULL, series INTEGER NOT NULL, version INTEGER NOT NULL,
            since INTEGER NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (file, series, version, since, until)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS deleted (file INTEGER PRIMARY KEY, count INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS archived (edge TEXT NOT NULL, start INTEGER NOT NULL, span INTEGER NOT NULL, node TEXT NOT NULL,
            after INTEGER NOT NULL, through INTEGER NOT NULL, extent_from INTEGER NOT NULL, extent_to INTEGER NOT NULL,
            count INTEGER NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (edge, start, span, node, after)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS packing (edge TEXT NOT NULL, start INTEGER NOT NULL, span INTEGER NOT NULL,
            after INTEGER NOT NULL, through INTEGER NOT NULL, PRIMARY KEY (edge, start, span)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
        """;

    private readonly string _path;

    private WarmIndex(string path, Statements writer)
    {
        _path = path;
        Writer = writer;
    }

    /// <summary>The one connection that writes; its user holds the store's lock.</summary>
    public Statements Writer { get; }

    /// <exception cref="SqliteException">The file is damaged (<see cref="IsDamage"/>), or cannot be opened.</exception>
    /// <exception cref="InvalidDataException">A newer program wrote it.</exception>
    public static WarmIndex Open(string path)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString());
        var writer = new Statements(connection);
        try
        {
            connection.Open();
            writer.Query("PRAGMA journal_mode = WAL", _ => 0);
            writer.Run("PRAGMA synchronous = FULL");
            var format = writer.Number("PRAGMA user_version");
            if (format > Format)
            {
                throw new InvalidDataException($"{path} has format {format}; this program knows formats up to {Format}. Start the newer one.");
            }
            writer.Transact(() =>
            {
                using var schema = connection.CreateCommand();
                schema.CommandText = Schema + CopySchema + $"PRAGMA user_version = {Format};";
                schema.ExecuteNonQuery();
            });
            return new(path, writer);
        }
        catch
        {
            writer.Dispose();
            throw;
        }
    }

    /// <summary>SQLITE_CORRUPT or SQLITE_NOTADB: what is in the file is of no use.</summary>
    public static bool IsDamage(SqliteException error) => error.SqliteErrorCode is 11 or 26;

    /// <summary>A connection for reading beside the writer; pooled, so cheap to take and give back.</summary>
    public Statements OpenReader()
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = _path, Mode = SqliteOpenMode.ReadOnly }.ToString());
        connection.Open();
        return new(connection);
    }

    public Dictionary<(string Edge, Window Window), WarmWindow> ReadWindows()
    {
        var windows = new Dictionary<(string, Window), WarmWindow>();
        foreach (var holding in ReadArchived())
        {
            var window = windows.GetValueOrDefault((holding.Edge, holding.Window)) ?? WarmWindow.Empty(holding.Edge, holding.Window);
            windows[(holding.Edge, holding.Window)] = window with { ArchivedThrough = Math.Max(window.ArchivedThrough, holding.Through) };
        }
        var files = Writer.Query(
            "SELECT edge, start, span, id, after, through, bytes, sealed, extent_from, extent_to, count FROM files ORDER BY edge, start, span, after",
            r => (Edge: r.GetString(0), Window: new Window(r.GetInt64(1), r.GetInt64(2)), File: new WarmFile(r.GetInt64(3), r.GetInt64(4), r.GetInt64(5),
                r.GetInt64(6), r.GetInt64(7) != 0, new(r.GetInt64(8), r.GetInt64(9)), r.GetInt64(10))));
        foreach (var of in files.GroupBy(f => (f.Edge, f.Window)))
        {
            var window = windows.GetValueOrDefault(of.Key) ?? WarmWindow.Empty(of.Key.Edge, of.Key.Window);
            windows[of.Key] = window with { Files = [.. of.Select(f => f.File)] };
        }
        return windows;
    }

    public List<Holding> ReadArchived() => Writer.Query(
        "SELECT edge, start, span, node, after, through, extent_from, extent_to, count, bytes FROM archived",
        r => new Holding(r.GetString(0), new(r.GetInt64(1), r.GetInt64(2)), r.GetString(3), Tier.Archive, r.GetInt64(4), r.GetInt64(5),
            new(r.GetInt64(6), r.GetInt64(7)), r.GetInt64(8), r.GetInt64(9)));

    public List<(long Id, SeriesInfo Info)> ReadSeries() => Writer.Query("SELECT id, edge, name, unit, kind FROM series",
        r => (r.GetInt64(0), new SeriesInfo(r.GetString(2), r.GetString(1), r.IsDBNull(3) ? null : r.GetString(3), r.GetString(4))));

    public List<PackIntent> ReadIntents() => Writer.Query("SELECT edge, start, span, after, through FROM packing ORDER BY start, edge",
        r => new PackIntent(r.GetString(0), new(r.GetInt64(1), r.GetInt64(2)), r.GetInt64(3), r.GetInt64(4)));

    /// <summary>Writes a file's row, new or grown, and returns it with its id.</summary>
    public WarmFile Write(string edge, Window window, WarmFile file)
    {
        var id = Writer.Number("""
            INSERT INTO files (edge, start, span, after, through, bytes, sealed, extent_from, extent_to, count)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
            ON CONFLICT (edge, start, span, after) DO UPDATE SET through = excluded.through, bytes = excluded.bytes, sealed = excluded.sealed,
                extent_from = excluded.extent_from, extent_to = excluded.extent_to, count = excluded.count
            RETURNING id
            """, edge, window.Start, window.Length, file.After, file.Through, file.Bytes, file.Sealed ? 1L : 0L,
            file.Extent.From, file.Extent.To, file.Count);
        return file with { Id = id!.Value };
    }

    public long WriteSeries(SeriesInfo series) => Writer.Number("""
        INSERT INTO series (edge, name, unit, kind) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (edge, name) DO UPDATE SET unit = excluded.unit, kind = excluded.kind RETURNING id
        """, series.Edge, series.Name, series.Unit, series.Kind)!.Value;

    public void Write(long series, SegmentRow row) => Writer.Run("""
        INSERT INTO segments (file, series, first, offset, last, version, count, length, rollup_offset, rollup_length)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
        """, row.File, series, row.First, row.Offset, row.Last, row.Version, (long)row.Count, (long)row.Length, row.RollupOffset, (long)row.RollupLength);

    public void Write(Holding archived) => Writer.Run("""
        INSERT OR REPLACE INTO archived (edge, start, span, node, after, through, extent_from, extent_to, count, bytes)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
        """, archived.Edge, archived.Window.Start, archived.Window.Length, archived.Node, archived.After, archived.Through,
        archived.Extent.From, archived.Extent.To, archived.Count, archived.Bytes);

    public void ForgetArchived(Holding archived) => Writer.Run("DELETE FROM archived WHERE edge = ?1 AND start = ?2 AND span = ?3 AND node = ?4 AND after = ?5",
        archived.Edge, archived.Window.Start, archived.Window.Length, archived.Node, archived.After);

    public void WriteBatch(long file, long after, long through, string digest, long offset, long length) => Writer.Run(
        "INSERT INTO batches (file, after, through, digest, offset, length) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        file, after, through, digest, offset, length);

    /// <summary>The digest of a batch that is still here, by its exact range.</summary>
    public string? ReadDigest(long file, long after, long through) => Writer.Query(
        "SELECT digest FROM batches WHERE file = ?1 AND after = ?2 AND through = ?3", r => r.GetString(0), file, after, through).FirstOrDefault();

    public void Forget(WarmFile file)
    {
        Writer.Run("DELETE FROM segments WHERE file = ?1", file.Id);
        Writer.Run("DELETE FROM tombstones WHERE file = ?1", file.Id);
        Writer.Run("DELETE FROM deleted WHERE file = ?1", file.Id);
        Writer.Run("DELETE FROM batches WHERE file = ?1", file.Id);
        Writer.Run("DELETE FROM files WHERE id = ?1", file.Id);
    }

    public void Write(PackIntent intent) => Writer.Run("INSERT OR REPLACE INTO packing (edge, start, span, after, through) VALUES (?1, ?2, ?3, ?4, ?5)",
        intent.Edge, intent.Window.Start, intent.Window.Length, intent.After, intent.Through);

    public void Forget(PackIntent intent) => Writer.Run("DELETE FROM packing WHERE edge = ?1 AND start = ?2 AND span = ?3",
        intent.Edge, intent.Window.Start, intent.Window.Length);

    public void Count(string counter, long samples)
    {
        if (samples != 0)
        {
            Writer.Run("INSERT INTO counters (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value", counter, samples);
        }
    }

    public Dictionary<string, long> ReadCounters() =>
        Writer.Query("SELECT name, value FROM counters", r => (r.GetString(0), r.GetInt64(1))).ToDictionary();

    /// <param name="file">Below 0 for a copy.</param>
    public static bool HasFile(Statements reader, long file) => file < 0
        ? reader.Number("SELECT 1 FROM copies WHERE id = ?1", -file) is not null
        : reader.Number("SELECT 1 FROM files WHERE id = ?1", file) is not null;

    /// <summary>Segments of a series in a file that meet [first, last], both inclusive, and are of a flush after <paramref name="after"/>.</summary>
    public static List<SegmentRow> ReadSegments(Statements reader, long file, long series, long first, long last, long after) => reader.Query("""
        SELECT first, last, version, count, offset, length, rollup_offset, rollup_length FROM segments
        WHERE file = ?1 AND series = ?2 AND first <= ?4 AND last >= ?3 AND version > ?5
        """, r => new SegmentRow(file, r.GetInt64(0), r.GetInt64(1), r.GetInt64(2), r.GetInt32(3), r.GetInt64(4), r.GetInt32(5), r.GetInt64(6), r.GetInt32(7)),
        file, series, first, last, after);

    /// <summary>All segments of a file by the id of their series.</summary>
    public static List<(long Series, SegmentRow Row)> ReadSegments(Statements reader, long file) => reader.Query("""
        SELECT first, last, version, count, offset, length, rollup_offset, rollup_length, series FROM segments WHERE file = ?1
        """, r => (r.GetInt64(8), new SegmentRow(file, r.GetInt64(0), r.GetInt64(1), r.GetInt64(2), r.GetInt32(3), r.GetInt64(4), r.GetInt32(5),
            r.GetInt64(6), r.GetInt32(7))), file);

    public void Write(long file, long series, long version, TimeRange range) => Writer.Run(
        "INSERT OR IGNORE INTO tombstones (file, series, version, since, until) VALUES (?1, ?2, ?3, ?4, ?5)", file, series, version, range.From, range.To);

    /// <summary>Deletions that came in a file, and after which flush.</summary>
    public static List<TombstoneRow> ReadTombstones(Statements reader, long file) => reader.Query(
        "SELECT series, version, since, until FROM tombstones WHERE file = ?1",
        r => new TombstoneRow(r.GetInt64(0), r.GetInt64(1), new(r.GetInt64(2), r.GetInt64(3))), file);

    /// <summary>Adds to what the deletions in a file ended of the window.</summary>
    public void CountDeleted(long file, long samples)
    {
        if (samples != 0)
        {
            Writer.Run("INSERT INTO deleted (file, count) VALUES (?1, ?2) ON CONFLICT (file) DO UPDATE SET count = count + excluded.count", file, samples);
        }
    }

    public long ReadDeleted(long file) => Writer.Number("SELECT count FROM deleted WHERE file = ?1", file) ?? 0;

    public void Dispose()
    {
        Writer.Dispose();
        using var pooled = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = _path, Mode = SqliteOpenMode.ReadOnly }.ToString());
        SqliteConnection.ClearPool(pooled);
    }
}
