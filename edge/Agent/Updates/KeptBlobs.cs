using Foretier.Durable;
using Foretier.Protocol.Releases;

namespace Foretier.Agent.Updates;

/// <summary>
/// Layers of the images that came before, so that the next one brings only what it does not share with them. A file is known by its name, which is its digest, and
/// that name is never believed: it is taken only after its digest was computed again.
/// </summary>
/// <param name="bytesMax">More are not kept; 0: none.</param>
internal sealed class KeptBlobs(string folder, long bytesMax)
{
    private const int DigestCharacters = 64;

    /// <summary>Of the disk, however much may be kept: the rest is for what was measured.</summary>
    private const int DiskShare = 20;

    public bool IsEmpty => !Directory.Exists(folder) || !Directory.EnumerateFiles(folder).Any();

    /// <summary>Keeps what was fetched whole, by moving it here.</summary>
    /// <param name="from">A folder of an image; what is no blob by its name, or not whole, stays there.</param>
    /// <param name="others">What was kept before stays too.</param>
    /// <exception cref="IOException">It cannot be moved.</exception>
    public void Keep(string from, bool others)
    {
        var found = Directory.Exists(from) ? Directory.GetFiles(from).Where(IsBlob).ToList() : [];
        if (found.Count == 0)
        {
            return;
        }
        var most = Math.Min(bytesMax, new DriveInfo(from).TotalSize / DiskShare);
        if (!others || Bytes(found) + Bytes(Kept) > most)
        {
            Clear();
        }
        if (Bytes(found) > most)
        {
            return;
        }
        Disk.CreateDirectory(folder);
        foreach (var file in found)
        {
            File.Move(file, PathOf(Path.GetFileName(file)), overwrite: true);
        }
        Disk.SyncDirectory(folder);
    }

    /// <summary>Moves a file of a release there, if it is here and is what was signed; one that is not is removed.</summary>
    /// <exception cref="IOException">It cannot be read or moved.</exception>
    public bool TryTake(ReleasedFile file, string to)
    {
        var name = file.Sha256.ToLowerInvariant();
        var from = new FileInfo(PathOf(name));
        if (from.Name != name || !IsBlob(name) || !from.Exists)
        {
            return false;
        }
        if (from.Length != file.Bytes || !ReleaseDownload.DigestOf(from.FullName).Equals(file.Sha256, StringComparison.OrdinalIgnoreCase))
        {
            from.Delete();
            return false;
        }
        Disk.CreateDirectory(Path.GetDirectoryName(to)!);
        File.Move(from.FullName, to, overwrite: true);
        Disk.SyncDirectory(Path.GetDirectoryName(to)!);
        return true;
    }

    /// <exception cref="IOException">It cannot be removed.</exception>
    public void Clear()
    {
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private IEnumerable<string> Kept => Directory.Exists(folder) ? Directory.EnumerateFiles(folder) : [];

    /// <summary>Its digest in lower case, as skopeo names blobs in a folder.</summary>
    private static bool IsBlob(string path) => Path.GetFileName(path) is { Length: DigestCharacters } name && name.All(char.IsAsciiHexDigitLower);

    private static long Bytes(IEnumerable<string> files) => files.Sum(file => new FileInfo(file).Length);

    private string PathOf(string name) => Path.Combine(folder, name);
}
