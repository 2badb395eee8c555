using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Foretier.Durable;

namespace Foretier.Agent.Ingest.Identity.Certificates;

/// <summary>
/// The edge's own small certificate authority (ECDSA P-256), which signs the certificates of its devices and nothing else. Its key stays in
/// one file for its owner alone.
/// </summary>
internal sealed class DeviceAuthority : IDisposable
{
    /// <summary>OID of "may be used by a TLS client".</summary>
    public const string ClientUse = "1.3.6.1.5.5.7.3.2";

    private const int RsaBitsMin = 2048;
    private const int SerialBytes = 16;

    // A box without a trusted clock makes it too, so its life must not depend on what the clock says then.
    private static readonly DateTimeOffset NotBefore = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset NotAfter = new(2049, 12, 31, 0, 0, 0, TimeSpan.Zero);

    private readonly ECDsa _key;

    private DeviceAuthority(X509Certificate2 certificate, ECDsa key) => (Certificate, _key) = (certificate, key);

    public X509Certificate2 Certificate { get; }

    /// <summary>Reads it, or makes it where there is none.</summary>
    /// <param name="file">PEM file of certificate and key, 0600.</param>
    /// <exception cref="DeviceFileException">The file is there and cannot be read as one.</exception>
    public static DeviceAuthority Open(string file, string node)
    {
        try
        {
            if (!File.Exists(file))
            {
                Make(file, node);
            }
            var certificate = X509Certificate2.CreateFromPemFile(file);
            return new(certificate, certificate.GetECDsaPrivateKey() ?? throw new CryptographicException("its key is none of ECDSA"));
        }
        catch (Exception broken) when (broken is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new DeviceFileException($"cannot read the certificate authority of devices in {file}: {broken.Message}. Restore the file from a "
                + "backup, or move it away to make a new one (devices with certificates have to be enrolled again)", broken);
        }
    }

    /// <summary>Signs the key of a request for a device. What else the request asks for does not count.</summary>
    /// <exception cref="ArgumentException">It is no request, its signature is wrong, or its key too weak.</exception>
    public X509Certificate2 Sign(byte[] request, DeviceName device, DateTimeOffset now, TimeSpan life)
    {
        var asked = Read(request);
        var subject = new X500DistinguishedNameBuilder();
        subject.AddCommonName(device.ToString());
        var made = new CertificateRequest(subject.Build(), asked.PublicKey, HashAlgorithmName.SHA256);
        made.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        made.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        made.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new(ClientUse)], false));
        made.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(Certificate, true, false));
        var serial = RandomNumberGenerator.GetBytes(SerialBytes);
        // A positive number without leading zeros.
        serial[0] = (byte)((serial[0] & 0x7F) | 0x40);
        var from = now.AddHours(-1);
        var until = now + life;
        return made.Create(Certificate.SubjectName, X509SignatureGenerator.CreateForECDsa(_key), from < NotBefore ? NotBefore : from, until > NotAfter ? NotAfter : until, serial);
    }

    public void Dispose()
    {
        _key.Dispose();
        Certificate.Dispose();
    }

    private static CertificateRequest Read(byte[] request)
    {
        try
        {
            var text = System.Text.Encoding.ASCII.GetString(request);
            var asked = text.Contains("-----BEGIN", StringComparison.Ordinal)
                ? CertificateRequest.LoadSigningRequestPem(text, HashAlgorithmName.SHA256, signerSignaturePadding: RSASignaturePadding.Pkcs1)
                : CertificateRequest.LoadSigningRequest(request, HashAlgorithmName.SHA256, signerSignaturePadding: RSASignaturePadding.Pkcs1);
            using var rsa = asked.PublicKey.GetRSAPublicKey();
            using var ec = asked.PublicKey.GetECDsaPublicKey();
            return ec is not null || rsa?.KeySize >= RsaBitsMin ? asked
                : throw new ArgumentException($"the key of the certificate request must be of ECDSA, or RSA with at least {RsaBitsMin} bits");
        }
        catch (Exception wrong) when (wrong is CryptographicException or ArgumentException { ParamName: not null })
        {
            throw new ArgumentException("the body is no PKCS#10 certificate request (PEM or DER) with a good signature: make one with "
                + "openssl req -new -key device.key -subj /CN=device");
        }
    }

    private static void Make(string file, string node)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var subject = new X500DistinguishedNameBuilder();
        subject.AddCommonName($"foretier devices of {node}"[..Math.Min(64, 20 + node.Length)]);
        var request = new CertificateRequest(subject.Build(), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        using var made = request.CreateSelfSigned(NotBefore, NotAfter);
        var pem = System.Text.Encoding.ASCII.GetBytes($"{made.ExportCertificatePem()}\n{key.ExportPkcs8PrivateKeyPem()}\n");
        Disk.Replace(file, to => to.Write(pem), UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }
}
