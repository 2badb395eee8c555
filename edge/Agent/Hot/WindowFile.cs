using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using LiteDB;
using LiteDB.Engine;

namespace Foretier.Agent.Hot;

/// <summary>
/// The blocks of one window in one LiteDB database; the only type that knows LiteDB. Thread-safe: all work is done on its own thread.
/// </summary>
/// <remarks>
/// One collection, key = series and time, no other index; document 0 is the <see cref="WindowMeta"/>. LiteDB 5.0.20 neither syncs nor checks
/// what it writes, and swallows errors, so it works on <see cref="LogStream"/> and <see cref="DataStream"/>; after each commit their
/// failures are looked at and the log is synced. After any failure the instance is good for nothing but <see cref="Dispose"/>.
/// </remarks>
internal sealed class WindowFile : IDisposable
{
    private const string Collection = "blocks";

    private static readonly BsonExpression Between = BsonExpression.Create("_id BETWEEN @0 AND @1");

    private readonly IDisk _disk;
    private readonly WindowFileName _name;
    private readonly OwnerThread _thread;
    private readonly DamageBook _book;
    private LogStream _log = null!;
    private PageStream _data = null!;
    private SealedPages? _sealed;
    private LiteEngine _engine = null!;
    private LiteDatabase _db = null!;
    private ILiteCollection<BsonDocument> _blocks = null!;
    private bool _isNew;
    private WindowMeta? _meta;
    private string? _damage;
    private BlockIndex? _index;

    private WindowFile(IDisk disk, WindowFileName name, DamageBook book)
    {
        _disk = disk;
        _name = name;
        _book = book;
        _thread = new($"window {name.Window}");
    }

    public Window Window => _name.Window;

    /// <summary>The state after the last commit; null in a new file.</summary>
    public WindowMeta? Meta => Volatile.Read(ref _meta);

    /// <summary>Bytes of the data file.</summary>
    public long Bytes => _data.FileBytes;

    /// <summary>It is never written again; see <see cref="SealedPages"/>.</summary>
    public bool IsSealed => _sealed is not null;

    /// <summary>True once something was written since it was opened.</summary>
    public bool IsWritten { get; private set; }

    /// <summary>What was found damaged, here or in a page; null while all is well. The file must be salvaged then.</summary>
    public string? Damage => Volatile.Read(ref _damage) ?? _data.Damage;

    /// <summary>False after a failure: dispose it and open it anew.</summary>
    public bool IsUsable => _log.Failure is null && _data.Failure is null;

    /// <summary>Opens an existing file, recovering what its log has.</summary>
    public static WindowFile Open(IDisk disk, WindowFileName name, DamageBook book) =>
        Start(disk, name, book, file => file.Attach(disk.Open(name.Data), disk.Exists(name.Log) ? disk.Open(name.Log) : null));

    /// <summary>Makes a new file. It takes its name, durably, at the end of its first commit.</summary>
    public static WindowFile Create(IDisk disk, WindowFileName name, DamageBook book, long reserveBytes) => Start(disk, name, book, file =>
    {
        foreach (var stale in new[] { name.Log, name.Unfinished })
        {
            if (disk.Exists(stale))
            {
                disk.Delete(stale);
            }
        }
        file._isNew = true;
        var data = disk.Create(name.Unfinished, reserveBytes);
        IDiskFile? log = null;
        try
        {
            // On a full disk a transaction needs room in the log too before it can be copied.
            log = reserveBytes > 0 ? disk.Create(name.Log, LogBytesFor(reserveBytes)) : null;
            file.Attach(data, log);
        }
        catch
        {
            data.Dispose();
            log?.Dispose();
            foreach (var part in new[] { name.Log, name.Unfinished }.Where(disk.Exists))
            {
                disk.Delete(part);
            }
            throw;
        }
    });

    /// <summary>Room for the largest transactions: a flush of 8 MB of memory is about 1 MB here, with the blocks it rewrites three times that.</summary>
    public static long LogBytesFor(long reserveBytes) => Math.Min(reserveBytes, 4L << 20) + (128 << 10);

    /// <summary>Sets so many bytes aside for it, and what its transactions need besides; fewer than it has change nothing.</summary>
    /// <exception cref="IOException">There is no such room; what was set aside before stays.</exception>
    public void Reserve(long bytes) => _thread.Run(() =>
    {
        if (_data is DataStream open && bytes > 0)
        {
            open.Reserve(bytes);
            _log.Reserve(LogBytesFor(bytes));
        }
        return true;
    });

