using System.Security.Cryptography;
using System.Text;

namespace Foretier.Durable;

/// <summary>
/// A small text file that a flipped bit must not cost: it is kept twice, <c>PATH</c> and <c>PATH.copy</c>, each with the SHA-256 of its text
/// in a last line of its own.
/// </summary>
public static class TwoCopies
{
    private static ReadOnlySpan<byte> Mark => "\n// sha256 "u8;

    /// <summary>Replaces both. The copy goes first: what was refused before the file itself was replaced has changed nothing.</summary>
    /// <exception cref="IOException">As <see cref="Disk.Replace"/>.</exception>
    public static void Write(string path, ReadOnlySpan<byte> text, UnixFileMode? mode = null)
    {
        byte[] bytes = [.. text, .. Mark, .. Encoding.ASCII.GetBytes(Convert.ToHexStringLower(SHA256.HashData(text))), (byte)'\n'];
        Disk.Replace(CopyOf(path), file => file.Write(bytes), mode);
        Disk.Replace(path, file => file.Write(bytes), mode);
    }

    /// <summary>Reads what was written. Where the file is damaged and its copy is not, puts it right and says so.</summary>
    /// <param name="problem">What was found and done; null where all is well.</param>
    /// <returns>Null where there is no file. A file without checksum, which an earlier version or a person wrote, is taken as it is.</returns>
    /// <exception cref="InvalidDataException">Neither can be believed.</exception>
    public static byte[]? Read(string path, out string? problem)
    {
        problem = null;
        if (!File.Exists(path))
        {
            return null;
        }
        var bytes = File.ReadAllBytes(path);
        var mark = bytes.AsSpan().LastIndexOf(Mark);
        if (TextOf(bytes) is { } text)
        {
            return text;
        }
        var copy = File.Exists(CopyOf(path)) ? File.ReadAllBytes(CopyOf(path)) : [];
        if (TextOf(copy) is { } kept)
        {
            Disk.Replace(path, file => file.Write(copy), OperatingSystem.IsWindows() ? null : File.GetUnixFileMode(CopyOf(path)));
            problem = $"{path} was damaged (its checksum did not match) and has been restored from its second copy";
            return kept;
        }
        return mark < 0 && copy.Length == 0 ? bytes
            : throw new InvalidDataException($"its checksum does not match, nor that of {CopyOf(path)}");
    }

    private static string CopyOf(string path) => path + ".copy";

    /// <summary>The text of a whole file; null where its checksum is missing or another.</summary>
    private static byte[]? TextOf(byte[] bytes)
    {
        var mark = bytes.AsSpan().LastIndexOf(Mark);
        if (mark < 0)
        {
            return null;
        }
        var text = bytes[..mark];
        var said = bytes.AsSpan(mark + Mark.Length);
        return said.Length == 2 * SHA256.HashSizeInBytes + 1 && said[^1] == '\n'
            && said[..^1].SequenceEqual(Encoding.ASCII.GetBytes(Convert.ToHexStringLower(SHA256.HashData(text)))) ? text : null;
    }
}
