using System.Diagnostics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Foretier.Agent.Ingest.Identity;
using Foretier.Agent.Ingest.Identity.Certificates;
using Foretier.Agent.Ingest.Mqtt;
using Microsoft.Extensions.Time.Testing;
using MQTTnet;
using MQTTnet.Protocol;

namespace Foretier.Tests.Unit.Ingest;

public sealed class DeviceCertificateTests : IDisposable
{
    private static readonly DeviceName Boiler = new("acme", "boiler-1");
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-certs-").FullName;
    private readonly FakeTimeProvider _clock = new(DateTimeOffset.Parse("2017-03-10T00:00:00Z"));
    private readonly List<IDisposable> _open = [];

    public void Dispose()
    {
        _open.ForEach(one => one.Dispose());
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void A_token_is_good_for_one_certificate_of_its_device()
    {
        var (_, certificates) = Open();
        var (token, _) = certificates.NewToken(Boiler);
        Assert.Null(certificates.Enrol(new("acme", "other"), new(token, null, null, null), Request(out _)));
        Assert.Null(certificates.Enrol(Boiler, new("guess", null, null, null), Request(out _)));
        var made = certificates.Enrol(Boiler, new(token, null, null, null), Request(out var key))!;
        Assert.Equal(Boiler, certificates.Identify(made));
        Assert.Equal(key.ExportSubjectPublicKeyInfo(), made.PublicKey.ExportSubjectPublicKeyInfo());
        Assert.Null(certificates.Enrol(Boiler, new(token, null, null, null), Request(out _)));
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_folder, "devices-ca.pem")));
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_folder, "certificates.json")));
        }
    }

    [Fact]
    public void A_token_ends_by_itself()
    {
        var (_, certificates) = Open();
        var (token, _) = certificates.NewToken(Boiler);
        _clock.Advance(TimeSpan.FromHours(24));
        Assert.Null(certificates.Enrol(Boiler, new(token, null, null, null), Request(out _)));
    }

    [Fact]
    public void What_was_issued_and_revoked_is_known_after_a_restart()
    {
        var (devices, certificates) = Open();
        var (kept, revoked) = (Enrolled(certificates), Enrolled(certificates));
        var closed = new List<DeviceName>();
        devices.SecretChanged += closed.Add;
        Assert.Equal(1, certificates.Revoke(Boiler, revoked.SerialNumber));
        Assert.Equal([Boiler], closed);
        (_, certificates) = Open();
        Assert.Equal(Boiler, certificates.Identify(kept));
        Assert.Null(certificates.Identify(revoked));
        Assert.Equal([kept.SerialNumber], certificates.Of(Boiler).Select(c => c.Serial));
    }

    [Fact]
    public void Revoking_the_device_ends_its_certificates_and_tokens_until_it_is_enrolled_again()
    {
        var (devices, certificates) = Open();
        var made = Enrolled(certificates);
        var (token, _) = certificates.NewToken(Boiler);
        certificates.Revoke(Boiler);
        devices.Revoke(Boiler);
        Assert.Null(certificates.Identify(made));
        Assert.Null(certificates.Enrol(Boiler, new(token, null, null, null), Request(out _)));
        Assert.Equal(Boiler, certificates.Identify(Enrolled(certificates)));
        Assert.Null(certificates.Identify(made));
    }

    [Fact]
    public void A_certificate_ends_with_its_time()
    {
        var (_, certificates) = Open();
        var made = Enrolled(certificates);
        _clock.Advance(TimeSpan.FromDays(364));
        Assert.Equal(Boiler, certificates.Identify(made));
        _clock.Advance(TimeSpan.FromDays(2));
        Assert.Null(certificates.Identify(made));
    }

    [Fact]
    public void It_is_renewed_with_a_signature_of_its_key_or_with_the_secret_and_by_nothing_else()
    {
        var (devices, certificates) = Open();
        var (token, _) = certificates.NewToken(Boiler);
        var made = certificates.Enrol(Boiler, new(token, null, null, null), Request(out var key))!;
        var request = Request(out var other);
        var proof = new EnrolmentProof(null, null, made.RawData, key.SignData(request, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence));
        Assert.NotNull(certificates.Enrol(Boiler, proof, request));
        Assert.Null(certificates.Enrol(Boiler, proof, Request(out _)));
        Assert.Null(certificates.Enrol(Boiler, proof with { Signature = other.SignData(request, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence) }, request));
        Assert.Null(certificates.Enrol(new("acme", "*"), proof, request));
        var secret = devices.Add(Boiler)!;
        Assert.NotNull(certificates.Enrol(Boiler, new(null, secret, null, null), request));
        Assert.Null(certificates.Enrol(Boiler, new(null, secret + "x", null, null), request));
    }

    [Fact]
    public void A_request_that_is_none_is_refused_and_the_token_is_not_used_up()
    {
        var (_, certificates) = Open();
        var (token, _) = certificates.NewToken(Boiler);
        Assert.Throws<ArgumentException>(() => certificates.Enrol(Boiler, new(token, null, null, null), "nonsense"u8.ToArray()));
        using var weak = RSA.Create(1024);
        var request = new CertificateRequest("CN=x", weak, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1).CreateSigningRequest();
        Assert.Throws<ArgumentException>(() => certificates.Enrol(Boiler, new(token, null, null, null), request));
        Assert.NotNull(certificates.Enrol(Boiler, new(token, null, null, null), Request(out _)));
    }

    [Fact]
    public void A_certificate_of_another_authority_counts_only_where_that_is_trusted_and_the_device_known()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var root = new CertificateRequest("CN=plant", key, HashAlgorithmName.SHA256);
        root.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var authority = root.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(150));
        using var deviceKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var leaf = new CertificateRequest("CN=acme/boiler-1", deviceKey, HashAlgorithmName.SHA256);
        leaf.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new("1.3.6.1.5.5.7.3.2")], false));
        using var certificate = leaf.Create(authority, DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(100), [1, 2, 3]);
        var file = Path.Combine(_folder, "plant.pem");
        File.WriteAllText(file, authority.ExportCertificatePem());

        var (devices, stranger) = Open();
        devices.Add(Boiler);
        Assert.Null(stranger.Identify(certificate));
        var (known, certificates) = Open(new() { TrustedAuthorities = [file] });
        Assert.Equal(Boiler, certificates.Identify(certificate));
        known.Revoke(Boiler);
        Assert.Null(certificates.Identify(certificate));
        known.Remove(Boiler);
        Assert.Null(certificates.Identify(certificate));
        Assert.Contains("missing.pem", Assert.Throws<ArgumentException>(() => Open(new() { TrustedAuthorities = ["missing.pem"] })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_device_enrolled_with_openssl_publishes_by_its_certificate_until_it_is_revoked()
    {
        // openssl makes the request where it is there (it is on any machine that runs the tests in earnest).
        DeviceCertificates? certificates = null;
        await using var agent = await MqttFixture.StartAsync(o => o with
        {
            Port = -1,
            Tls = new() { Address = "127.0.0.1", Port = 0, OwnCertificateFile = Path.Combine(_folder, "mqtt-tls.pem") },
        }, certificate => certificates?.Identify(certificate));
        _open.Add(certificates = DeviceCertificates.Open(_folder, "edge-1", agent.Devices, new(), _clock));
        var (token, _) = certificates.NewToken(new("acme", "pump-7"));
        var (request, keyPem) = OpenSslRequest();
        using var made = certificates.Enrol(new("acme", "pump-7"), new(token, null, null, null), request)!;
        using var withKey = X509Certificate2.CreateFromPem(made.ExportCertificatePem(), keyPem);
        using var usable = X509CertificateLoader.LoadPkcs12(withKey.Export(X509ContentType.Pkcs12), null);

        using var client = new MqttClientFactory().CreateMqttClient();
        var gone = new TaskCompletionSource();
        client.DisconnectedAsync += _ =>
        {
            gone.TrySetResult();
            return Task.CompletedTask;
        };
        var options = new MqttClientOptionsBuilder().WithTcpServer("127.0.0.1", agent.Port)
            .WithTlsOptions(tls => tls.WithCertificateValidationHandler(_ => true).WithClientCertificates([usable])).Build();
        await client.ConnectAsync(options);
        var result = await client.PublishStringAsync("v1/acme/pump-7/flow", "1.5", MqttQualityOfServiceLevel.AtLeastOnce);
        Assert.Equal(MqttClientPublishReasonCode.Success, result.ReasonCode);

        certificates.Revoke(new("acme", "pump-7"));
        await gone.Task.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.NotEqual(MqttClientConnectResultCode.Success, (await client.ConnectAsync(options)).ResultCode);
        Assert.Equal(1, agent.Store.Ledger.Accepted);
    }

    private (DeviceRegistry, DeviceCertificates) Open(IdentityOptions? options = null)
    {
        var devices = DeviceRegistry.Open(Path.Combine(_folder, "devices.json"), _clock);
        var certificates = DeviceCertificates.Open(_folder, "edge-1", devices, options ?? new(), _clock);
        _open.Add(certificates);
        return (devices, certificates);
    }

    private static X509Certificate2 Enrolled(DeviceCertificates certificates) =>
        certificates.Enrol(Boiler, new(certificates.NewToken(Boiler).Token, null, null, null), Request(out _))!;

    private static byte[] Request(out ECDsa key)
    {
        key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return Encoding.ASCII.GetBytes(new CertificateRequest("CN=device", key, HashAlgorithmName.SHA256).CreateSigningRequestPem());
    }

    private (byte[] Request, string Key) OpenSslRequest()
    {
        var (key, request) = (Path.Combine(_folder, "pump.key"), Path.Combine(_folder, "pump.csr"));
        try
        {
            using var openssl = Process.Start(new ProcessStartInfo("openssl",
                ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-subj", "/CN=device", "-out", request])
            { RedirectStandardError = true })!;
            openssl.StandardError.ReadToEnd();
            openssl.WaitForExit();
            Assert.Equal(0, openssl.ExitCode);
            return (File.ReadAllBytes(request), File.ReadAllText(key));
        }
        catch (System.ComponentModel.Win32Exception)
        {
            var made = Request(out var own);
            return (made, own.ExportPkcs8PrivateKeyPem());
        }
    }
}
