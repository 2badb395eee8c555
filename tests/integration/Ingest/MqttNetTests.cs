using System.Security.Cryptography.X509Certificates;
using MQTTnet;
using MQTTnet.Formatter;
using MQTTnet.Protocol;

namespace Foretier.Tests.Integration.Ingest;

/// <summary>.NET's usual client library against an agent in its own process.</summary>
public sealed class MqttNetTests(LiveAgent agent) : IClassFixture<LiveAgent>
{
    [Theory]
    [InlineData(MqttProtocolVersion.V311, false)]
    [InlineData(MqttProtocolVersion.V311, true)]
    [InlineData(MqttProtocolVersion.V500, false)]
    [InlineData(MqttProtocolVersion.V500, true)]
    public async Task Publishes_and_hears_each_quality_of_service_trusting_the_agents_own_certificate_alone(MqttProtocolVersion version, bool tls)
    {
        var topic = $"v1/acme/boiler-1/{version}-{tls}";
        using var certificate = X509CertificateLoader.LoadCertificateFromFile(agent.CertificateFile);
        using var client = new MqttClientFactory().CreateMqttClient();
        var heard = System.Threading.Channels.Channel.CreateUnbounded<string>();
        client.ApplicationMessageReceivedAsync += e => heard.Writer.WriteAsync(e.ApplicationMessage.ConvertPayloadToString()).AsTask();
        var options = new MqttClientOptionsBuilder().WithProtocolVersion(version).WithClientId(topic).WithCredentials("acme/boiler-1", LiveAgent.Secret)
            // By its name, not its number: the certificate says it is localhost's.
            .WithTcpServer("localhost", tls ? agent.TlsPort : agent.MqttPort);
        if (tls)
        {
            options.WithTlsOptions(o => o.WithTrustChain(new X509Certificate2Collection(certificate)).WithRevocationMode(X509RevocationMode.NoCheck));
        }
        Assert.Equal(MqttClientConnectResultCode.Success, (await client.ConnectAsync(options.Build())).ResultCode);
        await client.SubscribeAsync(topic);
        for (var qos = MqttQualityOfServiceLevel.AtMostOnce; qos <= MqttQualityOfServiceLevel.ExactlyOnce; qos++)
        {
            var result = await client.PublishStringAsync(topic, $"{(int)qos}.5", qos);
            Assert.Equal(MqttClientPublishReasonCode.Success, result.ReasonCode);
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            Assert.Equal($"{(int)qos}.5", await heard.Reader.ReadAsync(patience.Token));
        }
        await client.DisconnectAsync();
        await agent.HasAsync(topic["v1/".Length..], "0.5 1.5 2.5");
    }

    [Fact]
    public async Task Does_not_connect_over_tls_without_trusting_the_certificate()
    {
        using var client = new MqttClientFactory().CreateMqttClient();
        var options = new MqttClientOptionsBuilder().WithTcpServer("localhost", agent.TlsPort).WithCredentials("acme/boiler-1", LiveAgent.Secret)
            .WithTlsOptions(_ => { }).Build();
        var failure = await Assert.ThrowsAnyAsync<Exception>(() => client.ConnectAsync(options));
        Assert.IsType<System.Security.Authentication.AuthenticationException>(failure.GetBaseException());
    }
}
