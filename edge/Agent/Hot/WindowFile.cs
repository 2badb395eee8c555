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
    private readonly ILogger _logger;
    private LogStream _log = null!;
    private DataStream _data = null!;
    private LiteDatabase _db = null!;
    private ILiteCollection<BsonDocument> _blocks = null!;
    private bool _isNew;
    private WindowMeta? _meta;

    private WindowFile(IDisk disk, WindowFileName name, ILogger log)
    {
        _disk = disk;
        _name = name;
        _logger = log;
        _thread = new($"window {name.Window}");
    }

    public Window Window => _name.Window;

    /// <summary>The state after the last commit; null in a new file.</summary>
    public WindowMeta? Meta => Volatile.Read(ref _meta);

    /// <summary>Bytes of the data file.</summary>
    public long Bytes => _data.Length;

    /// <summary>True once something was written since it was opened.</summary>
    public bool IsWritten { get; private set; }

    /// <summary>False after a failure: dispose it and open it anew.</summary>
    public bool IsUsable => _log.Failure is null && _data.Failure is null;

    /// <summary>Opens an existing file, recovering what its log has.</summary>
    public static WindowFile Open(IDisk disk, WindowFileName name, ILogger log) =>
        Start(disk, name, log, file => file.Attach(disk.Open(name.Data), disk.Exists(name.Log) ? disk.Open(name.Log) : null));

    /// <summary>Makes a new file. It takes its name, durably, at the end of its first commit.</summary>
    public static WindowFile Create(IDisk disk, WindowFileName name, ILogger log, long reserveBytes) => Start(disk, name, log, file =>
    {
        foreach (var stale in new[] { name.Log, name.Unfinished })
        {
            if (disk.Exists(stale))
            {
                disk.Delete(stale);
            }
        }
        file._isNew = true;
        file.Attach(disk.Create(name.Unfinished, reserveBytes), null);
    });

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
                    found.Add(Checked(block, document) ? block : throw new InvalidDataException($"block {block.Key:x} of {_name.Data} is damaged"));
                }
            }
        }
        return found;
    });

    /// <summary>The sound blocks of a series that begin in the range, and the last one before it. Damaged ones are reported and left alone.</summary>
    public List<StoredBlock> ReadToMerge(int series, TimeRange range) => Reading(() => Sound(DocumentsOf(series, range)));

    /// <summary>The last block of a series that begins before <paramref name="offset"/>; null if there is none, or it is damaged.</summary>
    public StoredBlock? ReadBefore(int series, long offset) => Reading(() => LastBefore(series, offset) is { } document
        ? Sound([document]).FirstOrDefault() : null);

    /// <summary>The sound blocks of these keys. Damaged ones are reported and left out.</summary>
    public List<StoredBlock> Read(IReadOnlyList<long> keys) => Reading(() =>
        Sound([.. keys.Select(key => _blocks.FindById(key)).Where(document => document is not null)]));

    /// <summary>Counts what is there, block by block.</summary>
    public List<BlockHead> Scan() => Reading(() =>
    {
        var heads = new List<BlockHead>();
        foreach (var document in _blocks.Find(Expression(Between, 1L, long.MaxValue)))
        {
            heads.Add(new(document["_id"].AsInt64, document["n"].AsInt32, document["v"].AsInt64,
                document["b"].AsBinary.Length + (document["r"].IsNull ? 0 : document["r"].AsBinary.Length)));
        }
        return heads;
    });

    /// <summary>Deletes and writes blocks and the meta document in one transaction, durable on return and copied into the data file.</summary>
    /// <exception cref="IOException">It failed; whether it is there shows when the file is opened anew.</exception>
    public void Commit(IReadOnlyCollection<long> deleted, IReadOnlyCollection<StoredBlock> written, WindowMeta meta) => _thread.Run(() =>
    {
        try
        {
            IsWritten = true;
            var confirmed = _log.Confirmed;
            _db.BeginTrans();
            foreach (var key in deleted)
            {
                _blocks.Delete(key);
            }
            foreach (var block in written)
            {
                _blocks.Upsert(DocumentOf(block));
            }
            _blocks.Upsert(DocumentOf(meta));
            _db.Commit();
            _log.WaitConfirmed(confirmed + 1);
            _log.Sync();
            _db.Checkpoint();
            ThrowIfFailed();
            if (_isNew)
            {
                _log.IsScratch = false;
                _data.Flush();
                _disk.Rename(_name.Unfinished, _name.Data);
                _disk.SyncFolder(WindowFileName.Folder);
                _isNew = false;
            }
            Volatile.Write(ref _meta, meta);
            return true;
        }
        catch (Exception e)
        {
            Poison(e);
            throw e is IOException ? e : new IOException($"writing {_name.Data} failed: {e.Message}", e);
        }
    });

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

    private static WindowFile Start(IDisk disk, WindowFileName name, ILogger log, Action<WindowFile> attach)
    {
        var file = new WindowFile(disk, name, log);
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
        _data = new(data, _log);
        _log.BeforeEmptying = _data.Flush;
        try
        {
            var engine = new LiteEngine(new EngineSettings { DataStream = _data, LogStream = _log, TempStream = new MemoryStream() });
            _db = new(engine, new BsonMapper { TrimWhitespace = false, EmptyStringToNull = false });
            _blocks = _db.GetCollection(Collection, BsonAutoId.Int64);
            _db.Checkpoint();
            ThrowIfFailed();
            _meta = _blocks.FindById(0L) is { } document ? MetaOf(document) : null;
        }
        catch (Exception e)
        {
            Poison(e);
            _data.Dispose();
            _log.Dispose();
            throw;
        }
    }

    /// <summary>Where LiteDB's own pages are damaged it throws one thing or another; the instance is then not used again.</summary>
    private T Reading<T>(Func<T> read) => _thread.Run(() =>
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is not (IOException or InvalidDataException))
        {
            Poison(e);
            throw new InvalidDataException($"{_name.Data} is damaged: {e.Message}", e);
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

    private List<StoredBlock> Sound(List<BsonDocument> documents)
    {
        var sound = new List<StoredBlock>(documents.Count);
        foreach (var document in documents)
        {
            var block = BlockOf(document);
            if (Checked(block, document))
            {
                sound.Add(block);
            }
            else
            {
                _logger.LogCritical("Block {Key} of {File} is damaged on the device and is left alone", block.Key.ToString("x"), _name.Data);
            }
        }
        return sound;
    }

    // A parsed expression is reused with new parameters: literals would be compiled, and kept for ever, one by one.
    private static BsonExpression Expression(BsonExpression parsed, params BsonValue[] parameters) =>
        BsonExpression.Create(parsed.Source, parameters);

    private static BsonDocument DocumentOf(StoredBlock block) => new()
    {
        ["_id"] = block.Key,
        ["e"] = block.EndTime,
        ["n"] = block.Count,
        ["crc"] = (int)block.Checksum,
        ["v"] = block.Version,
        ["b"] = block.Segment,
        ["r"] = block.Rollups is null ? BsonValue.Null : new BsonValue(block.Rollups),
    };

    private static StoredBlock BlockOf(BsonDocument document) => new(document["_id"].AsInt64, document["e"].AsInt64, document["n"].AsInt32,
        document["v"].AsInt64, document["b"].AsBinary, document["r"].IsNull ? null : document["r"].AsBinary);

    private static bool Checked(StoredBlock block, BsonDocument document) => (int)block.Checksum == document["crc"].AsInt32;

    private static BsonDocument DocumentOf(WindowMeta meta) => new()
    {
        ["_id"] = 0L,
        ["format"] = 1,
        ["v"] = meta.Version,
        ["p"] = meta.Position,
        ["n"] = meta.Count,
        ["s"] = meta.Superseded,
        ["from"] = meta.From,
        ["to"] = meta.To,
        ["dropped"] = new BsonArray(meta.Dropped.Through, meta.Dropped.Position, meta.Dropped.Unique, meta.Dropped.Superseded),
    };

    private WindowMeta MetaOf(BsonDocument document) => document["format"].AsInt32 == 1
        ? new(document["v"].AsInt64, document["p"].AsInt64, document["n"].AsInt64, document["s"].AsInt64, document["from"].AsInt64,
            document["to"].AsInt64, new(document["dropped"][0].AsInt64, document["dropped"][1].AsInt64, document["dropped"][2].AsInt64,
            document["dropped"][3].AsInt64))
        : throw new InvalidDataException($"{_name.Data} has format {document["format"]}, which this version does not know");

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