    /// <summary>Makes a sealed file of these blocks. It takes its name, durably, once it has been read back.</summary>
    /// <exception cref="IOException">It cannot be written; nothing has changed.</exception>
    public static void Seal(IDisk disk, WindowFileName name, List<StoredBlock> blocks, WindowMeta meta, long sealedAt)
    {
        using var data = new MemoryStream();
        using (var log = new MemoryStream())
        using (var thread = new OwnerThread($"seal {name.Window}"))
        {
            thread.Run(() =>
            {
                var engine = new LiteEngine(new EngineSettings { DataStream = data, LogStream = log, TempStream = new MemoryStream() });
                using var db = new LiteDatabase(engine, new BsonMapper { TrimWhitespace = false, EmptyStringToNull = false });
                var collection = db.GetCollection(Collection, BsonAutoId.Int64);
                collection.Insert(DocumentOf(meta));
                if (meta.Tombstones.Count > 0)
                {
                    collection.Insert(DocumentOf(StoredTombstone.ToBlock(meta.Tombstones)));
                }
                collection.Insert(blocks.OrderBy(block => block.Key).Select(DocumentOf));
                db.Checkpoint();
                return true;
            });
        }
        foreach (var stale in new[] { name.Unfinished, name.Log }.Where(disk.Exists))
        {
            disk.Delete(stale);
        }
        try
        {
            using var file = disk.Create(name.Unfinished);
            SealedPages.Write(file, data.GetBuffer().AsSpan(0, (int)data.Length), meta, sealedAt);
        }
        catch (IOException) when (disk.Exists(name.Unfinished))
        {
            disk.Delete(name.Unfinished); // on a full disk the remains would take what other files could have
            throw;
        }
        disk.Rename(name.Unfinished, name.Data);
        disk.SyncFolder(WindowFileName.Folder);
    }

    /// <summary>The blocks of the series that overlap the range, in order of time within each series.</summary>
    /// <exception cref="InvalidDataException">A block is damaged: nothing that would be wrong without it is given out.</exception>
    public List<StoredBlock> Read(IReadOnlyList<int> series, TimeRange range) => Reading(() =>
    {
        var found = new List<StoredBlock>();
        foreach (var id in series)
        {
            foreach (var document in DocumentsOf(id, range))
            {
                var block = BlockOf(document);
                if (block.EndTime >= range.From)
                {
                    found.Add(block);
                }
            }
        }
        return found;
    });

    /// <summary>The blocks of a series that begin in the range, and the last one before it.</summary>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public List<StoredBlock> ReadToMerge(int series, TimeRange range) => Reading(() => DocumentsOf(series, range).ConvertAll(BlockOf));

    /// <summary>What it has as of the last commit; belongs to whoever writes it. A file that is not new is read whole for it, once.</summary>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public BlockIndex Index => _index ??= new(Meta is null ? [] : Scan());

    /// <summary>The blocks of these keys.</summary>
    /// <exception cref="InvalidDataException">The file is damaged, or has not all of them.</exception>
    public List<StoredBlock> Read(IReadOnlyList<long> keys) => Reading(() => keys.Select(key =>
        BlockOf(_blocks.FindById(key) ?? throw new InvalidDataException($"block {key:x} is not there"))).ToList());

    /// <summary>Counts what is there, block by block.</summary>
    public List<BlockHead> Scan() => Reading(() =>
    {
        var heads = new List<BlockHead>();
        foreach (var document in _blocks.Find(Expression(Between, 1L, long.MaxValue)))
        {
            heads.Add(BlockFrame.TryHead(document["b"].AsBinary, out var head) && head.Key == document["_id"].AsInt64 ? head
                : throw new InvalidDataException($"block {document["_id"].AsInt64:x} is damaged"));
        }
        return heads;
    });

