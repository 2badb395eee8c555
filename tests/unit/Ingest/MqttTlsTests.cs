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
