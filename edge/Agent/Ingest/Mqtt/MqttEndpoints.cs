using System.Net;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Foretier.Node.Hosting;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Foretier.Agent.Ingest.Mqtt;

/// <summary>Where Kestrel listens for MQTT.</summary>
public static class MqttEndpoints
{
    /// <summary>
    /// Adds the plain port and the TLS port of the options; <see cref="MqttIngest.OnConnectedAsync"/> serves them.
    /// A taken port is the <see cref="IOException"/> of Kestrel's start.
    /// </summary>
    /// <exception cref="MqttCertificateException">The certificate cannot be read.</exception>
    public static void Listen(this KestrelServerOptions kestrel, MqttOptions options, Func<ConnectionContext, Task> serve)
    {
        if (options.Port >= 0)
        {
            kestrel.Listen(IPAddress.Parse(options.Address), options.Port, listen => listen.Run(serve));
        }
        if (options.Tls is { } tls)
        {
            var certificate = ReadCertificate(tls, out var chain);
            kestrel.Listen(IPAddress.Parse(tls.Address), tls.Port, listen =>
            {
                listen.UseHttps(https =>
                {
                    https.ServerCertificate = certificate;
                    https.ServerCertificateChain = chain;
                    https.SslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13;
                    https.HandshakeTimeout = options.ConnectTimeout;
                });
                listen.Run(serve);
            });
        }
    }

    private static X509Certificate2 ReadCertificate(MqttTlsOptions tls, out X509Certificate2Collection chain)
    {
        chain = [];
        try
        {
            if (X509Certificate2.GetCertContentType(tls.CertificateFile) == X509ContentType.Pkcs12)
            {
                return X509CertificateLoader.LoadPkcs12FromFile(tls.CertificateFile, tls.Password);
            }
            chain.ImportFromPemFile(tls.CertificateFile);
            return tls.Password is null
                ? X509Certificate2.CreateFromPemFile(tls.CertificateFile, tls.KeyFile)
                : X509Certificate2.CreateFromEncryptedPemFile(tls.CertificateFile, tls.Password, tls.KeyFile);
        }
        catch (Exception failure) when (failure is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new MqttCertificateException($"Mqtt:Tls:CertificateFile: no certificate with its key can be read from {tls.CertificateFile}"
                + $"{(tls.KeyFile is null ? "" : " and " + tls.KeyFile)}: {failure.Message}", failure);
        }
    }
}

/// <summary>The certificate of the TLS port cannot be read; the message names the file.</summary>
public sealed class MqttCertificateException(string message, Exception inner) : ConfigurationException(message, inner);
