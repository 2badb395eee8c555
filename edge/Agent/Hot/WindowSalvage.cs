using System.Buffers.Binary;
using LiteDB;

namespace Foretier.Agent.Hot;

/// <summary>
/// What is sound in a window's file, read without LiteDB's help: pages by their checksums, documents by the pages' slots, blocks by their
/// own sums. LiteDB 5.0.20: a data page (type 4) has 32 B of header, its items from there on, and from its end back a slot of 4 B for each,
/// length u16 and place u16; an item begins with u8 1 if it continues another, and the address of the item that continues it (page u32,
/// slot u8).
/// </summary>
internal sealed class WindowSalvage
{
    private const int DataPage = 4, HighestSlotAt = 30, ItemHeader = 6;

    private readonly Dictionary<long, byte[]> _pages = [];
    private readonly HashSet<long> _damaged = [];
    private readonly Dictionary<long, StoredBlock> _blocks = [];
    private readonly Dictionary<long, BlockHead> _lost = [];

    private readonly long _start;

    private WindowSalvage(long start) => _start = start;

    /// <summary>The whole blocks.</summary>
    public IReadOnlyCollection<StoredBlock> Blocks => [.. _blocks.Values.Where(block => block.Key != StoredTombstone.Key)];

    public IReadOnlyList<StoredTombstone> Tombstones => _blocks.GetValueOrDefault(StoredTombstone.Key) is { } block ? StoredTombstone.FromBlock(block) : [];

    /// <summary>The blocks that were found but are damaged. There may have been others of which nothing is left.</summary>
    public IReadOnlyCollection<BlockHead> Lost => _lost.Values;

    /// <summary>The latest description of the window that is whole; null if there is none.</summary>
    public WindowMeta? Meta { get; private set; }

    public int Pages => _pages.Count;
    public int DamagedPages => _damaged.Count;

    /// <exception cref="IOException">The device refuses to read.</exception>
    public static WindowSalvage Read(IDisk disk, WindowFileName name)
    {
        var salvage = new WindowSalvage(name.Window.Start);
        using (var log = new LogStream(disk.Exists(name.Log) ? disk.Open(name.Log) : null, () => throw new NotSupportedException("nothing is written")))
        {
            var file = disk.Open(name.Data);
            if (SealedPages.IsOne(file))
            {
                using (file)
                {
                    salvage.Take(SealedPages.Salvage(file, salvage.TakePage));
                }
            }
            else
            {
                using var data = new DataStream(file, log, _ => { });
                salvage.TakePages(data, log);
            }
        }
        salvage.TakeBlocks();
        return salvage;
    }

    private void TakePage(long number, byte[] bytes, bool isSound)
    {
        _pages[number] = bytes;
        if (!isSound)
        {
            _damaged.Add(number);
        }
    }

    private void TakePages(DataStream data, LogStream log)
    {
        Take(WindowMeta.TryDecode(data.Note));
        for (long page = 0; page * PageStream.PageBytes < data.Length; page++)
        {
            var bytes = new byte[PageStream.PageBytes];
            TakePage(page, bytes, data.ReadPage(page, bytes) != PageState.Damaged);
        }
        for (long index = 0; ; index++)
        {
            var bytes = new byte[PageStream.PageBytes];
            if (!log.TryReadPage(index, bytes))
            {
                return;
            }
            var number = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
            _pages[number] = bytes;
            _damaged.Remove(number);
        }
    }

    private void Take(WindowMeta? meta) => Meta = meta is not null && (Meta is null || meta.Version > Meta.Version) ? meta : Meta;

    private void TakeBlocks()
    {
        foreach (var (number, page) in _pages)
        {
            if (_damaged.Contains(number))
            {
                Scan(page);
                continue;
            }
            for (var slot = 0; page[4] == DataPage && slot <= page[HighestSlotAt] && page[HighestSlotAt] != byte.MaxValue; slot++)
            {
                var item = ItemAt(page, slot);
                if (item.Length > ItemHeader && item[0] == 0)
                {
                    TakeDocument(item);
                }
            }
        }
        DropReplaced();
        foreach (var key in _blocks.Keys)
        {
            _lost.Remove(key);
        }
    }

    /// <summary>Of two blocks that cover the same time the later one was written in place of the other.</summary>
    private void DropReplaced()
    {
        foreach (var series in _blocks.Values.GroupBy(block => block.Series).ToList())
        {
            StoredBlock? kept = null;
            foreach (var block in series.OrderBy(block => block.Key).ToList())
            {
                if (kept is not null && block.StartOffset <= kept.EndTime - _start)
                {
                    var replaced = kept.Version < block.Version ? kept : block;
                    _blocks.Remove(replaced.Key);
                    kept = replaced == kept ? block : kept;
                    continue;
                }
                kept = block;
            }
        }
    }

    private void TakeDocument(ReadOnlySpan<byte> first)
    {
        var bytes = new MemoryStream();
        var isWhole = true;
        for (var item = first; ;)
        {
            bytes.Write(item[ItemHeader..]);
            var (page, slot) = (BinaryPrimitives.ReadUInt32LittleEndian(item[1..]), item[5]);
            if (page == uint.MaxValue)
            {
                break;
            }
            if (bytes.Length > 1024 * 1024 || _damaged.Contains(page) || !_pages.TryGetValue(page, out var next) || ItemAt(next, slot).Length <= ItemHeader)
            {
                isWhole = false;
                break;
            }
            item = ItemAt(next, slot);
        }
        var document = bytes.ToArray();
        try
        {
            if (isWhole && BsonSerializer.Deserialize(document) is { } read && read["b"].IsBinary)
            {
                if (read["_id"] == 0L)
                {
                    Take(WindowMeta.TryDecode(read["b"].AsBinary));
                }
                else
                {
                    Take(read["b"].AsBinary);
                }
                return;
            }
        }
        catch (Exception e) when (e is LiteException or IndexOutOfRangeException or ArgumentException or EndOfStreamException or InvalidCastException)
        {
            // not a document that LiteDB would read either
        }
        Scan(document);
    }

    /// <summary>Looks for blocks at every place.</summary>
    private void Scan(ReadOnlySpan<byte> bytes)
    {
        for (var at = BlockFrame.NextIn(bytes, 0); at >= 0; at = BlockFrame.NextIn(bytes, at + 1))
        {
            Take(bytes[at..]);
        }
    }

    private void Take(ReadOnlySpan<byte> frame)
    {
        if (BlockFrame.TryDecode(frame, out var head) is { } block)
        {
            if (!_blocks.TryGetValue(block.Key, out var other) || other.Version < block.Version)
            {
                _blocks[block.Key] = block;
            }
        }
        else if (head.Count > 0)
        {
            _lost[head.Key] = head;
        }
    }

    private static ReadOnlySpan<byte> ItemAt(ReadOnlySpan<byte> page, int slot)
    {
        var entry = page[(PageStream.PageBytes - (slot + 1) * 4)..];
        int length = BinaryPrimitives.ReadUInt16LittleEndian(entry), place = BinaryPrimitives.ReadUInt16LittleEndian(entry[2..]);
        return place + length <= PageStream.PageBytes ? page.Slice(place, length) : default;
    }
}
