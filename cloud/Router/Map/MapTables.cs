using System.Text.Json;
using Foretier.Core.Partitions;
using Foretier.Node.Hosting;
using Microsoft.Data.Sqlite;

namespace Foretier.Router.Map;

/// <summary>The tables of the map store; one connection, used under the store's lock.</summary>
internal sealed class MapTables : IDisposable
{
    private const int FormatVersion = 1;

    private const string Schema = """
        CREATE TABLE IF NOT EXISTS store (id INTEGER PRIMARY KEY CHECK (id = 0), revision INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS node (node TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS members (
            node TEXT NOT NULL, account TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, document TEXT NOT NULL,
            PRIMARY KEY (node, account, name, version)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS entry (
            node TEXT NOT NULL, partition TEXT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (node, partition)) WITHOUT ROWID;
        INSERT OR IGNORE INTO store VALUES (0, 0);
        """;

    private readonly SqliteConnection _connection;

    private MapTables(SqliteConnection connection) => _connection = connection;

    /// <exception cref="InvalidDataException">The file is damaged or of a format this program does not know.</exception>
    public static MapTables Open(string path)
    {
        // Without pooling the file is let go when the store is disposed of.
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString());
        var tables = new MapTables(connection);
        try
        {
            connection.Open();
            tables.Run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
            if (tables.Scalar("PRAGMA quick_check(1)") is var check and not "ok")
            {
                throw new InvalidDataException($"SQLite's check says: {check}");
            }
            if (tables.Scalar("PRAGMA user_version") is long version and not (0 or FormatVersion))
            {
                throw new InvalidDataException($"it has format version {version}; this program reads up to {FormatVersion}");
            }
            tables.Run(Schema);
            tables.Run($"PRAGMA user_version = {FormatVersion}");
            return tables;
        }
        catch
        {
            tables.Dispose();
            throw;
        }
    }

    /// <summary>The map of each node.</summary>
    public Dictionary<string, PartitionMap> Read(out long revision)
    {
        revision = (long)Scalar("SELECT revision FROM store")!;
        var shared = new SharedNames();
        var maps = new Dictionary<string, PartitionMap>(StringComparer.Ordinal);
        using var command = Command("SELECT node, revision FROM node");
        using var rows = command.ExecuteReader();
        while (rows.Read())
        {
            // One at a time: the names of all edges would be more than a router has room for before they are packed.
            var node = rows.GetString(0);
            shared.Begin(node);
            var whole = new PartitionMapUpdate(0, rows.GetInt64(1), Reset: true, Documents<GroupMembers>("SELECT document FROM members WHERE node = $node", node, shared).ConvertAll(shared.In),
                Documents<PartitionEntry>("SELECT document FROM entry WHERE node = $node", node, shared).ConvertAll(shared.In), []);
            maps[node] = MemberNames.Apply(whole, PartitionMap.Empty);
        }
        return maps;
    }

    /// <summary>Writes what an update changed, and nothing else; in one transaction.</summary>
    public void Write(string node, PartitionMap older, PartitionMap newer, PartitionMapUpdate update, long revision)
    {
        using var transaction = _connection.BeginTransaction();
        if (update.Reset)
        {
            Clear(node);
        }
        foreach (var removed in update.Removed)
        {
            Run("DELETE FROM entry WHERE node = $node AND partition = $partition", ("$node", node), ("$partition", removed.ToString()));
        }
        foreach (var entry in update.Entries)
        {
            Run("INSERT OR REPLACE INTO entry VALUES ($node, $partition, $document)",
                ("$node", node), ("$partition", entry.Id.ToString()), ("$document", JsonSerializer.Serialize(entry, NodeJson.Options)));
        }
        var kept = newer.Groups.Select(g => (g.Account, g.Group, g.Version)).ToHashSet();
        foreach (var gone in update.Reset ? [] : older.Groups.Where(g => !kept.Contains((g.Account, g.Group, g.Version))))
        {
            Run("DELETE FROM members WHERE node = $node AND account = $account AND name = $name AND version = $version",
                ("$node", node), ("$account", gone.Account), ("$name", gone.Group), ("$version", gone.Version));
        }
        foreach (var group in update.Groups.Where(g => kept.Contains((g.Account, g.Group, g.Version))))
        {
            Run("INSERT OR REPLACE INTO members VALUES ($node, $account, $name, $version, $document)",
                ("$node", node), ("$account", group.Account), ("$name", group.Group), ("$version", group.Version),
                ("$document", JsonSerializer.Serialize(group, NodeJson.Options)));
        }
        Run("INSERT OR REPLACE INTO node VALUES ($node, $revision)", ("$node", node), ("$revision", newer.Revision));
        Run("UPDATE store SET revision = $revision", ("$revision", revision));
        transaction.Commit();
    }

    public void Remove(string node, long revision)
    {
        using var transaction = _connection.BeginTransaction();
        Clear(node);
        Run("DELETE FROM node WHERE node = $node", ("$node", node));
        Run("UPDATE store SET revision = $revision", ("$revision", revision));
        transaction.Commit();
    }

    public void Dispose() => _connection.Dispose();

    private void Clear(string node)
    {
        Run("DELETE FROM entry WHERE node = $node", ("$node", node));
        Run("DELETE FROM members WHERE node = $node", ("$node", node));
    }

    private List<T> Documents<T>(string sql, string node, SharedNames shared)
    {
        using var command = Command(sql, ("$node", node));
        using var rows = command.ExecuteReader();
        List<T> documents = [];
        while (rows.Read())
        {
            documents.Add(JsonSerializer.Deserialize<T>(rows.GetString(0), shared.Options) ?? throw new JsonException("a document is null"));
        }
        return documents;
    }

    private void Run(string sql, params ReadOnlySpan<(string Name, object Value)> parameters)
    {
        using var command = Command(sql, parameters);
        command.ExecuteNonQuery();
    }

    private object? Scalar(string sql)
    {
        using var command = Command(sql);
        return command.ExecuteScalar();
    }

    private SqliteCommand Command(string sql, params ReadOnlySpan<(string Name, object Value)> parameters)
    {
        var command = _connection.CreateCommand();
        // The statements are the constants of this class; what comes from outside is a parameter.
        command.CommandText = sql;
        foreach (var (name, value) in parameters)
        {
            command.Parameters.AddWithValue(name, value);
        }
        return command;
    }
}