    /// <summary>Deletes and writes blocks and the meta document in one transaction, durable on return and copied into the data file.</summary>
    /// <param name="isLast">False: more follows before a new file gets its name.</param>
    /// <exception cref="IOException">It failed; whether it is there shows when the file is opened anew.</exception>
    public void Commit(IReadOnlyCollection<long> deleted, IReadOnlyCollection<StoredBlock> written, WindowMeta meta, bool isLast = true) => _thread.Run(() =>
    {
        try
        {
            if (IsSealed)
            {
                throw new InvalidOperationException($"{_name.Data} is sealed");
            }
            IsWritten = true;
            var confirmed = _log.Confirmed;
            _db.BeginTrans();
            _engine.Delete(Collection, deleted.Select(key => new BsonValue(key)));
            if (_index is { } index)
            {
                // What is known to be new needs no look for what it replaces.
                var replaced = written.Count(block => index.Has(block.Key));
                if (_engine.Update(Collection, written.Where(block => index.Has(block.Key)).Select(DocumentOf)) != replaced)
                {
                    throw new InvalidDataException($"{_name.Data} has not all of the {replaced} blocks that are written over");
                }
                _engine.Insert(Collection, written.Where(block => !index.Has(block.Key)).Select(DocumentOf), BsonAutoId.Int64);
            }
            else
            {
                _blocks.Upsert(written.Select(DocumentOf));
            }
            if (meta.Tombstones.Count > 0)
            {
                _blocks.Upsert(DocumentOf(StoredTombstone.ToBlock(meta.Tombstones)));
            }
            _blocks.Upsert(DocumentOf(meta));
            _db.Commit();
            _log.WaitConfirmed(confirmed + 1);
            _log.Sync();
            ((DataStream)_data).SetNote(meta.Encode());
            _db.Checkpoint();
            ThrowIfFailed();
            if (_isNew && isLast)
            {
                _log.IsScratch = false;
                _data.Flush();
                _disk.Rename(_name.Unfinished, _name.Data);
                _disk.SyncFolder(WindowFileName.Folder);
                _isNew = false;
            }
            _index?.Change(deleted, written);
            Volatile.Write(ref _meta, meta);
            return true;
        }
        catch (Exception e)
        {
            Poison(e);
            throw Damage is { } damage ? new InvalidDataException($"{_name.Data} is damaged: {damage}", e)
                : e as IOException ?? new IOException($"writing {_name.Data} failed: {e.Message}", e);
        }
    });

    /// <summary>Reads every page: what is damaged, or null. Others come between.</summary>
    public string? Scrub(Action<int> counted) => _sealed is { } whole ? _thread.Run(() => whole.Scrub(counted)) : ScrubPages(counted);

    private string? ScrubPages(Action<int> counted)
    {
        const int AtOnce = 16;
        for (long page = 0; ;)
        {
            var (read, damage) = Reading(() =>
            {
                var bytes = new byte[PageStream.PageBytes];
                for (var i = 0; i < AtOnce; i++)
                {
                    if ((page + i) * PageStream.PageBytes >= _data.Length)
                    {
                        return (i, (string?)null);
                    }
                    if (((DataStream)_data).ReadPage(page + i, bytes) == PageState.Damaged)
                    {
                        return (i, $"page {page + i} has not the bytes that were written");
                    }
                }
                return (AtOnce, null);
            });
            if (damage is not null || read < AtOnce)
            {
                return damage;
            }
            page += read;
            counted(read * PageStream.PageBytes);
        }
    }

    /// <summary>Closes. The log of a file that has been copied whole is deleted: a day of history should not cost a log for ever.</summary>
    public void Dispose()
    {
        var clean = IsUsable && !_isNew;
        _thread.Run(() =>
        {
            try
            {
                _db.Dispose();
            }
            catch (Exception e) when (e is IOException or LiteException or AggregateException)
            {
                Poison(e); // everything committed is durable already; the next opening recovers it from the log
            }
            clean &= IsUsable && _log.Length == 0;
            _data.Dispose();
            _log.Dispose();
            return true;
        });
        _thread.Dispose();
        if (clean && _disk.Exists(_name.Log))
        {
            _disk.Delete(_name.Log);
        }
    }

    /// <summary>Lets go of the file without writing anything more, as a crash would.</summary>
    public void Abandon()
    {
        Poison(new IOException("abandoned"));
        Dispose();
    }

    private static WindowFile Start(IDisk disk, WindowFileName name, DamageBook book, Action<WindowFile> attach)
    {
        var file = new WindowFile(disk, name, book);
        try
        {
            return file._thread.Run(() =>
            {
                attach(file);
                return file;
            });
        }
        catch (Exception e) when (e is not IOException)
        {
            file._thread.Dispose();
            throw new InvalidDataException($"{name.Data} cannot be opened: {e.Message}", e);
        }
        catch
        {
            file._thread.Dispose();
            throw;
        }
    }

