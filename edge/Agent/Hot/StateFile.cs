using System.Buffers;
using System.Buffers.Binary;
using Foretier.Core.Partitions;
using Foretier.Core.Segments;

namespace Foretier.Agent.Hot;

/// <summary>
/// The store's own facts as of a journal position: series, counters, and per window what was shipped and given up. With the journal records
/// after that position and the window files it makes the whole state.
/// </summary>
internal sealed record StoreFacts
{
    /// <summary>Counters include all journal records up to this one.</summary>
    public long Position { get; init; }
    public long Sequence { get; init; }

    /// <summary>The journal may have lost records up to this one: they are in window files.</summary>
    public long Released { get; init; }
    public long Accepted { get; init; }

    /// <summary>Accepted samples that no file and no journal record has any more, and that no window can be charged with.</summary>
    public long Lost { get; init; }
    public IReadOnlyDictionary<string, long> Rejected { get; init; } = new Dictionary<string, long>();
    public IReadOnlyList<SeriesEntry> Series { get; init; } = [];
    public IReadOnlyList<WindowFacts> Windows { get; init; } = [];

    /// <summary>The clock then, µs; 0 where an older version wrote this.</summary>
    public long Time { get; init; }

    /// <summary>What was written to the device, as <see cref="FlashMeter"/> writes it down.</summary>
    public ReadOnlyMemory<byte> Flash { get; init; }
}

internal readonly record struct WindowFacts(Window Window, int Generation, DroppedPart Dropped, long SentThrough, long ShippedThrough, long ShippedUnique,
    Removal Removal, long Removed);

/// <summary>
/// Keeps <see cref="StoreFacts"/> in two equal files, each replaced whole: "FHS3" · crc32c u32 of the rest · the fields as varints.
/// </summary>
internal static class StateFile
{
    private const uint Magic = 0x33534846, MagicBefore = 0x32534846;
    private static readonly string[] Copies = ["store.a", "store.b"];

    public static void Write(IDisk disk, StoreFacts facts)
    {
        var body = Encode(facts);
        var bytes = new byte[8 + body.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4), Crc32C.Compute(body));
        body.CopyTo(bytes.AsSpan(8));
        foreach (var name in Copies)
        {
            var temporary = name + ".new";
            if (disk.Exists(temporary))
            {
                disk.Delete(temporary);
            }
            using (var file = disk.Create(temporary))
            {
                file.Write(bytes, 0);
                file.Sync();
            }
            disk.Rename(temporary, name);
            disk.SyncFolder("");
        }
    }

    /// <summary>The later of the copies that are whole; null where the store is new.</summary>
    /// <param name="disk">Where they are.</param>
    /// <param name="damaged">The copies that are not whole.</param>
    /// <exception cref="InvalidDataException">Both are damaged.</exception>
    public static StoreFacts? Read(IDisk disk, out IReadOnlyList<string> damaged)
    {
        var bad = new List<string>();
        damaged = bad;
        StoreFacts? latest = null;
        var exist = false;
        foreach (var name in Copies.Where(disk.Exists))
        {
            exist = true;
            if (TryRead(disk, name) is not { } facts)
            {
                bad.Add(name);
            }
            else if (latest is null || facts.Position > latest.Position)
            {
                latest = facts;
            }
        }
        return latest is not null || !exist ? latest
            : throw new InvalidDataException($"{string.Join(" and ", Copies)} of the hot store are damaged: restore one of them from a backup");
    }

    private static StoreFacts? TryRead(IDisk disk, string name)
    {
        using var file = disk.Open(name);
        var bytes = new byte[file.Length];
        return file.Read(bytes, 0) == bytes.Length && bytes.Length > 8 && BinaryPrimitives.ReadUInt32LittleEndian(bytes) is Magic or MagicBefore
            && BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(4)) == Crc32C.Compute(bytes.AsSpan(8))
            ? Decode(bytes.AsSpan(8), hasErased: BinaryPrimitives.ReadUInt32LittleEndian(bytes) == Magic) : null;
    }

    private static ReadOnlySpan<byte> Encode(StoreFacts facts)
    {
        var into = new ArrayBufferWriter<byte>();
        foreach (var number in (ReadOnlySpan<long>)[facts.Position, facts.Sequence, facts.Released, facts.Accepted, facts.Lost, facts.Rejected.Count])
        {
            RecordWriter.WriteSigned(into, number);
        }
        foreach (var (reason, count) in facts.Rejected.OrderBy(r => r.Key, StringComparer.Ordinal))
        {
            RecordWriter.WriteText(into, reason);
            RecordWriter.WriteSigned(into, count);
        }
        RecordWriter.WriteSigned(into, facts.Series.Count);
        foreach (var series in facts.Series)
        {
            RecordWriter.WriteSigned(into, series.Id);
            RecordWriter.WriteText(into, series.Name);
            RecordWriter.WriteText(into, series.Unit ?? "");
            RecordWriter.WriteText(into, series.Kind);
        }
        RecordWriter.WriteSigned(into, facts.Windows.Count);
        foreach (var window in facts.Windows)
        {
            foreach (var number in (ReadOnlySpan<long>)[window.Window.Start, window.Window.Length, window.Generation, window.Dropped.Through,
                window.Dropped.Position, window.Dropped.Unique, window.Dropped.Superseded, window.Dropped.Lost, window.SentThrough, window.ShippedThrough,
                window.ShippedUnique, (long)window.Removal, window.Removed, window.Dropped.Erased])
            {
                RecordWriter.WriteSigned(into, number);
            }
        }
        RecordWriter.WriteSigned(into, facts.Time);
        RecordWriter.WriteSigned(into, facts.Flash.Length);
        into.Write(facts.Flash.Span);
        return into.WrittenSpan;
    }

    private static StoreFacts Decode(ReadOnlySpan<byte> bytes, bool hasErased)
    {
        var from = new RecordReader(bytes);
        long position = from.Signed(), sequence = from.Signed(), released = from.Signed(), accepted = from.Signed(), lost = from.Signed();
        var rejected = new Dictionary<string, long>(StringComparer.Ordinal);
        for (var left = from.Signed(); left > 0; left--)
        {
            var reason = from.Text();
            rejected[reason] = from.Signed();
        }
        var series = new List<SeriesEntry>();
        for (var left = from.Signed(); left > 0; left--)
        {
            var (id, name, unit, kind) = ((int)from.Signed(), from.Text(), from.Text(), from.Text());
            series.Add(new(id, name, unit.Length == 0 ? null : unit, kind));
        }
        var windows = new List<WindowFacts>();
        for (var left = from.Signed(); left > 0; left--)
        {
            var window = new Window(from.Signed(), from.Signed());
            var generation = (int)from.Signed();
            var dropped = new DroppedPart(from.Signed(), from.Signed(), from.Signed(), from.Signed(), from.Signed());
            var facts = new WindowFacts(window, generation, dropped, from.Signed(), from.Signed(), from.Signed(), (Removal)from.Signed(), from.Signed());
            windows.Add(hasErased ? facts with { Dropped = dropped with { Erased = from.Signed() } } : facts);
        }
        return new()
        {
            Position = position,
            Sequence = sequence,
            Released = released,
            Accepted = accepted,
            Lost = lost,
            Rejected = rejected,
            Series = series,
            Windows = windows,
            Time = from.Signed(),
            Flash = from.Take((int)from.Signed()).ToArray(),
        };
    }
}
