using System.Security.Cryptography;
using Foretier.Durable;
using Foretier.Protocol.Releases;

namespace Foretier.Agent.Updates;

/// <summary>
/// The files of a release as they come in, part by part: what a broken link or a power cut left is gone on with, and nothing is believed before its
/// digest is that of the release.
/// </summary>
internal sealed class ReleaseDownload(string folder, IReadOnlyList<ReleasedFile> files)
{
    public const int PartBytesMax = 256 << 10;

    private const string Unfinished = ".part";

    private readonly HashSet<string> _begunAnew = [];

    public long Bytes => files.Sum(file => Length(file.Name));

    /// <summary>The next part to ask for; null when all is there.</summary>
    public FilePart? Need => files.FirstOrDefault(file => !File.Exists(PathOf(file.Name))) is not { } file ? null
        : new(file.Name, Length(file.Name), (int)Math.Min(PartBytesMax, file.Bytes - Length(file.Name)));

    /// <summary>Takes what need not be brought from what is kept here.</summary>
    /// <returns>How many bytes that saves.</returns>
    /// <exception cref="IOException">It cannot be read or moved.</exception>
    public long Take(KeptBlobs kept) =>
        // (One that is begun is gone on with: it was looked for before that.)
        files.Where(file => Length(file.Name) == 0 && kept.TryTake(file, PathOf(file.Name))).Sum(file => file.Bytes);

    /// <summary>Takes in a part. One that was not asked for is left.</summary>
    /// <exception cref="ReleaseRefusedException">The file ends early, or is not what was signed, twice.</exception>
    /// <exception cref="IOException">It cannot be stored.</exception>
    public void Take(string name, long offset, ReadOnlySpan<byte> part)
    {
        if (Need is not { } need || need.File != name || need.Offset != offset || part.Length > need.Bytes)
        {
            return;
        }
        var file = files.Single(one => one.Name == name);
        if (part.IsEmpty)
        {
            throw new ReleaseRefusedException($"{name} ends after {offset} of its {file.Bytes} bytes in the archive");
        }
        Disk.CreateDirectory(folder);
        var path = PathOf(name) + Unfinished;
        using (var to = new FileStream(path, FileMode.Append, FileAccess.Write))
        {
            to.Write(part);
            if (offset + part.Length < file.Bytes)
            {
                return;
            }
            to.Flush(flushToDisk: true);
        }
        var actual = DigestOf(path);
        if (actual.Equals(file.Sha256, StringComparison.OrdinalIgnoreCase))
        {
            File.Move(path, PathOf(name), overwrite: true);
            Disk.SyncDirectory(folder);
            return;
        }
        // After a power cut a file may have gaps: once it is fetched anew.
        File.Delete(path);
        if (!_begunAnew.Add(name))
        {
            throw new ReleaseRefusedException($"{name} is not what was signed: its SHA-256 is {actual} instead of {file.Sha256}");
        }
    }

    /// <summary>SHA-256 of a file, lower-case hex.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    internal static string DigestOf(string path)
    {
        using var content = File.OpenRead(path);
        return Convert.ToHexStringLower(SHA256.HashData(content));
    }

    private string PathOf(string name) => Path.Combine(folder, name);

    private long Length(string name)
    {
        var whole = new FileInfo(PathOf(name));
        var part = new FileInfo(PathOf(name) + Unfinished);
        return whole.Exists ? whole.Length : part.Exists ? part.Length : 0;
    }
}

/// <param name="Offset">So many bytes are there.</param>
/// <param name="Bytes">How many come next.</param>
internal sealed record FilePart(string File, long Offset, int Bytes);
