using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Foretier.Gateway.Warm;

/// <summary>What .NET has no call for: writing through data without metadata, and directory entries.</summary>
internal static partial class Disk
{
    /// <summary>Returns once all written bytes of the file, and its length, are on the disk.</summary>
    /// <exception cref="IOException">The disk refused; nothing may be said about the bytes written since the last success.</exception>
    public static void Sync(SafeFileHandle file)
    {
        if (!OperatingSystem.IsLinux())
        {
            RandomAccess.FlushToDisk(file);
        }
        else if (FDataSync(file) != 0)
        {
            throw Error("fdatasync");
        }
    }

    /// <summary>Makes files created in or removed from a directory stay so after a power cut. File systems elsewhere than on Linux do it themselves.</summary>
    public static void SyncDirectory(string path)
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }
        var directory = Open(path, 0);
        if (directory < 0)
        {
            throw Error($"open {path}");
        }
        var synced = FSync(directory);
        var error = Marshal.GetLastPInvokeError();
        _ = Close(directory);
        if (synced != 0)
        {
            Marshal.SetLastPInvokeError(error);
            throw Error($"fsync {path}");
        }
    }

    private static IOException Error(string operation)
    {
        var error = Marshal.GetLastPInvokeError();
        return new($"{operation}: {new Win32Exception(error).Message}", error);
    }

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    private static partial int FDataSync(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FSync(int file);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int file);
}
