using System.Text.Json;

namespace Foretier.Protocol.Models;

/// <summary>What a publisher signs of a model: which it is, for whom, until when, and the digest of each of its files.</summary>
/// <param name="Format">Of this document: 1.</param>
/// <param name="Id">Which contract it keeps, e.g. <c>volume-lstm</c>.</param>
/// <param name="Version">Rises with every release of this id; a box takes no lower one than it has had, see <see cref="StepsBack"/>.</param>
/// <param name="Contract">Version of the contract that it keeps.</param>
/// <param name="OnnxRuntimeMin">The oldest ONNX Runtime that it may run on.</param>
/// <param name="Expires">From then on no box begins with it; one that has it goes on.</param>
/// <param name="Files">All of it, <c>model.json</c> among them.</param>
public sealed record ModelRelease(
    int Format, string Id, int Version, int Contract, string OnnxRuntimeMin, DateTimeOffset Expires, IReadOnlyList<ReleasedFile> Files)
{
    public const int FormatVersion = 1;

    /// <summary>A thousand times what a model takes: more is no model.</summary>
    public const long BytesMax = 32 << 20;

    private const int FilesMax = 8;
    private const int NameMax = 64;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        WriteIndented = true,
    };

    /// <summary>Signed to be taken by boxes that have had a later version: a step back that its publisher wants.</summary>
    public bool StepsBack { get; init; }

    public long Bytes => Files.Sum(file => file.Bytes);

    public byte[] ToDocument() => JsonSerializer.SerializeToUtf8Bytes(this, Json);

    /// <exception cref="ModelRefusedException">It is no such document, or names what cannot be.</exception>
    public static ModelRelease Parse(ReadOnlySpan<byte> document)
    {
        ModelRelease release;
        try
        {
            release = JsonSerializer.Deserialize<ModelRelease>(document, Json) ?? throw new JsonException("it is null");
        }
        catch (JsonException e)
        {
            throw new ModelRefusedException($"the release is not readable: {e.Message}");
        }
        var files = release.Files;
        return release.Format != FormatVersion ? throw new ModelRefusedException($"the release has format {release.Format}; this program reads {FormatVersion}")
            : !IsName(release.Id) || release.Version < 1 ? throw new ModelRefusedException($"the release names '{release.Id}' {release.Version}, which is no model and version")
            : files.Count is 0 or > FilesMax || files.Any(file => !IsName(file.Name) || file.Bytes < 1 || file.Bytes > BytesMax) || files.DistinctBy(file => file.Name).Count() < files.Count
                ? throw new ModelRefusedException("the release names no files, too many, or such as cannot be")
            : release.Bytes > BytesMax ? throw new ModelRefusedException($"the release has {release.Bytes} bytes; at most {BytesMax} are taken")
            : release;
    }

    /// <summary>A name that means the same in a folder and in an archive, and leads nowhere else.</summary>
    public static bool IsName(string name) => name.Length is > 0 and <= NameMax && name[0] != '.' && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');
}

/// <param name="Sha256">Hexadecimal.</param>
public sealed record ReleasedFile(string Name, long Bytes, string Sha256);

/// <summary>A model is not to be used; the message says why, for an operator.</summary>
public sealed class ModelRefusedException(string message, Exception? inner = null) : Exception(message, inner);
