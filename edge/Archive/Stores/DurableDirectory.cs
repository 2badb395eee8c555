using System.Runtime.InteropServices;

namespace Foretier.Archive.Stores;

/// <summary>
/// Makes names durable: a file that was created or renamed survives a power cut only once the directory that names it is synced,
/// which .NET has no call for.
/// </summary>
internal static partial class DurableDirectory
{
    private const int NoSpace = 28;
    private const int QuotaExceeded = 122;
    private const int CloseOnExec = 0x80000;

    /// <summary>Creates a directory and all above it that are missing, each durably.</summary>
    /// <exception cref="IOException">A directory cannot be made or synced.</exception>
    public static void Create(string path)
    {
        if (Directory.Exists(path))
        {
            return;
        }
        var parent = Path.GetDirectoryName(path);
        if (parent is not null)
        {
            Create(parent);
        }
        Directory.CreateDirectory(path);
        if (parent is not null)
        {
            Sync(parent);
        }
    }

    /// <exception cref="IOException">The directory cannot be synced.</exception>
    public static void Sync(string path)
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }
        var handle = Open(path, CloseOnExec);
        if (handle < 0)
        {
            throw Failure(path);
        }
        try
        {
            if (Fsync(handle) != 0)
            {
                throw Failure(path);
            }
        }
        finally
        {
            _ = Close(handle);
        }
    }

    /// <summary>True for the errors of a full disk or a used-up quota.</summary>
    public static bool IsFull(Exception e) => e is IOException && (e.HResult & 0xFFFF) is NoSpace or QuotaExceeded;

    private static IOException Failure(string path)
    {
        var error = Marshal.GetLastPInvokeError();
        return new($"directory {path} cannot be synced: {Marshal.GetPInvokeErrorMessage(error)}", error);
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Fsync(int handle);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int handle);
}
