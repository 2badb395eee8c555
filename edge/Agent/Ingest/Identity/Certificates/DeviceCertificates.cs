using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Foretier.Core.Samples;

namespace Foretier.Agent.Ingest.Identity.Certificates;

/// <summary>How a device shows that it may have a certificate: one of a token, its secret, or its still valid certificate and a signature over the request.</summary>
public sealed record EnrolmentProof(string? Token, string? Secret, byte[]? Certificate, byte[]? Signature);

/// <summary>
/// Certificates of devices: enrolment, renewal, revocation, and whom one stands for. Thread-safe. Whoever is let in by a certificate needs
/// no secret; revoking the device ends both.
/// </summary>
public sealed class DeviceCertificates : IDisposable
{
    private const int TokensMax = 10_000;

    private readonly Lock _lock = new();
    private readonly DeviceRegistry _devices;
    private readonly IdentityOptions _options;
    private readonly TimeProvider _clock;
    private readonly DeviceAuthority _own;
    private readonly CertificateBook _book;
    private readonly X509Certificate2Collection _foreign;

    private DeviceCertificates(DeviceRegistry devices, IdentityOptions options, TimeProvider clock, DeviceAuthority own, CertificateBook book)
    {
        (_devices, _options, _clock, _own, _book) = (devices, options, clock, own, book);
        _foreign = options.ReadTrusted();
    }

    /// <param name="folder">Has the authority (devices-ca.pem) and the list of what it issued (certificates.json).</param>
    /// <exception cref="DeviceFileException">One of the files is there and unreadable.</exception>
    /// <exception cref="ArgumentException">A trusted authority of the options cannot be read.</exception>
    public static DeviceCertificates Open(string folder, string node, DeviceRegistry devices, IdentityOptions options, TimeProvider clock) =>
        new(devices, options, clock, DeviceAuthority.Open(Path.Combine(folder, "devices-ca.pem"), node), CertificateBook.Open(Path.Combine(folder, "certificates.json")));

    /// <summary>Damage that was found and put right at the start; null where there was none.</summary>
    public string? Problem => _book.Problem;

    /// <summary>Of the authority, in PEM: for other brokers that are to trust these devices.</summary>
    public string AuthorityPem => _own.Certificate.ExportCertificatePem();

    public DateTimeOffset AuthorityNotAfter => _own.Certificate.NotAfter;

