using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Foretier.Node.Hosting;

/// <summary>The certificate of a node's https address, with those between it and its authority.</summary>
internal sealed class NodeCertificate
{
    private readonly SslStreamCertificateContext _context;

    private NodeCertificate(SslStreamCertificateContext context) => _context = context;

    /// <exception cref="ConfigurationException">There is none, or it cannot be read.</exception>
    public static NodeCertificate Open(TlsOptions tls)
    {
        if (tls.CertificateFile is not { Length: > 0 } file)
        {
            throw new ConfigurationException("settings: FORETIER__HTTP is https, which needs FORETIER__TLS__CERTIFICATEFILE (PEM) and, where the key is not in it, FORETIER__TLS__KEYFILE.");
        }
        try
        {
            var chain = new X509Certificate2Collection();
            chain.ImportFromPemFile(file);
            return new(SslStreamCertificateContext.Create(X509Certificate2.CreateFromPemFile(file, tls.KeyFile ?? file), chain, offline: true));
        }
        catch (Exception failure) when (failure is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new ConfigurationException($"settings: FORETIER__TLS__CERTIFICATEFILE: no certificate with its key can be read from {file}"
                + $"{(tls.KeyFile is null ? "" : " and " + tls.KeyFile)}: {failure.Message}", failure);
        }
    }

    public void Use(HttpsConnectionAdapterOptions https)
    {
        https.SslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13;
        https.ServerCertificate = _context.TargetCertificate;
        https.ServerCertificateChain = [.. _context.IntermediateCertificates];
    }
}