    private void Attach(IDiskFile data, IDiskFile? log)
    {
        _log = new(log, () =>
        {
            var created = _disk.Create(_name.Log);
            if (!_isNew)
            {
                _disk.SyncFolder(WindowFileName.Folder);
            }
            return created;
        })
        { IsScratch = _isNew };
        void Report(string what) => _book.Corrected(_name.Data, what);
        _data = SealedPages.IsOne(data) ? _sealed = new(data, Report) : new DataStream(data, _log, Report);
        _log.BeforeEmptying = _data.Flush;
        try
        {
            _engine = new LiteEngine(new EngineSettings { DataStream = _data, LogStream = _log, TempStream = new MemoryStream(), ReadOnly = IsSealed });
            _db = new(_engine, new BsonMapper { TrimWhitespace = false, EmptyStringToNull = false });
            _blocks = _db.GetCollection(Collection, BsonAutoId.Int64);
            if (!IsSealed)
            {
                _db.Checkpoint();
            }
            ThrowIfFailed();
            if (_blocks.FindById(0L) is { } document)
            {
                _meta = WindowMeta.TryDecode(document["b"].AsBinary) ?? throw new InvalidDataException("its description is damaged");
                _meta = _blocks.FindById(StoredTombstone.Key) is { } tombstones ? _meta with { Tombstones = StoredTombstone.FromBlock(BlockOf(tombstones)) } : _meta;
                (_data as DataStream)?.SetNote(_meta.Encode()); // where a crash came before the checkpoint
            }
        }
        catch (Exception e)
        {
            Poison(e);
            _data.Dispose();
            _log.Dispose();
            throw;
        }
    }

    /// <summary>Where something is damaged LiteDB throws one thing or another; the instance is then not used again.</summary>
    private T Reading<T>(Func<T> read) => _thread.Run(() =>
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is not IOException || _data.Damage is not null)
        {
            Volatile.Write(ref _damage, _data.Damage ?? e.Message);
            Poison(e);
            throw new InvalidDataException($"{_name.Data} is damaged: {_damage}", e);
        }
    });

    private List<BsonDocument> DocumentsOf(int series, TimeRange range)
    {
        long from = Math.Max(0, range.From - Window.Start), to = Math.Min(Window.Length, range.To - Window.Start) - 1;
        var found = new List<BsonDocument>();
        if (LastBefore(series, from) is { } before)
        {
            found.Add(before);
        }
        if (to >= from)
        {
            found.AddRange(_blocks.Find(Expression(Between, StoredBlock.KeyOf(series, from), StoredBlock.KeyOf(series, to))));
        }
        return found;
    }

    private BsonDocument? LastBefore(int series, long offset) => offset <= 0 ? null : _blocks.Query()
        .Where(Expression(Between, StoredBlock.KeyOf(series, 0), StoredBlock.KeyOf(series, offset - 1)))
        .OrderByDescending("_id").Limit(1).FirstOrDefault();

    // A parsed expression is reused with new parameters: literals would be compiled, and kept for ever, one by one.
    private static BsonExpression Expression(BsonExpression parsed, params BsonValue[] parameters) =>
        BsonExpression.Create(parsed.Source, parameters);

    private static BsonDocument DocumentOf(StoredBlock block) => new() { ["_id"] = block.Key, ["b"] = BlockFrame.Encode(block) };

    private static StoredBlock BlockOf(BsonDocument document) =>
        BlockFrame.TryDecode(document["b"].AsBinary, out _) is { } block && block.Key == document["_id"].AsInt64 ? block
        : throw new InvalidDataException($"block {document["_id"].AsInt64:x} is damaged");

    private static BsonDocument DocumentOf(WindowMeta meta) => new() { ["_id"] = 0L, ["b"] = meta.Encode() };

    private void ThrowIfFailed()
    {
        if ((_log.Failure ?? _data.Failure) is { } failure)
        {
            throw new IOException($"writing {_name.Data} failed: {failure.Message}", failure);
        }
    }

    private void Poison(Exception reason)
    {
        _log.Poison(reason);
        _data.Poison(reason);
    }
}
