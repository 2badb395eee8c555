using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Etcdserverpb;
using Foretier.Node.Hosting;
using Grpc.Net.Client;

namespace Foretier.Router.Etcd;

/// <summary>One member of an etcd cluster and the services it offers.</summary>
internal sealed class EtcdMember(Uri address, GrpcChannel channel) : IDisposable
{
    /// <summary>A page of the largest memberships; etcd itself takes 1.5 MB a request.</summary>
    private const int AnswerBytesMax = 64 << 20;

    public Uri Address => address;
    public KV.KVClient Keys { get; } = new(channel);
    public Watch.WatchClient Watch { get; } = new(channel);
    public Auth.AuthClient Auth { get; } = new(channel);

    /// <exception cref="ConfigurationException">A certificate file cannot be read.</exception>
    public static EtcdMember Of(Uri address, EtcdOptions options)
    {
        var handler = new SocketsHttpHandler
        {
            EnableMultipleHttp2Connections = true,
            ConnectTimeout = TimeSpan.FromSeconds(options.DeadlineSeconds),
            // Finds members that are there no more without saying so. etcd takes offence at pings more often than every five seconds.
            KeepAlivePingDelay = TimeSpan.FromSeconds(6),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(6),
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
            UseProxy = false,
        };
        if (address.Scheme == Uri.UriSchemeHttps)
        {
            Secure(handler.SslOptions, options);
        }
        return new(address, GrpcChannel.ForAddress(address, new() { HttpHandler = handler, DisposeHttpClient = true, MaxReceiveMessageSize = AnswerBytesMax }));
    }

    public void Dispose() => channel.Dispose();

    private static void Secure(SslClientAuthenticationOptions tls, EtcdOptions options)
    {
        try
        {
            if (options.CaFile is { Length: > 0 } file)
            {
                var trusted = new X509Certificate2Collection();
                trusted.ImportFromPemFile(file);
                if (trusted.Count == 0)
                {
                    throw new CryptographicException("there is no certificate in it");
                }
                tls.CertificateChainPolicy = new() { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
                tls.CertificateChainPolicy.CustomTrustStore.AddRange(trusted);
            }
            if (options.CertificateFile is { Length: > 0 } own)
            {
                tls.ClientCertificates = [X509Certificate2.CreateFromPemFile(own, options.KeyFile)];
            }
        }
        catch (Exception error) when (error is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"settings: FORETIER__ETCD__CAFILE, __CERTIFICATEFILE and __KEYFILE: a certificate for etcd cannot be read: {error.Message}", error);
        }
    }
}
