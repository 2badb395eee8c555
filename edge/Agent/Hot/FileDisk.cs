using Foretier.Durable;
using Microsoft.Win32.SafeHandles;

namespace Foretier.Agent.Hot;

/// <summary>
/// A directory of the real file system, held by one process at a time through a locked file.
/// </summary>
internal sealed class FileDisk : IDisk
{
    private const int ReadOnlyFileSystem = 30;
    private const int NoSpace = 28;
    private const int UnnamedIOError = unchecked((int)0x80131620);
    private const int PageBytes = 4096;

    private readonly string _root;
    private readonly FileStream _lock;
    private long _bytesWritten, _syncs, _devicePages, _journalPages;

    /// <exception cref="HotStoreUnavailableException">Another process holds the directory, or it cannot be written.</exception>
    public FileDisk(string root)
    {
        _root = Path.GetFullPath(root);
        try
        {
            Directory.CreateDirectory(_root);
            // FileShare.None is flock(LOCK_EX) on Linux: the kernel drops it when the process ends, however it ends.
            _lock = new(Path.Combine(_root, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new HotStoreUnavailableException("folder_not_writable", $"cannot write to {_root}: {e.Message}", e);
        }
        catch (IOException e)
        {
            throw new HotStoreUnavailableException(
                "folder_in_use", $"cannot lock {_root}: another agent is using it, stop that one or choose another folder ({e.Message})", e);
        }
    }

    public DiskUse Use => new(Interlocked.Read(ref _bytesWritten), Interlocked.Read(ref _syncs), Interlocked.Read(ref _devicePages) * PageBytes,
        Interlocked.Read(ref _journalPages) * PageBytes);

    public long VolumeBytes => new DriveInfo(_root).TotalSize;

    public IDiskFile Open(string name)
    {
        var path = PathOf(name);
        try
        {
            return new DiskFile(this, IsJournal(name), File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read));
        }
        catch (Exception e) when (e is UnauthorizedAccessException || (e.HResult & 0xFFFF) == ReadOnlyFileSystem)
        {
            // What is there can still be read, and questions answered; the first write says what is wrong.
            return new DiskFile(this, IsJournal(name), Guarded(() => File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite)));
        }
    }

    public IDiskFile Create(string name, long reserveBytes = 0)
    {
        var path = PathOf(name);
        try
        {
            return new DiskFile(this, IsJournal(name), Guarded(() =>
                File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read, FileOptions.None, reserveBytes)));
        }
        catch (IOException e) when (reserveBytes > 0 && e.HResult == UnnamedIOError)
        {
            // .NET says of space that cannot be reserved only in words that it is not there.
            throw new IOException($"{reserveBytes} bytes cannot be reserved for {path}: no space left on device", NoSpace);
        }
    }

    public bool Exists(string name) => File.Exists(PathOf(name));

    public IReadOnlyList<string> List(string folder)
    {
        var path = PathOf(folder);
        return Directory.Exists(path) ? [.. Directory.EnumerateFiles(path).Select(file => folder + "/" + Path.GetFileName(file))] : [];
    }

    public void Rename(string from, string to) => Guarded(() =>
    {
        File.Move(PathOf(from), PathOf(to), overwrite: true);
        return true;
    });

    public void Delete(string name) => Guarded(() =>
    {
        File.Delete(PathOf(name));
        return true;
    });

    public void CreateFolder(string folder)
    {
        Directory.CreateDirectory(PathOf(folder));
        SyncFolder("");
    }

    public void SyncFolder(string folder)
    {
        Interlocked.Increment(ref _syncs);
        Interlocked.Increment(ref _devicePages);
        Disk.SyncDirectory(PathOf(folder));
    }

    public void Dispose() => _lock.Dispose();

    private static bool IsJournal(string name) => name.StartsWith("journal/", StringComparison.Ordinal);

    private string PathOf(string name) => Path.Combine(_root, name);

    /// <summary>A right that was taken away is one more thing a disk can refuse: callers know one kind of failure.</summary>
    private static T Guarded<T>(Func<T> action)
    {
        try
        {
            return action();
        }
        catch (UnauthorizedAccessException e)
        {
            throw new IOException(e.Message, e);
        }
    }

    private sealed class DiskFile(FileDisk disk, bool isJournal, SafeFileHandle handle) : IDiskFile
    {
        private long _openPage = -1;

        public long Length => RandomAccess.GetLength(handle);
        public void SetLength(long length) => Guarded(() =>
        {
            RandomAccess.SetLength(handle, length);
            return true;
        });

        public void Reserve(long bytes) => Disk.Reserve(handle, bytes);

        public int Read(Span<byte> bytes, long position)
        {
            var read = 0;
            while (read < bytes.Length)
            {
                var n = RandomAccess.Read(handle, bytes[read..], position + read);
                if (n == 0)
                {
                    break;
                }
                read += n;
            }
            return read;
        }

        public void Write(ReadOnlySpan<byte> bytes, long position)
        {
            try
            {
                RandomAccess.Write(handle, bytes, position);
            }
            catch (UnauthorizedAccessException e)
            {
                throw new IOException(e.Message, e);
            }
            Interlocked.Add(ref disk._bytesWritten, bytes.Length);
            // A page that the last write ended in is written once for both, unless it was synced between them.
            var (first, last) = (position / PageBytes, (position + bytes.Length - 1) / PageBytes);
            var pages = last - first + (first == _openPage ? 0 : 1);
            Interlocked.Add(ref disk._devicePages, pages);
            if (isJournal)
            {
                Interlocked.Add(ref disk._journalPages, pages);
            }
            _openPage = last;
        }

        public void Sync()
        {
            Interlocked.Increment(ref disk._syncs);
            _openPage = -1;
            Disk.Sync(handle);
        }

        public void Dispose() => handle.Dispose();
    }
}
