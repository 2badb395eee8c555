using Foretier.Agent.Hot;

namespace Foretier.Tests.Unit.Hot;

/// <summary>
/// A disk that forgets: at <see cref="Crash"/> each 512 B sector written since the last sync of its file survives or not, by the seed, and so do
/// length changes; directory changes survive up to some point in their order. After <see cref="FailAfter"/> operations it is dead.
/// </summary>
internal sealed class CrashDisk : IDisk
{
    private const int Sector = 512;
    private readonly object _gate = new();
    private readonly Dictionary<string, Inode> _durable;
    private readonly Dictionary<string, Inode> _names;
    private readonly List<(string Name, Inode? Inode)> _pending = [];
    private volatile bool _isDead;

    public CrashDisk() : this([])
    {
    }

    private CrashDisk(Dictionary<string, Inode> names) => (_durable, _names) = (names, new(names));

    /// <summary>Operations that change something until the disk dies; null for never.</summary>
    public long? FailAfter { get; set; }

    /// <summary>Bytes that files may take or have reserved together; null: as many as they like.</summary>
    public long? Capacity { get; set; }

    /// <summary>Bytes that files take or have reserved.</summary>
    public long Allocated
    {
        get
        {
            lock (_gate)
            {
                return _names.Values.Sum(inode => inode.Allocated);
            }
        }
    }

    /// <summary>Called before each write with file name and bytes; throws to refuse it.</summary>
    public Action<string, int>? OnWrite { get; set; }

    public DiskUse Use => new(BytesWritten, Syncs, BytesWritten, 0);
    public bool IsDead => _isDead;
    public long Operations { get; private set; }
    public long Syncs { get; private set; }
    public long BytesWritten { get; private set; }
    public IReadOnlyCollection<string> Names
    {
        get
        {
            lock (_gate)
            {
                return [.. _names.Keys];
            }
        }
    }

    /// <summary>What a new start finds; this disk is dead from now on.</summary>
    /// <param name="random">Chooses what survives; null: all of it, as after a kill, which leaves the kernel's pages.</param>
    public CrashDisk Crash(Random? random)
    {
        lock (_gate)
        {
            _isDead = true;
            var names = new Dictionary<string, Inode>(_durable);
            var kept = random?.Next(_pending.Count + 1) ?? _pending.Count;
            foreach (var (name, inode) in _pending.Take(kept))
            {
                Apply(names, name, inode);
            }
            return new(names.ToDictionary(n => n.Key, n => n.Value.Survive(random)));
        }
    }

    /// <summary>Flips a bit of a file, as rot would.</summary>
    public void Flip(string name, long bit)
    {
        lock (_gate)
        {
            _names[name].Flip(bit);
        }
    }

    /// <summary>Fills one sector of a file with noise, as a failing device would.</summary>
    public void Smash(string name, Random random)
    {
        lock (_gate)
        {
            var sector = random.NextInt64(_names[name].Length / Sector);
            var noise = new byte[Sector];
            random.NextBytes(noise);
            _names[name].Write(noise, sector * Sector);
            _names[name].Sync();
        }
    }

    public long LengthOf(string name)
    {
        lock (_gate)
        {
            return _names[name].Length;
        }
    }

    public long LengthReservedOf(string name)
    {
        lock (_gate)
        {
            return _names[name].Allocated;
        }
    }

    public IDiskFile Open(string name) => new Handle(this, name, Find(name));

    public IDiskFile Create(string name, long reserveBytes = 0) => Change(() =>
    {
        if (_names.ContainsKey(name))
        {
            throw new IOException($"{name} exists");
        }
        var inode = new Inode();
        Allocate(inode, reserveBytes);
        Name(name, inode);
        return new Handle(this, name, inode);
    });

    private void Allocate(Inode inode, long bytes)
    {
        if (bytes > inode.Allocated && Allocated + bytes - inode.Allocated > Capacity)
        {
            throw new IOException("No space left on device", 28);
        }
        inode.Allocated = Math.Max(inode.Allocated, bytes);
    }

    public bool Exists(string name) => Alive(() => _names.ContainsKey(name));

    public IReadOnlyList<string> List(string folder) => Alive(() => _names.Keys.Where(name => name.StartsWith(folder + "/", StringComparison.Ordinal)).ToList());

    public void Rename(string from, string to) => Change(() =>
    {
        var inode = Find(from);
        Name(to, inode);
        Name(from, null);
        return 0;
    });

    public void Delete(string name) => Change(() =>
    {
        Name(name, null);
        return 0;
    });

    public void CreateFolder(string folder)
    {
    }

    public void SyncFolder(string folder) => Change(() =>
    {
        bool Mine(string name) => folder.Length == 0 ? !name.Contains('/') : name.StartsWith(folder + "/", StringComparison.Ordinal);
        foreach (var (name, inode) in _pending.Where(p => Mine(p.Name)))
        {
            Apply(_durable, name, inode);
        }
        _pending.RemoveAll(p => Mine(p.Name));
        return 0;
    });

