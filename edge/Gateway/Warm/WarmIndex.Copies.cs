using Foretier.Core.Partitions;

namespace Foretier.Gateway.Warm;

/// <content>Copies that were made ahead of reads, and what became of them. Their segments stand under the negative of their id.</content>
internal sealed partial class WarmIndex
{
    private const string CopySchema = """
        CREATE TABLE IF NOT EXISTS copies (id INTEGER PRIMARY KEY AUTOINCREMENT, edge TEXT NOT NULL, start INTEGER NOT NULL, span INTEGER NOT NULL,
            after INTEGER NOT NULL, through INTEGER NOT NULL, source INTEGER NOT NULL, resolution INTEGER NOT NULL, bytes INTEGER NOT NULL, moved INTEGER NOT NULL,
            extent_from INTEGER NOT NULL, extent_to INTEGER NOT NULL, count INTEGER NOT NULL, made_at INTEGER NOT NULL, reads INTEGER NOT NULL,
            UNIQUE (edge, start, span, after, source));
        CREATE TABLE IF NOT EXISTS moves (day INTEGER NOT NULL, what TEXT NOT NULL, made INTEGER NOT NULL, moved INTEGER NOT NULL, bytes INTEGER NOT NULL,
            used INTEGER NOT NULL, used_bytes INTEGER NOT NULL, wasted INTEGER NOT NULL, wasted_bytes INTEGER NOT NULL, reads INTEGER NOT NULL,
            PRIMARY KEY (day, what)) WITHOUT ROWID;
        """;

    public List<WarmCopy> ReadCopies() => Writer.Query("""
        SELECT id, edge, start, span, after, through, source, resolution, bytes, moved, extent_from, extent_to, count, made_at, reads FROM copies
        """, r => new WarmCopy(r.GetInt64(0), r.GetString(1), new Window(r.GetInt64(2), r.GetInt64(3)),
            new(-r.GetInt64(0), r.GetInt64(4), r.GetInt64(5), r.GetInt64(8), Sealed: true, new(r.GetInt64(10), r.GetInt64(11)), r.GetInt64(12)),
            (CopyOf)r.GetInt64(6), r.GetInt64(7), r.GetInt64(9), r.GetInt64(13)).WithReads(r.GetInt64(14)));

    /// <summary>Writes a copy's row and returns it with its id.</summary>
    public WarmCopy Write(WarmCopy copy)
    {
        var id = Writer.Number("""
            INSERT INTO copies (edge, start, span, after, through, source, resolution, bytes, moved, extent_from, extent_to, count, made_at, reads)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 0) RETURNING id
            """, copy.Edge, copy.Window.Start, copy.Window.Length, copy.File.After, copy.File.Through, (long)copy.Source, copy.Resolution, copy.Bytes, copy.Moved,
            copy.File.Extent.From, copy.File.Extent.To, copy.File.Count, copy.MadeAt)!.Value;
        return copy with { Id = id, File = copy.File with { Id = -id } };
    }

    public void Forget(WarmCopy copy)
    {
        Writer.Run("DELETE FROM segments WHERE file = ?1", -copy.Id);
        Writer.Run("DELETE FROM tombstones WHERE file = ?1", -copy.Id);
        Writer.Run("DELETE FROM copies WHERE id = ?1", copy.Id);
    }

    public void WriteReads(WarmCopy copy, long reads) => Writer.Run("UPDATE copies SET reads = ?2 WHERE id = ?1", copy.Id, reads);

    /// <summary>Adds to a day's account.</summary>
    public void Count(long day, string what, MoveCounts counts) => Writer.Run("""
        INSERT INTO moves (day, what, made, moved, bytes, used, used_bytes, wasted, wasted_bytes, reads) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
        ON CONFLICT (day, what) DO UPDATE SET made = made + excluded.made, moved = moved + excluded.moved, bytes = bytes + excluded.bytes,
            used = used + excluded.used, used_bytes = used_bytes + excluded.used_bytes, wasted = wasted + excluded.wasted,
            wasted_bytes = wasted_bytes + excluded.wasted_bytes, reads = reads + excluded.reads
        """, day, what, counts.Made, counts.Moved, counts.Bytes, counts.Used, counts.UsedBytes, counts.Wasted, counts.WastedBytes, counts.Reads);

    /// <summary>The account from a day on, by what was moved.</summary>
    public Dictionary<string, MoveCounts> ReadMoves(long sinceDay) => Writer.Query("""
        SELECT what, SUM(made), SUM(moved), SUM(bytes), SUM(used), SUM(used_bytes), SUM(wasted), SUM(wasted_bytes), SUM(reads) FROM moves WHERE day >= ?1 GROUP BY what
        """, r => (r.GetString(0), new MoveCounts(r.GetInt64(1), r.GetInt64(2), r.GetInt64(3), r.GetInt64(4), r.GetInt64(5), r.GetInt64(6), r.GetInt64(7), r.GetInt64(8))),
        sinceDay).ToDictionary();
}

/// <summary>
/// The conservation account of what was made ahead: made = used + wasted + waiting, and so do their bytes.
/// </summary>
/// <param name="Made">Copies.</param>
/// <param name="Moved">Bytes read to make them.</param>
/// <param name="Bytes">Bytes they took.</param>
/// <param name="Used">Copies that answered at least one question.</param>
/// <param name="Wasted">Copies dropped before they answered any.</param>
/// <param name="Reads">Questions they answered a part of.</param>
internal readonly record struct MoveCounts(long Made, long Moved, long Bytes, long Used, long UsedBytes, long Wasted, long WastedBytes, long Reads);
