using System.Text.Json;
using System.Text.Json.Serialization;
using Foretier.Durable;

namespace Foretier.Agent.Ingest.Identity.Certificates;

/// <param name="Serial">Hexadecimal.</param>
/// <param name="NotAfter">µs.</param>
/// <param name="RevokedAt">µs; 0 = not.</param>
public sealed record IssuedCertificate(string Serial, string Device, long NotAfter, long RevokedAt);

/// <summary>
/// Which certificates were issued and which of them are revoked, and the enrolment tokens that are open: one file, replaced whole, kept twice.
/// </summary>
internal sealed partial class CertificateBook
{
    private const int Format = 1;

    private readonly string _path;

    private CertificateBook(string path, Content content)
    {
        _path = path;
        Issued = content.Issued.ToDictionary(c => c.Serial, StringComparer.OrdinalIgnoreCase);
        Tokens = [.. content.Tokens];
    }

    public Dictionary<string, IssuedCertificate> Issued { get; private set; }
    public List<Token> Tokens { get; private set; }

    /// <summary>Damage that was found and put right at the start; null where there was none.</summary>
    public string? Problem { get; private init; }

    /// <exception cref="DeviceFileException">The file is there and cannot be read as one.</exception>
    public static CertificateBook Open(string path)
    {
        try
        {
            if (TwoCopies.Read(path, out var problem) is not { } text)
            {
                return new(path, new(Format, [], []));
            }
            var content = JsonSerializer.Deserialize(text, BookJson.Default.Content) ?? throw new JsonException("the file is empty");
            return content.Format == Format && Array.TrueForAll(content.Tokens, t => t.Secret.IsSound)
                ? new(path, content) { Problem = problem } : throw new JsonException($"its format is {content.Format}, this program reads {Format}");
        }
        catch (Exception broken) when (broken is JsonException or IOException or InvalidDataException or UnauthorizedAccessException)
        {
            // Starting without it would let revoked certificates in, or none.
            throw new DeviceFileException($"cannot read the certificates issued to devices in {path}: {broken.Message}. Restore the file from a "
                + "backup, or move it away (devices with certificates have to be enrolled again)", broken);
        }
    }

    /// <summary>Makes a change and writes it down; what cannot be written is not made.</summary>
    public void Change(Action<CertificateBook> make, long now)
    {
        var (issued, tokens) = (Issued, Tokens);
        (Issued, Tokens) = (new(issued, StringComparer.OrdinalIgnoreCase), [.. tokens.Where(t => t.Until > now)]);
        // What has ended needs no list to be refused.
        foreach (var ended in Issued.Values.Where(c => c.NotAfter <= now).ToList())
        {
            Issued.Remove(ended.Serial);
        }
        make(this);
        try
        {
            TwoCopies.Write(_path, JsonSerializer.SerializeToUtf8Bytes(new(Format, [.. Issued.Values], [.. Tokens]), BookJson.Default.Content),
                UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }
        catch
        {
            (Issued, Tokens) = (issued, tokens);
            throw;
        }
    }

    /// <param name="Until">µs.</param>
    internal sealed record Token(string Device, SecretHash Secret, long Until);

    internal sealed record Content(int Format, IssuedCertificate[] Issued, Token[] Tokens);

    [JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
        RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
    [JsonSerializable(typeof(Content))]
    private sealed partial class BookJson : JsonSerializerContext;
}
