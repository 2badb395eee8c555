using Microsoft.Data.Sqlite;

namespace Foretier.Gateway.Warm;

/// <summary>One SQLite connection and its prepared statements; parameters are ?1, ?2, … One user at a time.</summary>
internal sealed class Statements(SqliteConnection connection) : IDisposable
{
    private readonly Dictionary<string, SqliteCommand> _prepared = [];

    public int Run(string sql, params ReadOnlySpan<object?> values) => Bind(sql, values).ExecuteNonQuery();

    public List<T> Query<T>(string sql, Func<SqliteDataReader, T> read, params ReadOnlySpan<object?> values)
    {
        using var reader = Bind(sql, values).ExecuteReader();
        var rows = new List<T>();
        while (reader.Read())
        {
            rows.Add(read(reader));
        }
        return rows;
    }

    /// <summary>The first column of the first row as a number; null where there is no row or no value.</summary>
    public long? Number(string sql, params ReadOnlySpan<object?> values) => Bind(sql, values).ExecuteScalar() is long number ? number : null;

    /// <summary>Everything the action writes, or nothing; on disk when this returns.</summary>
    public void Transact(Action action)
    {
        Run("BEGIN IMMEDIATE");
        try
        {
            action();
            Run("COMMIT");
        }
        catch
        {
            try
            {
                Run("ROLLBACK");
            }
            catch (SqliteException)
            {
                // SQLite has already rolled back (disk full, I/O error); what happened first is what matters.
            }
            throw;
        }
    }

    public void Dispose()
    {
        foreach (var command in _prepared.Values)
        {
            command.Dispose();
        }
        connection.Dispose();
    }

    private SqliteCommand Bind(string sql, ReadOnlySpan<object?> values)
    {
        if (!_prepared.TryGetValue(sql, out var command))
        {
            command = connection.CreateCommand();
#pragma warning disable CA2100 // The text is always a constant of ours; values are parameters.
            command.CommandText = sql;
#pragma warning restore CA2100
            for (var i = 1; i <= values.Length; i++)
            {
                command.Parameters.Add(new SqliteParameter { ParameterName = $"?{i}" });
            }
            _prepared[sql] = command;
        }
        for (var i = 0; i < values.Length; i++)
        {
            command.Parameters[i].Value = values[i] ?? DBNull.Value;
        }
        return command;
    }
}
