using System.Runtime.InteropServices;

namespace Foretier.Predict;

/// <summary>
/// A small file that is replaced whole: temporary file, sync, rename, sync of the folder; a crash leaves the old one or the new one.
/// </summary>
public static partial class SealedFile
{
    /// <exception cref="IOException">The disk is full or the folder cannot be written; the old file is untouched.</exception>
    public static void Replace(string path, Action<Stream> write)
    {
        path = Path.GetFullPath(path);
        var folder = Path.GetDirectoryName(path)!;
        Directory.CreateDirectory(folder);
        var temporary = path + ".new";
        using (var file = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None))
        {
            write(file);
            file.Flush(flushToDisk: true);
        }
        File.Move(temporary, path, overwrite: true);
        SyncFolder(folder);
    }

    /// <summary>
    /// Reads a file; where it is damaged, moves it aside to <c>….damaged</c> and says so through <paramref name="damaged"/> (path, reason).
    /// </summary>
    /// <returns>What was read, or null where there is no file or a damaged one.</returns>
    public static T? Read<T>(string path, Func<Stream, T> read, Action<string, string> damaged)
        where T : class
    {
        if (!File.Exists(path))
        {
            return null;
        }
        try
        {
            using var file = File.OpenRead(path);
            return read(file);
        }
        catch (InvalidDataException e)
        {
            damaged(path, e.Message);
        }
        File.Move(path, path + ".damaged", overwrite: true);
        return null;
    }

    private static void SyncFolder(string folder)
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }
        var handle = Open(folder, 0);
        if (handle < 0)
        {
            throw new IOException($"cannot open {folder} to sync it (errno {Marshal.GetLastPInvokeError()})");
        }
        try
        {
            if (FSync(handle) != 0)
            {
                throw new IOException($"cannot sync {folder} (errno {Marshal.GetLastPInvokeError()})");
            }
        }
        finally
        {
            _ = Close(handle);
        }
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FSync(int handle);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int handle);
}
