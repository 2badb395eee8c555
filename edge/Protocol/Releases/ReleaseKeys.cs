using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Foretier.Protocol.Releases;

/// <summary>
/// The public keys whose releases a box takes: one, or for a time two, where a new one takes over. Of the certificates that hold them only the keys
/// count: a box may not know the time, and a release says itself how long it is good.
/// </summary>
public sealed class ReleaseKeys
{
    private readonly IReadOnlyList<X509Certificate2> _certificates;

    private ReleaseKeys(IReadOnlyList<X509Certificate2> certificates) => _certificates = certificates;

    /// <param name="path">PEM file of one or more certificates, as <c>scripts/release --make-keys</c> makes them.</param>
    /// <exception cref="ReleaseRefusedException">There is no such file, or no RSA key in it.</exception>
    public static ReleaseKeys Open(string path)
    {
        try
        {
            var certificates = new X509Certificate2Collection();
            certificates.ImportFromPemFile(path);
            return certificates.Count > 0 && certificates.All(HasKey) ? new([.. certificates])
                : throw new ReleaseRefusedException($"{path} has no certificate of an RSA key; see scripts/release --make-keys");
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new ReleaseRefusedException($"no certificate can be read from {path}: {e.Message}", e);
        }
    }

    /// <summary>Returns where one of the keys has signed it.</summary>
    /// <exception cref="ReleaseRefusedException">None of them has.</exception>
    public void Verify(SignedRelease signed)
    {
        if (!_certificates.Any(certificate => Signed(certificate, signed)))
        {
            throw new ReleaseRefusedException(signed.Signature.Length == 0 ? "the release is not signed" : "the release is not signed by a key that this box trusts, or was changed since");
        }
    }

    private static bool Signed(X509Certificate2 certificate, SignedRelease signed)
    {
        using var key = certificate.GetRSAPublicKey();
        return key!.VerifyData(signed.Document, signed.Signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pss);
    }

    private static bool HasKey(X509Certificate2 certificate)
    {
        using var key = certificate.GetRSAPublicKey();
        return key is not null;
    }
}
