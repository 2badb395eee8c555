using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Foretier.Durable;
using Foretier.Node.Hosting;

namespace Foretier.Agent.Ingest.Mqtt;

/// <summary>
/// The certificate of the TLS port: the configured one, or one this agent makes for itself at its first start and keeps, so that devices
/// can be given a copy of it to trust.
/// </summary>
internal sealed record ServerCertificate(X509Certificate2 Certificate, X509Certificate2Collection Chain)
{
    // A box without a trusted clock makes it too, so its life must not depend on what the clock says then; 2050 needs another date format.
    private static readonly DateTimeOffset NotBefore = new(2017, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset NotAfter = new(2049, 12, 31, 0, 0, 0, TimeSpan.Zero);

    /// <exception cref="MqttCertificateException">It cannot be read, or not be made.</exception>
    public static ServerCertificate Open(MqttTlsOptions tls)
    {
        var file = tls.CertificateFile ?? tls.OwnCertificateFile;
        var chain = new X509Certificate2Collection();
        try
        {
            if (tls.CertificateFile is null && !File.Exists(file))
            {
                Make(file);
            }
            if (X509Certificate2.GetCertContentType(file) == X509ContentType.Pkcs12)
            {
                return new(X509CertificateLoader.LoadPkcs12FromFile(file, tls.Password), chain);
            }
            chain.ImportFromPemFile(file);
            return new(tls.Password is null
                ? X509Certificate2.CreateFromPemFile(file, tls.KeyFile)
                : X509Certificate2.CreateFromEncryptedPemFile(file, tls.Password, tls.KeyFile), chain);
        }
        catch (Exception failure) when (failure is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            var key = tls.CertificateFile is null ? "Mqtt:Tls" : "Mqtt:Tls:CertificateFile";
            throw new MqttCertificateException($"{key}: no certificate with its key can be read from {file}"
                + $"{(tls.KeyFile is null ? "" : " and " + tls.KeyFile)}: {failure.Message}", failure);
        }
    }

    /// <summary>Certificate and key in one file for its owner alone, and the certificate by itself beside it (.crt), for devices.</summary>
    private static void Make(string file)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var host = Dns.GetHostName();
        var request = new CertificateRequest(new X500DistinguishedName("CN=foretier agent"), key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        if (host.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.') && host.Length is > 0 and <= 253)
        {
            names.AddDnsName(host);
        }
        names.AddIpAddress(IPAddress.Loopback);
        names.AddIpAddress(IPAddress.IPv6Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new("1.3.6.1.5.5.7.3.1")], critical: false)); // server
        using var certificate = request.CreateSelfSigned(NotBefore, NotAfter);
        var pem = certificate.ExportCertificatePem() + "\n";
        Write(Path.ChangeExtension(file, ".crt"), pem, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        Write(file, pem + key.ExportPkcs8PrivateKeyPem() + "\n", UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    private static void Write(string file, string text, UnixFileMode mode) =>
        Disk.Replace(file, stream => stream.Write(System.Text.Encoding.ASCII.GetBytes(text)), mode);
}

/// <summary>The certificate of the TLS port cannot be read; the message names the file.</summary>
public sealed class MqttCertificateException(string message, Exception inner) : ConfigurationException(message, inner);