    /// <summary>
    /// Whom a client certificate stands for now; null where it stands for nobody: not of an authority trusted here, not for clients, ended,
    /// revoked, or of a device that is. The handshake has shown that the client has its key.
    /// </summary>
    public DeviceName? Identify(X509Certificate2 certificate)
    {
        if (!IsTrusted(certificate, out var isOwn)
            || !DeviceName.TryParse(certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false), out var name)
            || _devices.Find(name!) is not { IsRevoked: false })
        {
            return null;
        }
        lock (_lock)
        {
            return !isOwn || (_book.Issued.GetValueOrDefault(certificate.SerialNumber) is { RevokedAt: 0 } issued && issued.Device == name!.ToString()) ? name : null;
        }
    }

    /// <summary>The valid certificates this edge issued to a device.</summary>
    public IReadOnlyList<IssuedCertificate> Of(DeviceName device)
    {
        var now = Instant.Now(_clock);
        lock (_lock)
        {
            return [.. _book.Issued.Values.Where(c => c.Device == device.ToString() && c.RevokedAt == 0 && c.NotAfter > now).OrderBy(c => c.NotAfter)];
        }
    }

    /// <summary>A token with which the device may get one certificate; it makes the device where it is new, and readmits a revoked one.</summary>
    /// <returns>The token, in clear for this once, and until when it is good (µs).</returns>
    /// <exception cref="ArgumentException">The name is none, or too many tokens are open.</exception>
    public (string Token, long Until) NewToken(DeviceName device)
    {
        if (!DeviceName.TryParse(device.ToString(), out _))
        {
            throw new ArgumentException($"'{device}' is not account/device");
        }
        _devices.Readmit(device);
        var (token, now) = (SecretHash.NewSecret(), Instant.Now(_clock));
        var until = now + _options.EnrolmentHours * 3600L * Instant.Second;
        lock (_lock)
        {
            if (_book.Tokens.Count(t => t.Until > now) >= TokensMax)
            {
                throw new ArgumentException($"{TokensMax} enrolments are open already; they end by themselves after {_options.EnrolmentHours} h");
            }
            _book.Change(book => book.Tokens.Add(new(device.ToString(), SecretHash.OfGenerated(token), until)), now);
        }
        return (token, until);
    }

    /// <summary>Signs a device's request where its proof is good; a token is then used up.</summary>
    /// <returns>Null where the proof is none here.</returns>
    /// <exception cref="ArgumentException">The request is none, or its key too weak.</exception>
    public X509Certificate2? Enrol(DeviceName device, EnrolmentProof proof, byte[] request)
    {
        lock (_lock)
        {
            var now = Instant.Now(_clock);
            var token = proof.Token is null ? null
                : _book.Tokens.Find(t => t.Until > now && t.Device == device.ToString() && t.Secret.Matches(proof.Token));
            if (token is null && !IsProven(device, proof, request))
            {
                return null;
            }
            var made = _own.Sign(request, device, Instant.ToDateTimeOffset(now), TimeSpan.FromDays(_options.CertificateDays));
            var notAfter = Instant.From(made.NotAfter);
            _book.Change(book =>
            {
                book.Tokens.RemoveAll(t => t == token);
                book.Issued[made.SerialNumber] = new(made.SerialNumber, device.ToString(), notAfter, 0);
            }, now);
            return made;
        }
    }

    /// <summary>Revokes every certificate of a device, or the one with a serial number, and its open tokens; then its connections are closed.</summary>
    /// <returns>Certificates and tokens that are good no more.</returns>
    public int Revoke(DeviceName device, string? serial = null)
    {
        var ended = 0;
        lock (_lock)
        {
            var now = Instant.Now(_clock);
            var certificates = Of(device).Where(c => serial is null || c.Serial.Equals(serial, StringComparison.OrdinalIgnoreCase)).ToList();
            var tokens = serial is null ? _book.Tokens.Where(t => t.Device == device.ToString()).ToList() : [];
            ended = certificates.Count + tokens.Count;
            if (ended > 0)
            {
                _book.Change(book =>
                {
                    certificates.ForEach(c => book.Issued[c.Serial] = c with { RevokedAt = now });
                    book.Tokens.RemoveAll(tokens.Contains);
                }, now);
            }
        }
        if (ended > 0)
        {
            _devices.EndConnections(device);
        }
        return ended;
    }

    public void Dispose() => _own.Dispose();

    private bool IsProven(DeviceName device, EnrolmentProof proof, byte[] request)
    {
        if (_devices.Find(device) is not { IsRevoked: false })
        {
            return false;
        }
        if (proof.Secret is not null)
        {
            return _devices.TryAuthenticate(device.ToString(), Encoding.UTF8.GetBytes(proof.Secret), out _);
        }
        if (proof is not { Certificate: { } shown, Signature: { } signature })
        {
            return false;
        }
        try
        {
            using var certificate = X509CertificateLoader.LoadCertificate(shown);
            using var ec = certificate.GetECDsaPublicKey();
            using var rsa = certificate.GetRSAPublicKey();
            return Identify(certificate) == device
                && (ec?.VerifyData(request, signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence)
                    ?? rsa?.VerifyData(request, signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1) ?? false);
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    private bool IsTrusted(X509Certificate2 certificate, out bool isOwn)
    {
        isOwn = IsTrusted(certificate, [_own.Certificate]);
        return isOwn || (_foreign.Count > 0 && IsTrusted(certificate, _foreign));
    }

    private bool IsTrusted(X509Certificate2 certificate, X509Certificate2Collection authorities)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(authorities);
        // Revocation is our own list; nothing is fetched from the network at a log-in.
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.ApplicationPolicy.Add(new(DeviceAuthority.ClientUse));
        chain.ChainPolicy.VerificationTimeIgnored = false;
        chain.ChainPolicy.VerificationTime = _clock.GetUtcNow().UtcDateTime;
        var isGood = chain.Build(certificate);
        foreach (var element in chain.ChainElements)
        {
            element.Certificate.Dispose();
        }
        return isGood;
    }
}
