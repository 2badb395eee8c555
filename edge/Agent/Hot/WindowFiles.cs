namespace Foretier.Agent.Hot;

/// <summary>
/// The open window files: a few at a time, the one used longest ago is closed first. A file has one owner thread, some descriptors, and
/// LiteDB's page cache, which never shrinks while it is open.
/// </summary>
internal sealed class WindowFiles(IDisk disk, HotOptions options, DamageBook book, ILogger log) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<WindowFileName, Entry> _open = [];
    private long _uses;

    /// <summary>Opens the file, or creates it where <paramref name="create"/> is not null (the bytes to reserve).</summary>
    /// <exception cref="FileNotFoundException">There is no such file (any more).</exception>
    public Lease Take(WindowFileName name, long? create = null)
    {
        lock (_gate)
        {
            if (_open.TryGetValue(name, out var entry) && !entry.File.IsUsable && entry.Users == 0)
            {
                Close(name, entry);
                entry = null;
            }
            if (entry is null)
            {
                if (create is null && !disk.Exists(name.Data))
                {
                    throw new FileNotFoundException($"{name.Data} is not there");
                }
                MakeRoom();
                var file = disk.Exists(name.Data) ? WindowFile.Open(disk, name, book) : WindowFile.Create(disk, name, book, create!.Value);
                _open[name] = entry = new(file);
            }
            entry.IsStandby = false;
            entry.Users++;
            entry.LastUse = ++_uses;
            return new(this, entry);
        }
    }

    /// <summary>Makes the file of a window that is to come, with its space, and keeps it open until it is used. One that is there gets what it lacks.</summary>
    /// <exception cref="IOException">It cannot be made, or there is no such space; a file that is there stays, with what it had.</exception>
    public void Prepare(WindowFileName name, long bytes)
    {
        lock (_gate)
        {
            if (_open.TryGetValue(name, out var standby) && standby.IsStandby)
            {
                standby.File.Reserve(bytes);
                return;
            }
            if (!disk.Exists(name.Data))
            {
                MakeRoom();
                _open[name] = new(WindowFile.Create(disk, name, book, bytes)) { IsStandby = true, LastUse = ++_uses };
                return;
            }
        }
        using var begun = Take(name);
        begun.File.Reserve(bytes);
    }

    /// <summary>Gives a prepared file up again, and its space; one that was used meanwhile stays.</summary>
    public void Discard(WindowFileName name)
    {
        lock (_gate)
        {
            if (_open.TryGetValue(name, out var entry) && entry.IsStandby)
            {
                _open.Remove(name);
                entry.File.Abandon();
                foreach (var path in new[] { name.Log, name.Unfinished }.Where(disk.Exists))
                {
                    disk.Delete(path);
                }
            }
        }
    }

    /// <summary>Closes the file and deletes it; waits for none: readers that come later find it gone.</summary>
    public void Delete(WindowFileName name)
    {
        lock (_gate)
        {
            if (_open.TryGetValue(name, out var entry))
            {
                _open.Remove(name);
                entry.IsDoomed = true;
                if (entry.Users == 0)
                {
                    CloseFile(entry);
                }
            }
            // A reader that is at it keeps reading: the name goes, the open file stays until it is closed.
            foreach (var path in new[] { name.Data, name.Log, name.Unfinished })
            {
                if (disk.Exists(path))
                {
                    disk.Delete(path);
                }
            }
        }
    }

    /// <summary>Lets go of the file where it stands, as it is; readers at it find it unusable.</summary>
    public void Forget(WindowFileName name)
    {
        lock (_gate)
        {
            if (_open.Remove(name, out var entry))
            {
                entry.IsDoomed = true;
                if (entry.Users == 0)
                {
                    entry.File.Abandon();
                }
            }
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            foreach (var (name, entry) in _open.ToList())
            {
                Close(name, entry);
            }
        }
    }

    /// <summary>Lets go of all files as a crash would.</summary>
    public void Abandon()
    {
        lock (_gate)
        {
            foreach (var entry in _open.Values)
            {
                entry.File.Abandon();
            }
            _open.Clear();
        }
    }

    private void Release(Entry entry)
    {
        lock (_gate)
        {
            if (--entry.Users == 0 && entry.IsDoomed)
            {
                CloseFile(entry);
            }
            while (_open.Count(open => open.Value.File.IsWritten) > options.OpenWritersMax && Idle(onlyWritten: true) is { } written)
            {
                Close(written.Key, written.Value);
            }
        }
    }

    private void MakeRoom()
    {
        while (_open.Count >= options.OpenFilesMax && Idle(onlyWritten: false) is { } oldest)
        {
            Close(oldest.Key, oldest.Value);
        }
    }

    private KeyValuePair<WindowFileName, Entry>? Idle(bool onlyWritten)
    {
        var idle = _open.Where(open => open.Value.Users == 0 && !open.Value.IsStandby && (!onlyWritten || open.Value.File.IsWritten)).ToList();
        return idle.Count == 0 ? null : idle.MinBy(open => open.Value.LastUse);
    }

    private void Close(WindowFileName name, Entry entry)
    {
        _open.Remove(name);
        CloseFile(entry);
    }

    private void CloseFile(Entry entry)
    {
        try
        {
            entry.File.Dispose();
        }
        catch (IOException e)
        {
            log.LogWarning(e, "Closing the file of window {Window} failed; it is recovered when it is opened next", entry.File.Window);
        }
    }

    internal sealed class Entry(WindowFile file)
    {
        public WindowFile File => file;
        public int Users { get; set; }
        public long LastUse { get; set; }

        /// <summary>Prepared and not used yet: closing it would give up its space.</summary>
        public bool IsStandby { get; set; }
        public bool IsDoomed { get; set; }
    }

    /// <summary>The right to use a file until disposed.</summary>
    internal readonly struct Lease(WindowFiles files, Entry entry) : IDisposable
    {
        public WindowFile File => entry.File;
        public void Dispose() => files.Release(entry);
    }
}
