using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Foretier.Agent.Ingest.Mqtt;
using MQTTnet;
using MQTTnet.Protocol;

namespace Foretier.Tests.Unit.Ingest;

public sealed class MqttTlsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-tls-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_client_publishes_over_tls()
    {
        var (certificate, key) = WriteCertificate();
        await using var agent = await MqttFixture.StartAsync(o => o with
        {
            Port = -1,
            Tls = new() { Address = "127.0.0.1", Port = 0, CertificateFile = certificate, KeyFile = key },
        });
        using var client = new MqttClientFactory().CreateMqttClient();
        await client.ConnectAsync(new MqttClientOptionsBuilder().WithTcpServer("127.0.0.1", agent.Port).WithCredentials("acme/boiler-1", agent.Secret)
            .WithTlsOptions(tls => tls.WithCertificateValidationHandler(_ => true)).Build());
        var result = await client.PublishStringAsync("v1/acme/boiler-1/temperature", "21.5", MqttQualityOfServiceLevel.AtLeastOnce);
        Assert.Equal(MqttClientPublishReasonCode.Success, result.ReasonCode);
        Assert.Equal(1, agent.Store.Ledger.Accepted);
    }

    [Fact]
    public async Task A_certificate_that_cannot_be_read_stops_the_start_and_is_named()
    {
        var missing = Path.Combine(_folder, "missing.pem");
        var failure = await Assert.ThrowsAsync<MqttCertificateException>(
            () => MqttFixture.StartAsync(o => o with { Tls = new() { Port = 0, CertificateFile = missing } }));
        Assert.Contains(missing, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_certificate_of_its_owner_the_agent_makes_one_keeps_it_to_itself_and_serves_it_again()
    {
        var own = Path.Combine(_folder, "own.pem");
        MqttOptions WithTls(MqttOptions o) => o with { Port = -1, Tls = new() { Address = "127.0.0.1", Port = 0, OwnCertificateFile = own } };
        var served = new List<string>();
        for (var start = 0; start < 2; start++)
        {
            await using var agent = await MqttFixture.StartAsync(WithTls);
            await PublishAsync(agent, agent.Port, o => o.WithCredentials("acme/boiler-1", agent.Secret), served);
        }
        Assert.Equal(served[0], served[1]);
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(own));
        }
        using var given = X509CertificateLoader.LoadCertificateFromFile(Path.ChangeExtension(own, ".crt"));
        Assert.Equal((served[0], false), (given.Thumbprint, given.HasPrivateKey));
    }

    [Fact]
    public async Task A_known_certificate_stands_for_its_device_and_revoking_it_ends_the_connection()
    {
        using var known = MakeCertificate("CN=boiler");
        using var stranger = MakeCertificate("CN=boiler");
        var isKnown = true;
        await using var agent = await MqttFixture.StartAsync(WithOwnTls,
            certificate => isKnown && certificate.Thumbprint == known.Thumbprint ? new("acme", "boiler-1") : null);
        using var client = await ConnectAsync(agent.Port, o => WithCertificate(o, known));
        var result = await client.PublishStringAsync("v1/acme/boiler-1/temperature", "21.5", MqttQualityOfServiceLevel.AtLeastOnce);
        Assert.Equal(MqttClientPublishReasonCode.Success, result.ReasonCode);
        result = await client.PublishStringAsync("v1/acme/boiler-2/temperature", "21.5", MqttQualityOfServiceLevel.AtLeastOnce);
        Assert.Equal(MqttClientPublishReasonCode.NotAuthorized, result.ReasonCode);
        await Assert.ThrowsAsync<UnauthorizedAccessException>(() => ConnectAsync(agent.Port, o => WithCertificate(o, stranger)));

        // A stranger's certificate does not harm who has a secret, and somebody else's name is not had for a certificate.
        using var secret = await ConnectAsync(agent.Port, o => WithCertificate(o, stranger).WithCredentials("acme/boiler-1", agent.Secret));
        await Assert.ThrowsAsync<UnauthorizedAccessException>(
            () => ConnectAsync(agent.Port, o => WithCertificate(o, known).WithCredentials("acme/*", "")));

        var closed = new TaskCompletionSource<MqttClientDisconnectReason>(TaskCreationOptions.RunContinuationsAsynchronously);
        client.DisconnectedAsync += e =>
        {
            closed.TrySetResult(e.Reason);
            return Task.CompletedTask;
        };
        isKnown = false;
        agent.Ingest.Disconnect(new("acme", "boiler-1"));
        Assert.Equal(MqttClientDisconnectReason.NotAuthorized, await closed.Task.WaitAsync(TimeSpan.FromSeconds(30)));
        await Assert.ThrowsAsync<UnauthorizedAccessException>(() => ConnectAsync(agent.Port, o => WithCertificate(o, known)));
    }

    [Fact]
    public async Task Where_certificates_are_required_a_secret_is_not_enough()
    {
        using var known = MakeCertificate("CN=boiler");
        using var stranger = MakeCertificate("CN=boiler");
        await using var agent = await MqttFixture.StartAsync(
            o => WithOwnTls(o) with { Tls = WithOwnTls(o).Tls! with { ClientCertificates = ClientCertificates.Required } },
            certificate => certificate.Thumbprint == known.Thumbprint ? new("acme", "boiler-1") : null);
        using var client = await ConnectAsync(agent.Port, o => WithCertificate(o, known));
        await Assert.ThrowsAnyAsync<Exception>(() => ConnectAsync(agent.Port, o => o.WithCredentials("acme/boiler-1", agent.Secret)));
        await Assert.ThrowsAsync<UnauthorizedAccessException>(
            () => ConnectAsync(agent.Port, o => WithCertificate(o, stranger).WithCredentials("acme/boiler-1", agent.Secret)));
        Assert.True(client.IsConnected);
    }

    [Fact]
    public async Task A_handshake_below_tls_1_2_fails()
    {
        await using var agent = await MqttFixture.StartAsync(WithOwnTls);
#pragma warning disable SYSLIB0039, CA5397 // that it is old is the point
        await Assert.ThrowsAnyAsync<Exception>(() => ConnectAsync(agent.Port, o => o.WithCredentials("acme/boiler-1", agent.Secret)
            .WithTlsOptions(tls => tls.WithSslProtocols(System.Security.Authentication.SslProtocols.Tls11).WithCertificateValidationHandler(_ => true))));
#pragma warning restore SYSLIB0039, CA5397
        using var client = await ConnectAsync(agent.Port, o => o.WithCredentials("acme/boiler-1", agent.Secret)
            .WithTlsOptions(tls => tls.WithSslProtocols(System.Security.Authentication.SslProtocols.Tls12).WithCertificateValidationHandler(_ => true)));
        Assert.True(client.IsConnected);
    }

    private MqttOptions WithOwnTls(MqttOptions options) => options with
    {
        Port = -1,
        Tls = new() { Address = "127.0.0.1", Port = 0, OwnCertificateFile = Path.Combine(_folder, "own.pem") },
    };

    private static MqttClientOptionsBuilder WithCertificate(MqttClientOptionsBuilder options, X509Certificate2 certificate) =>
        options.WithTlsOptions(tls => tls.WithCertificateValidationHandler(_ => true).WithClientCertificates([certificate]));

    private static async Task<IMqttClient> ConnectAsync(int port, Action<MqttClientOptionsBuilder> more, List<string>? served = null)
    {
        var options = new MqttClientOptionsBuilder().WithTcpServer("127.0.0.1", port).WithProtocolVersion(MQTTnet.Formatter.MqttProtocolVersion.V500)
            .WithTlsOptions(tls => tls.WithCertificateValidationHandler(seen =>
            {
                served?.Add(((X509Certificate2)seen.Certificate).Thumbprint);
                return true;
            }));
        more(options);
        var client = new MqttClientFactory().CreateMqttClient();
        try
        {
            var result = await client.ConnectAsync(options.Build());
            return result.ResultCode == MqttClientConnectResultCode.Success ? client : throw new UnauthorizedAccessException(result.ReasonString);
        }
        catch
        {
            client.Dispose();
            throw;
        }
    }

    private static async Task PublishAsync(MqttFixture agent, int port, Action<MqttClientOptionsBuilder> more, List<string> served)
    {
        using var client = await ConnectAsync(port, more, served);
        await client.PublishStringAsync("v1/acme/boiler-1/temperature", "21.5", MqttQualityOfServiceLevel.AtLeastOnce);
        Assert.Equal(1, agent.Store.Ledger.Accepted);
    }

    private static X509Certificate2 MakeCertificate(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        return request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(150));
    }

    private (string Certificate, string Key) WriteCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(150));
        var (certificateFile, keyFile) = (Path.Combine(_folder, "agent.pem"), Path.Combine(_folder, "agent.key"));
        File.WriteAllText(certificateFile, certificate.ExportCertificatePem());
        File.WriteAllText(keyFile, key.ExportPkcs8PrivateKeyPem());
        return (certificateFile, keyFile);
    }
}
