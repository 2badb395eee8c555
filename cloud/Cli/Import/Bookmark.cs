using System.Security.Cryptography;
using System.Text;

namespace Foretier.Cli.Import;

/// <summary>How far an import is: every row up to here was acknowledged, refused or bad.</summary>
/// <param name="File">For people who look into the folder.</param>
/// <param name="Row">Rows from the beginning of the file.</param>
/// <param name="RefusedBy">Readings by the broker's reason.</param>
internal sealed record Progress(string File, long Row, long Acknowledged, long Refused, IReadOnlyDictionary<string, long> RefusedBy);

/// <summary>
/// Where an import's progress is kept, so that the same command goes on after it was killed. The name is made of the file's content and of
/// what is done with it: another file or another device is another import.
/// </summary>
internal sealed class Bookmark(string path)
{
    /// <param name="folder">Where bookmarks are.</param>
    /// <param name="file">What is imported.</param>
    /// <param name="what">Everything else that makes it this import and no other.</param>
    /// <param name="cancel">Ends the reading.</param>
    public static async Task<Bookmark> OfAsync(string folder, string file, IEnumerable<string> what, CancellationToken cancel)
    {
        await using var content = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan | FileOptions.Asynchronous);
        var digest = Convert.ToHexStringLower(await SHA256.HashDataAsync(content, cancel).ConfigureAwait(false));
        var key = SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', what.Prepend(digest))));
        Directory.CreateDirectory(folder);
        return new(Path.Combine(folder, Convert.ToHexStringLower(key.AsSpan(0, 16)) + ".json"));
    }

    public Progress? Read() => DataFolder.Read<Progress>(path);

    public void Write(Progress progress) => DataFolder.Replace(path, progress);

    /// <summary>The import is over: the next one of the same file begins anew.</summary>
    public void Delete() => File.Delete(path);
}
