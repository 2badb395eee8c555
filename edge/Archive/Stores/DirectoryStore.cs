using Foretier.Durable;
using System.Globalization;
using System.Runtime.CompilerServices;

namespace Foretier.Archive.Stores;

/// <summary>Objects as files below a directory: for one machine, a mounted volume, and tests.</summary>
/// <remarks>An object is written to <c>.incoming</c>, synced, renamed to its key, and the directories it is named in are synced.</remarks>
public sealed class DirectoryStore : ObjectStore
{
    private const int CopyBytes = 1 << 20;
    private readonly string _root;
    private readonly string _incoming;
    private int _writes;

    /// <summary>Creates the directory where it is missing.</summary>
    /// <exception cref="ArchiveException">The directory cannot be made.</exception>
    public DirectoryStore(string path)
    {
        _root = Path.GetFullPath(path);
        _incoming = Path.Combine(_root, ".incoming");
        Run("open", _root, () =>
        {
            Disk.CreateDirectory(_root);
            SweepIncoming();
            return true;
        });
    }

    public override string ToString() => _root;

    public override async Task PutAsync(string key, Stream content, CancellationToken cancel)
    {
        Check("put", key);
        try
        {
            RequireRoot("put", key);
            Disk.CreateDirectory(_incoming);
            var temporary = Path.Combine(_incoming,
                string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessId}-{Interlocked.Increment(ref _writes)}"));
            try
            {
                // The lock is held until after the rename, so that no sweep of another process takes the file away.
                using var file = new FileStream(temporary, FileMode.Create, FileAccess.Write,
                    OperatingSystem.IsWindows() ? FileShare.Delete : FileShare.None);
                await content.CopyToAsync(file, CopyBytes, cancel).ConfigureAwait(false);
                file.Flush(flushToDisk: true);
                var path = PathOf(key);
                var folder = Path.GetDirectoryName(path)!;
                Disk.CreateDirectory(folder);
                File.Move(temporary, path, overwrite: true);
                Disk.SyncDirectory(folder);
            }
            catch
            {
                File.Delete(temporary);
                throw;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Translate("put", key, e);
        }
    }

    public override async Task<byte[]> GetAsync(string key, CancellationToken cancel)
    {
        Check("get", key);
        try
        {
            return await File.ReadAllBytesAsync(PathOf(key), cancel).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Translate("get", key, e);
        }
    }

    public override async Task<byte[]> GetRangeAsync(string key, long offset, int length, CancellationToken cancel)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        Check("get", key);
        try
        {
            using var file = File.OpenHandle(PathOf(key), options: FileOptions.Asynchronous);
            var bytes = new byte[Math.Clamp(RandomAccess.GetLength(file) - offset, 0, length)];
            var read = 0;
            while (read < bytes.Length)
            {
                var piece = await RandomAccess.ReadAsync(file, bytes.AsMemory(read), offset + read, cancel).ConfigureAwait(false);
                if (piece == 0)
                {
                    break;
                }
                read += piece;
            }
            return read == bytes.Length ? bytes : bytes[..read];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Translate("get", key, e);
        }
    }

    public override Task<ObjectInfo?> StatAsync(string key, CancellationToken cancel)
    {
        Check("stat", key);
        cancel.ThrowIfCancellationRequested();
        return Task.FromResult(Run("stat", key, () =>
        {
            RequireRoot("stat", key);
            var file = new FileInfo(PathOf(key));
            return file.Exists ? InfoOf(key, file) : null;
        }));
    }

    public override async IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancel)
    {
        await Task.CompletedTask.ConfigureAwait(false);
        foreach (var info in Run("list", prefix, () => Files(prefix)))
        {
            cancel.ThrowIfCancellationRequested();
            yield return info;
        }
    }

    public override Task DeleteAsync(string key, CancellationToken cancel)
    {
        Check("delete", key);
        cancel.ThrowIfCancellationRequested();
        Run("delete", key, () =>
        {
            RequireRoot("delete", key);
            var path = PathOf(key);
            if (File.Exists(path))
            {
                File.Delete(path);
                Disk.SyncDirectory(Path.GetDirectoryName(path)!);
            }
            return true;
        });
        return Task.CompletedTask;
    }

    private string PathOf(string key) => Path.Combine(_root, key.Replace('/', Path.DirectorySeparatorChar));

    private static ObjectInfo InfoOf(string key, FileInfo file) =>
        new(key, file.Length, string.Create(CultureInfo.InvariantCulture, $"{file.Length:x}-{file.LastWriteTimeUtc.Ticks:x}"));

    private List<ObjectInfo> Files(string prefix)
    {
        RequireRoot("list", prefix);
        var slash = prefix.LastIndexOf('/');
        var folder = new DirectoryInfo(slash < 0 ? _root : PathOf(prefix[..slash]));
        var found = new List<ObjectInfo>();
        if (folder.Exists)
        {
            foreach (var file in folder.EnumerateFiles("*", SearchOption.AllDirectories))
            {
                var key = Path.GetRelativePath(_root, file.FullName).Replace(Path.DirectorySeparatorChar, '/');
                if (key.StartsWith(prefix, StringComparison.Ordinal) && !key.StartsWith(".incoming/", StringComparison.Ordinal))
                {
                    found.Add(InfoOf(key, file));
                }
            }
        }
        found.Sort((a, b) => string.CompareOrdinal(a.Key, b.Key));
        return found;
    }

    /// <summary>Removes what a process that died was writing; the lock of a living writer keeps its file.</summary>
    private void SweepIncoming()
    {
        if (!Directory.Exists(_incoming))
        {
            return;
        }
        foreach (var left in Directory.EnumerateFiles(_incoming))
        {
            try
            {
                using (new FileStream(left, FileMode.Open, FileAccess.ReadWrite, FileShare.None))
                {
                    File.Delete(left);
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Someone is writing it, or it is another user's: not ours to remove.
                continue;
            }
        }
    }

    /// <summary>A volume that is not mounted must not look like an empty archive.</summary>
    private void RequireRoot(string operation, string key)
    {
        if (!Directory.Exists(_root))
        {
            throw new ArchiveException(ArchiveFault.Unreachable, operation, key, $"the directory {_root} is not there; is its volume mounted?");
        }
    }

    private T Run<T>(string operation, string key, Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Translate(operation, key, e);
        }
    }

    private ArchiveException Translate(string operation, string key, Exception e) => e switch
    {
        FileNotFoundException or DirectoryNotFoundException when operation == "get" && Directory.Exists(_root) =>
            new(ArchiveFault.NotFound, operation, key, "there is no such object", e),
        UnauthorizedAccessException =>
            new(ArchiveFault.Denied, operation, key, $"no permission in {_root}; let this process's user read and write there", e),
        _ when Disk.IsFull(e) => new(ArchiveFault.Full, operation, key, $"no space left on the volume of {_root}", e),
        _ => new(ArchiveFault.Unreachable, operation, key, e.Message, e),
    };
}
