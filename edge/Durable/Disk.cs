using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Foretier.Durable;

/// <summary>
/// What .NET has no call for: syncing data without metadata, and directories. A file that was created, renamed or removed is so after a
/// power cut only once the directory that names it is synced. Elsewhere than on Linux the file system keeps its directories itself.
/// </summary>
public static partial class Disk
{
    private const int NoSpace = 28;
    private const int QuotaExceeded = 122;
    private const int CloseOnExec = 0x80000;
    private const int KeepSize = 1;
    private const int NotSupported = 95;
    private const int NoSuchCall = 38;

    /// <summary>
    /// Returns once all written bytes of the file, and its length, are on the disk. .NET's own flush is a full fsync; in a preallocated
    /// file fdatasync is one device flush instead of two.
    /// </summary>
    /// <exception cref="IOException">The disk refused; nothing may be said about the bytes written since the last success.</exception>
    public static void Sync(SafeFileHandle file)
    {
        if (!OperatingSystem.IsLinux())
        {
            RandomAccess.FlushToDisk(file);
        }
        else if (Native.fdatasync(file) != 0)
        {
            throw Failed("fdatasync", "a file");
        }
    }

    /// <summary>Makes the names in a directory durable.</summary>
    /// <exception cref="IOException">The directory cannot be opened or synced.</exception>
    public static void SyncDirectory(string path)
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }
        var directory = Native.open(path, CloseOnExec);
        if (directory < 0)
        {
            throw Failed("open", path);
        }
        try
        {
            if (Native.fsync(directory) != 0)
            {
                throw Failed("fsync", path);
            }
        }
        finally
        {
            _ = Native.close(directory);
        }
    }

    /// <summary>Creates a directory and all above it that are missing, each durably.</summary>
    /// <exception cref="IOException">A directory cannot be made or synced.</exception>
    public static void CreateDirectory(string path)
    {
        if (Directory.Exists(path))
        {
            return;
        }
        var parent = Path.GetDirectoryName(path);
        if (parent is not null)
        {
            CreateDirectory(parent);
        }
        Directory.CreateDirectory(path);
        if (parent is not null)
        {
            SyncDirectory(parent);
        }
    }

    /// <summary>
    /// Replaces a small file whole: temporary file, sync, rename, sync of the directory. A crash leaves the old one or the new one.
    /// </summary>
    /// <param name="mode">Rights of the new file (not on Windows); null = the process's default.</param>
    /// <exception cref="IOException">The disk is full or the directory cannot be written; the old file is untouched.</exception>
    public static void Replace(string path, Action<Stream> write, UnixFileMode? mode = null)
    {
        path = Path.GetFullPath(path);
        var directory = Path.GetDirectoryName(path)!;
        Directory.CreateDirectory(directory);
        var temporary = path + ".new";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, Share = FileShare.None };
        if (mode is not null && !OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = mode;
        }
        // The mode counts at creation only, so a left-over of a crash must go first.
        File.Delete(temporary);
        using (var file = new FileStream(temporary, options))
        {
            write(file);
            file.Flush(flushToDisk: true);
        }
        File.Move(temporary, path, overwrite: true);
        SyncDirectory(directory);
    }

    /// <summary>
    /// Sets bytes of the device aside for a file from its beginning on, without changing its length; what it has already stays. Where the file system cannot
    /// do that nothing is set aside, and nothing said.
    /// </summary>
    /// <exception cref="IOException">There is no such room (<see cref="IsFull"/>); what was set aside before stays.</exception>
    public static void Reserve(SafeFileHandle file, long bytes)
    {
        if (bytes > 0 && OperatingSystem.IsLinux() && Native.fallocate(file, KeepSize, 0, bytes) != 0 && Marshal.GetLastPInvokeError() is not (NotSupported or NoSuchCall))
        {
            throw Failed("fallocate", "a file");
        }
    }

    /// <summary>True for the errors of a full disk or a used-up quota, and for what came of one.</summary>
    public static bool IsFull(Exception e) => e is IOException && ((e.HResult & 0xFFFF) is NoSpace or QuotaExceeded || (e.InnerException is { } inner && IsFull(inner)));

    private static IOException Failed(string call, string what)
    {
        var error = Marshal.GetLastPInvokeError();
        return new($"{call} of {what} failed: {new Win32Exception(error).Message} (errno {error})", error);
    }

    private static partial class Native
    {
        [LibraryImport("libc", SetLastError = true)]
        internal static partial int fdatasync(SafeFileHandle file);

        [LibraryImport("libc", SetLastError = true)]
        internal static partial int fallocate(SafeFileHandle file, int mode, long offset, long length);

        [LibraryImport("libc", SetLastError = true)]
        internal static partial int fsync(int file);

        [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
        internal static partial int open(string path, int flags);

        [LibraryImport("libc", SetLastError = true)]
        internal static partial int close(int file);
    }
}