    public void Dispose()
    {
    }

    private static void Apply(Dictionary<string, Inode> names, string name, Inode? inode)
    {
        if (inode is null)
        {
            names.Remove(name);
        }
        else
        {
            names[name] = inode;
        }
    }

    private void Name(string name, Inode? inode)
    {
        Apply(_names, name, inode);
        _pending.Add((name, inode));
    }

    private Inode Find(string name) => Alive(() => _names.TryGetValue(name, out var inode) ? inode : throw new FileNotFoundException(name));

    private T Alive<T>(Func<T> action)
    {
        lock (_gate)
        {
            return _isDead ? throw new IOException("the disk is gone") : action();
        }
    }

    private T Change<T>(Func<T> action) => Alive(() =>
    {
        Operations++;
        if (FailAfter is { } limit && Operations > limit)
        {
            _isDead = true;
            throw new IOException("the disk is gone");
        }
        return action();
    });

    private sealed class Handle(CrashDisk disk, string name, Inode inode) : IDiskFile
    {
        public long Length => disk.Alive(() => inode.Length);
        public void SetLength(long length) => disk.Change(() => inode.SetLength(length));

        public void Reserve(long bytes) => disk.Change(() =>
        {
            disk.Allocate(inode, bytes);
            return 0;
        });

        public int Read(Span<byte> bytes, long position)
        {
            lock (disk._gate)
            {
                return disk._isDead ? throw new IOException("the disk is gone") : inode.Read(bytes, position);
            }
        }

        public void Write(ReadOnlySpan<byte> bytes, long position)
        {
            disk.OnWrite?.Invoke(name, bytes.Length);
            var copy = bytes.ToArray();
            disk.Change(() =>
            {
                disk.Allocate(inode, position + copy.Length);
                disk.BytesWritten += copy.Length;
                return inode.Write(copy, position);
            });
        }

        public void Sync() => disk.Change(() =>
        {
            disk.Syncs++;
            return inode.Sync();
        });

        public void Dispose()
        {
        }
    }

    private sealed class Inode
    {
        private byte[] _bytes = [], _synced = [];
        private long _syncedLength;
        private readonly HashSet<long> _dirty = [];

        public long Length { get; private set; }
        public long Allocated { get; set; }

        public int Read(Span<byte> into, long position)
        {
            var n = (int)Math.Clamp(Length - position, 0, into.Length);
            _bytes.AsSpan((int)Math.Min(position, _bytes.Length), n).CopyTo(into);
            return n;
        }

        public int Write(ReadOnlySpan<byte> bytes, long position)
        {
            if (position + bytes.Length > Length)
            {
                SetLength(position + bytes.Length);
            }
            bytes.CopyTo(_bytes.AsSpan((int)position));
            for (var sector = position / Sector; sector * Sector < position + bytes.Length; sector++)
            {
                _dirty.Add(sector);
            }
            return 0;
        }

        public int SetLength(long length)
        {
            if (length > _bytes.Length)
            {
                Array.Resize(ref _bytes, (int)Math.Max(length, _bytes.Length * 2L));
            }
            else if (length < Length)
            {
                _bytes.AsSpan((int)length).Clear();
            }
            Length = length;
            return 0;
        }

        public int Sync()
        {
            Copy(_dirty);
            _dirty.Clear();
            _syncedLength = Length;
            return 0;
        }

        public void Flip(long bit)
        {
            _bytes[bit / 8] ^= (byte)(1 << (int)(bit % 8));
            _dirty.Add(bit / 8 / Sector);
            Sync();
        }

        public Inode Survive(Random? random)
        {
            var after = new Inode();
            Copy(random is null ? _dirty : _dirty.Where(_ => random.Next(2) == 0));
            after.SetLength(random is null || random.Next(2) == 0 ? Length : _syncedLength);
            _synced.AsSpan(0, (int)Math.Min(after.Length, _synced.Length)).CopyTo(after._bytes);
            after._dirty.UnionWith(Enumerable.Range(0, (int)((after.Length + Sector - 1) / Sector)).Select(i => (long)i));
            after.Sync();
            return after;
        }

        private void Copy(IEnumerable<long> sectors)
        {
            if (_synced.Length < _bytes.Length)
            {
                Array.Resize(ref _synced, _bytes.Length);
            }
            foreach (var sector in sectors)
            {
                var length = (int)Math.Min(Sector, _bytes.Length - sector * Sector);
                if (length > 0)
                {
                    _bytes.AsSpan((int)(sector * Sector), length).CopyTo(_synced.AsSpan((int)(sector * Sector)));
                }
            }
        }
    }
}
