using System.Net;
using System.Net.WebSockets;
using Foretier.Agent.Ingest.Mqtt;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;
using MQTTnet;
using MQTTnet.Protocol;

namespace Foretier.Tests.Unit.Ingest;

public sealed class MqttWebSocketTests : IDisposable
{
    private const string Topic = "v1/acme/boiler-1/temperature";

    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-ws-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_client_publishes_and_subscribes_over_a_web_socket(bool tls)
    {
        await using var agent = await MqttFixture.StartAsync(o => o with
        {
            WebSocketPort = 0,
            Tls = tls ? new() { Address = "127.0.0.1", Port = 0, OwnCertificateFile = Path.Combine(_folder, "own.pem") } : null,
        });
        using var client = new MqttClientFactory().CreateMqttClient();
        var seen = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        client.ApplicationMessageReceivedAsync += e =>
        {
            seen.TrySetResult(e.ApplicationMessage.ConvertPayloadToString());
            return Task.CompletedTask;
        };
        var options = new MqttClientOptionsBuilder().WithCredentials("acme/boiler-1", agent.Secret)
            .WithWebSocketServer(o => o.WithUri($"{(tls ? "wss" : "ws")}://127.0.0.1:{agent.Ports[^1]}/mqtt"));
        if (tls)
        {
            options.WithTlsOptions(o => o.WithCertificateValidationHandler(_ => true));
        }
        await client.ConnectAsync(options.Build());
        await client.SubscribeAsync(Topic);
        var payload = $"[{string.Join(',', Enumerable.Range(0, 8000).Select(i => $"[{1489017377 + i},{i}]"))}]";
        var result = await client.PublishStringAsync(Topic, payload, MqttQualityOfServiceLevel.AtLeastOnce);
        Assert.Equal(MqttClientPublishReasonCode.Success, result.ReasonCode);
        Assert.Equal(payload, await seen.Task.WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Equal(8000, agent.Store.Ledger.Accepted);
        await client.DisconnectAsync();
    }

    [Fact]
    public async Task Packets_may_be_cut_anywhere_into_frames()
    {
        await using var agent = await MqttFixture.StartAsync(o => o with { WebSocketPort = 0 });
        using var socket = await OpenAsync(agent, "mqtt");
        byte[] stream = [.. WireClient.Connect(4, "ws", "acme/boiler-1", agent.Secret), .. WireClient.Publish(Topic, "1", id: 7)];
        foreach (var one in stream)
        {
            await socket.SendAsync(new[] { one }, WebSocketMessageType.Binary, true, CancellationToken.None);
        }
        var answer = new List<byte>();
        var buffer = new byte[100];
        while (answer.Count < 8)
        {
            answer.AddRange(buffer[..(await socket.ReceiveAsync(buffer, CancellationToken.None)).Count]);
        }
        Assert.Equal([0x20, 2, 0, 0, 0x40, 2, 0, 7], answer);
    }

    [Fact]
    public async Task Text_frames_and_clients_that_go_away_end_the_connection()
    {
        await using var agent = await MqttFixture.StartAsync(o => o with { WebSocketPort = 0 });
        using (var text = await OpenAsync(agent, "mqtt"))
        {
            await text.SendAsync(WireClient.Connect(4, "ws", "acme/boiler-1", agent.Secret), WebSocketMessageType.Text, true, CancellationToken.None);
            var end = await Record.ExceptionAsync(() => text.ReceiveAsync(new byte[10], CancellationToken.None));
            Assert.True(end is WebSocketException || text.State is WebSocketState.CloseReceived, $"{end}");
        }
        using (var gone = await OpenAsync(agent, "mqtt"))
        {
            await gone.SendAsync(WireClient.Connect(4, "ws", "acme/boiler-1", agent.Secret), WebSocketMessageType.Binary, true, CancellationToken.None);
            await gone.ReceiveAsync(new byte[10], CancellationToken.None);
            gone.Abort();
        }
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (agent.Ingest.Connections > 0)
        {
            await Task.Delay(5, patience.Token);
        }
    }

    [Fact]
    public async Task Another_sub_protocol_and_another_address_are_refused_with_a_reason()
    {
        await using var agent = await MqttFixture.StartAsync(o => o with { WebSocketPort = 0 });
        await Assert.ThrowsAsync<WebSocketException>(() => OpenAsync(agent, "chat"));
        using var http = new HttpClient { BaseAddress = new($"http://127.0.0.1:{agent.Ports[^1]}") };
        using var plain = await http.GetAsync("/mqtt");
        Assert.Equal(HttpStatusCode.BadRequest, plain.StatusCode);
        Assert.Contains("sub-protocol", await plain.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        using var other = await http.GetAsync("/api/v1/query");
        Assert.Equal(HttpStatusCode.NotFound, other.StatusCode);
    }

    [Fact]
    public async Task Who_is_not_on_loopback_is_refused_without_tls()
    {
        await using var agent = await MqttFixture.StartAsync();
        var http = new Microsoft.AspNetCore.Http.DefaultHttpContext();
        http.Connection.RemoteIpAddress = IPAddress.Parse("192.0.2.1");
        Assert.False(MqttEndpoints.IsProtected(http, new MqttOptions { QuarantineFile = "q" }));
        Assert.True(MqttEndpoints.IsProtected(http, new MqttOptions { QuarantineFile = "q", PlainBeyondLoopback = true }));
        http.Request.Scheme = "https";
        Assert.True(MqttEndpoints.IsProtected(http, new MqttOptions { QuarantineFile = "q" }));
    }

    [Fact]
    public async Task Who_opens_too_many_at_the_http_address_is_told_to_try_again_later()
    {
        await using var agent = await MqttFixture.StartAsync(o => o with { ConnectsBurst = 2 });
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        await using var app = builder.Build();
        // Loopback is never throttled.
        app.Use((http, next) =>
        {
            http.Connection.RemoteIpAddress = IPAddress.Parse("192.0.2.1");
            return next(http);
        });
        app.MapMqtt(new MqttOptions { QuarantineFile = "-", PlainBeyondLoopback = true }, agent.Ingest);
        await app.StartAsync();
        var address = new UriBuilder(app.Urls.Single()) { Scheme = "ws", Path = "/mqtt" }.Uri;
        async Task<HttpStatusCode> OpenAsync()
        {
            using var socket = new ClientWebSocket();
            socket.Options.AddSubProtocol("mqtt");
            socket.Options.CollectHttpResponseDetails = true;
            _ = await Record.ExceptionAsync(() => socket.ConnectAsync(address, CancellationToken.None));
            return socket.HttpStatusCode;
        }
        Assert.Equal(HttpStatusCode.SwitchingProtocols, await OpenAsync());
        Assert.Equal(HttpStatusCode.SwitchingProtocols, await OpenAsync());
        Assert.Equal(HttpStatusCode.TooManyRequests, await OpenAsync());
        Assert.Equal(1, agent.Ingest.ThrottledConnections);
    }

    private static async Task<ClientWebSocket> OpenAsync(MqttFixture agent, string protocol)
    {
        var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol(protocol);
        await socket.ConnectAsync(new($"ws://127.0.0.1:{agent.Ports[^1]}/mqtt"), CancellationToken.None);
        return socket;
    }
}
