using Foretier.Core.Samples;
using Foretier.Core.Segments;

namespace Foretier.Core.Rollups;

/// <summary>
/// Encoded rollups of one series at one or several steps, the companion of a segment: exactly the samples of that segment, no others.
/// Layout in FORMAT.md, beside that of segments.
/// </summary>
public static class RollupBlock
{
    /// <summary>The version this program writes, and the newest that it reads.</summary>
    public const int Version = 3;

    private const byte Magic = 0xF8;

    // Magic, version, a count of tables and the checksum.
    private const int BytesMin = 3 + Checksum.Length;

    /// <summary>Rows that are packed together: bounds what a damaged header can ask for.</summary>
    private const int GroupRowsMax = 4096;

    /// <summary>A device has a dozen states; what has more is text.</summary>
    private const int StatesMax = 64;

    /// <summary>Fewer rows are no quicker to read than the segment and its statistics, and cost as much to write as many.</summary>
    private const int CompanionRowsMin = 8;

    /// <summary>Steps there are, finest first; what is coarser than the last is merged from it.</summary>
    private static readonly (long Step, RollupParts Parts, int SamplesPerRowMin, int Share)[] Companions =
    [
        // A minute of states or sketches is seldom smaller than its samples; an hour of them nearly always is.
        (Instant.Minute, RollupParts.Spread | RollupParts.Increase, 2, 2),
        (Instant.Minute, RollupParts.None, 2, 2),
        (5 * Instant.Minute, RollupParts.Spread | RollupParts.Increase, 4, 4),
        (Instant.Hour, RollupParts.All, 16, 8),
    ];

    /// <summary>
    /// The rollups worth keeping beside a segment: of each step only where they take no more than a half (1m), a quarter (5m; only where there
    /// is no 1m) or an eighth (1h) of its bytes. Empty where there are none.
    /// </summary>
    public static byte[] CompanionOf(SampleColumns samples, int segmentBytes)
    {
        using var tables = new ByteWriter(1024);
        var count = 0;
        foreach (var (step, wanted, samplesPerRowMin, share) in Companions)
        {
            // A minute without its spread, or five of them, are there for want of the minute whole.
            if (count > 0 && step < Instant.Hour)
            {
                continue;
            }
            var grid = new BucketGrid(TimeRange.Everything, step);
            var rowCount = BucketRows.CountOf(samples, grid);
            if (rowCount < CompanionRowsMin || (long)rowCount * samplesPerRowMin > samples.Count)
            {
                continue;
            }
            using var rows = new BucketRows(HasFewStates(samples) ? wanted : wanted & ~RollupParts.Durations);
            rows.Add(samples, grid);
            var start = tables.Length;
            Write(tables, new(step, rows));
            if ((long)(tables.Length - start + BytesMin) * share < segmentBytes)
            {
                count++;
            }
            else
            {
                tables.Truncate(start);
            }
        }
        return count == 0 ? [] : Frame(count, tables.Written);
    }

    /// <summary>True where times by state are worth keeping. Numbers count as states too, each as its own: then they would be as long as the samples.</summary>
    public static bool HasFewStates(SampleColumns samples)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var state in samples.States)
        {
            if (state is null || (seen.Add(state) && seen.Count > StatesMax))
            {
                return false;
            }
        }
        return seen.Count > 0;
    }

    /// <summary>Encodes rows of a step (µs). Every field comes back bit for bit.</summary>
    public static byte[] Encode(long step, BucketRows rows) => Encode([new(step, rows)]);

    /// <inheritdoc cref="Encode(long, BucketRows)"/>
    public static byte[] Encode(IReadOnlyList<RollupTable> tables)
    {
        using var content = new ByteWriter(1024);
        foreach (var table in tables)
        {
            Write(content, table);
        }
        return Frame(tables.Count, content.Written);
    }

    private static void Write(ByteWriter to, RollupTable table)
    {
        var (step, rows) = table;
        using var content = new ByteWriter(rows.Count * 16 + 32);
        for (var start = 0; start < rows.Count; start += GroupRowsMax)
        {
            RollupColumns.Write(content, rows.Rows.Slice(start, Math.Min(GroupRowsMax, rows.Count - start)), rows.Parts);
        }
        to.VarInt(step);
        to.Byte((int)rows.Parts);
        to.VarUInt((ulong)rows.Count);
        to.VarUInt((ulong)content.Length);
        to.Bytes(content.Written);
    }

    private static byte[] Frame(int count, ReadOnlySpan<byte> tables)
    {
        using var to = new ByteWriter(tables.Length + 16);
        to.Byte(Magic);
        to.Byte(Version);
        to.VarUInt((ulong)count);
        to.Bytes(tables);
        return Checksum.Seal(to);
    }

    /// <summary>The finest rollups of a block.</summary>
    /// <exception cref="SegmentFormatException">The bytes are not a rollup block, are damaged, or have an unknown version.</exception>
    public static BucketRows Decode(ReadOnlySpan<byte> bytes, out long step)
    {
        var table = Choose(bytes, (_, _) => true, coarsest: false) ?? throw new SegmentFormatException("a rollup block without rollups");
        step = table.Step;
        return table.Rows;
    }

    /// <summary>The coarsest rollups of a block that a question can use; null where it can use none.</summary>
    /// <inheritdoc cref="Decode"/>
    public static RollupTable? Coarsest(ReadOnlySpan<byte> bytes, Func<long, RollupParts, bool> isUseful) => Choose(bytes, isUseful, coarsest: true);

    private static RollupTable? Choose(ReadOnlySpan<byte> bytes, Func<long, RollupParts, bool> isUseful, bool coarsest)
    {
        var from = new ByteReader(Checksum.Open(bytes, Magic, Version, BytesMin, "rollup block"));
        (long Step, RollupParts Parts, int Count, int At, int Length) best = default;
        var content = from;
        for (var left = from.Count(64, "tables"); left > 0; left--)
        {
            var step = from.VarInt();
            var parts = (RollupParts)from.Byte();
            var count = from.Count(int.MaxValue, "rows");
            var length = from.Count(from.Left, "bytes");
            if ((parts & ~RollupParts.All) != 0)
            {
                throw new SegmentFormatException($"unknown parts 0x{(int)parts:x2} of rollups");
            }
            if (isUseful(step, parts) && (best.Step == 0 || (coarsest ? step > best.Step : step < best.Step)))
            {
                best = (step, parts, count, from.Position, length);
            }
            from.Bytes(length);
        }
        from.ExpectEnd("rollup block");
        if (best.Step == 0)
        {
            return null;
        }
        content.Bytes(best.At);
        return new(best.Step, ReadRows(content.Bytes(best.Length), best.Step, best.Parts, best.Count));
    }

    private static BucketRows ReadRows(ReadOnlySpan<byte> bytes, long step, RollupParts parts, int count)
    {
        var from = new ByteReader(bytes);
        var rows = new BucketRows(parts, Math.Min(count, GroupRowsMax));
        for (var left = count; left > 0; left -= GroupRowsMax)
        {
            RollupColumns.Read(ref from, Math.Min(GroupRowsMax, left), rows);
        }
        from.ExpectEnd("rollups");
        return rows;
    }
}
