using System.Security.Cryptography;
using System.Text.Json.Serialization;

namespace Foretier.Protocol.Releases;

/// <summary>A release as it was signed, byte for byte, with its signature: RSA-PSS over SHA-256, as <c>openssl dgst</c> makes and verifies it.</summary>
public sealed record SignedRelease(byte[] Document, byte[] Signature)
{
    /// <summary>The files' names beside what is released, and in the archive.</summary>
    public const string DocumentFile = "release.json", SignatureFile = "release.sig";

    /// <summary>SHA-256 of the document, hexadecimal: two releases of one digest are one.</summary>
    [JsonIgnore]
    public string Digest => Convert.ToHexStringLower(SHA256.HashData(Document));

    /// <exception cref="ReleaseRefusedException">It is no release of a model. The signature is not looked at: see <see cref="ReleaseKeys"/>.</exception>
    public ModelRelease AsModel() => ModelRelease.Parse(Document);

    /// <exception cref="ReleaseRefusedException">It is no release of an image. The signature is not looked at: see <see cref="ReleaseKeys"/>.</exception>
    public ImageRelease AsImage() => ImageRelease.Parse(Document);

    /// <param name="keyPem">The private key, as <c>scripts/release --make-keys</c> makes it.</param>
    /// <exception cref="ReleaseRefusedException">It is no such key.</exception>
    public static SignedRelease Sign(byte[] document, string keyPem)
    {
        using var key = RSA.Create();
        try
        {
            key.ImportFromPem(keyPem);
            return new(document, key.SignData(document, HashAlgorithmName.SHA256, RSASignaturePadding.Pss));
        }
        catch (Exception e) when (e is ArgumentException or CryptographicException)
        {
            throw new ReleaseRefusedException($"there is no private RSA key in PEM: {e.Message}", e);
        }
    }
}
