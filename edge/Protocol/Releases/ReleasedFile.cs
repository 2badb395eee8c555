using System.Text.Json;

namespace Foretier.Protocol.Releases;

/// <summary>A file of a release.</summary>
/// <param name="Sha256">Hexadecimal.</param>
public sealed record ReleasedFile(string Name, long Bytes, string Sha256)
{
    /// <summary>Of every release document.</summary>
    internal static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        WriteIndented = true,
    };

    /// <summary>The digest of an image's layer, which is its file's name, has 64.</summary>
    private const int NameMax = 64;

    /// <summary>A name that means the same in a folder and in an archive, and leads nowhere else.</summary>
    public static bool IsName(string name) => name.Length is > 0 and <= NameMax && name[0] != '.' && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');

    /// <exception cref="ReleaseRefusedException">There are no files, too many or too large ones, or such as cannot be.</exception>
    internal static void Check(IReadOnlyList<ReleasedFile> files, int filesMax, long bytesMax)
    {
        if (files.Count == 0 || files.Count > filesMax || files.Any(file => !IsName(file.Name) || file.Bytes < 1 || file.Bytes > bytesMax) || files.DistinctBy(file => file.Name).Count() < files.Count)
        {
            throw new ReleaseRefusedException("the release names no files, too many, or such as cannot be");
        }
        var bytes = files.Sum(file => file.Bytes);
        if (bytes > bytesMax)
        {
            throw new ReleaseRefusedException($"the release has {bytes} bytes; at most {bytesMax} are taken");
        }
    }

    /// <exception cref="ReleaseRefusedException">It is no such document.</exception>
    internal static T Read<T>(ReadOnlySpan<byte> document)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize<T>(document, Json) ?? throw new JsonException("it is null");
        }
        catch (JsonException e)
        {
            throw new ReleaseRefusedException($"the release is not readable: {e.Message}");
        }
    }
}

/// <summary>A release is not to be used; the message says why, for an operator.</summary>
public sealed class ReleaseRefusedException(string message, Exception? inner = null) : Exception(message, inner);
