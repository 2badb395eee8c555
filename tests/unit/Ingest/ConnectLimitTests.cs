using System.Net;
using Foretier.Agent.Ingest.Mqtt;
using Microsoft.Extensions.Time.Testing;
using MQTTnet.Protocol;

namespace Foretier.Tests.Unit.Ingest;

public class ConnectLimitTests
{
    [Fact]
    public void An_address_that_connects_too_often_is_turned_away_until_its_bucket_refills()
    {
        var wire = new FakeTimeProvider();
        var throttle = new ConnectThrottle(burst: 3, TimeSpan.FromSeconds(1), wire);
        var address = IPAddress.Parse("192.0.2.1");
        Assert.Equal([true, true, true, false, false], Enumerable.Range(0, 5).Select(_ => throttle.Allows(address)));
        Assert.True(throttle.Allows(IPAddress.Parse("192.0.2.2")));
        Assert.All(Enumerable.Range(0, 100), _ => Assert.True(throttle.Allows(IPAddress.Loopback)));
        wire.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal([true, false], Enumerable.Range(0, 2).Select(_ => throttle.Allows(address)));
        Assert.Equal(3, throttle.Refused);
    }

    [Fact]
    public void The_addresses_of_one_ipv6_network_count_as_one()
    {
        var throttle = new ConnectThrottle(burst: 2, TimeSpan.FromSeconds(1), new FakeTimeProvider());
        var allowed = Enumerable.Range(1, 4).Select(i => throttle.Allows(IPAddress.Parse($"2001:db8::{i}")));
        Assert.Equal([true, true, false, false], allowed);
    }

    [Fact]
    public void A_flood_from_ever_new_addresses_does_not_fill_the_memory()
    {
        var throttle = new ConnectThrottle(burst: 1, TimeSpan.FromHours(1), new FakeTimeProvider());
        for (var i = 0; i < 30_000; i++)
        {
            Assert.True(throttle.Allows(new IPAddress(0x0A000000L + i)));
        }
        Assert.InRange(throttle.Addresses, 1, 10_000);
    }

    [Fact]
    public async Task A_dropped_connection_is_counted_and_logged_but_not_each()
    {
        var log = new Lines();
        await using var agent = await MqttFixture.StartAsync(o => o with { ConnectsBurst = 2 }, log: log);
        for (var i = 0; i < 10; i++)
        {
            var connection = new Microsoft.AspNetCore.Connections.DefaultConnectionContext("flood") { RemoteEndPoint = new IPEndPoint(IPAddress.Parse("192.0.2.1"), i) };
            Assert.Equal(i < 2, agent.Ingest.Admits(connection));
        }
        Assert.Equal(8, agent.Ingest.ThrottledConnections);
        Assert.Contains("192.0.2.1", Assert.Single(log.Warnings), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 1024, 1024)]
    [InlineData(600, 1024, 600)]
    [InlineData(4096, 1024, 1024)]
    [InlineData(600, null, 600)]
    [InlineData(0, null, null)]
    public void Files_are_limited_by_choice_or_by_the_system_whichever_is_less(int chosen, int? system, int? limit) => Assert.Equal(limit, FileLimit.Of(chosen, system));

    [Fact]
    public async Task Web_sockets_of_the_http_address_count_too()
    {
        await using var agent = await MqttFixture.StartAsync(o => o with { ConnectsBurst = 2 });
        var from = IPAddress.Parse("192.0.2.1");
        Assert.Equal([true, true, false], Enumerable.Range(0, 3).Select(_ => agent.Ingest.Admits(from)));
        Assert.False(agent.Ingest.Admits(new Microsoft.AspNetCore.Connections.DefaultConnectionContext("tcp") { RemoteEndPoint = new IPEndPoint(from, 1) }));
    }

    private sealed class Lines : Microsoft.Extensions.Logging.ILogger<MqttIngest>
    {
        public System.Collections.Concurrent.ConcurrentQueue<string> Warnings { get; } = new();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(Microsoft.Extensions.Logging.LogLevel logLevel) => logLevel == Microsoft.Extensions.Logging.LogLevel.Warning;

        public void Log<TState>(Microsoft.Extensions.Logging.LogLevel logLevel, Microsoft.Extensions.Logging.EventId eventId, TState state,
            Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel) && formatter(state, exception) is var text && text.Contains("dropped", StringComparison.Ordinal))
            {
                Warnings.Enqueue(text);
            }
        }
    }

    [Fact]
    public async Task When_all_connections_are_taken_a_client_is_told_so_and_the_others_stay()
    {
        await using var agent = await MqttFixture.StartAsync(o => o with { ConnectionsMax = 2 });
        using var first = await agent.ConnectAsync(clientId: "1");
        using var second = await agent.ConnectAsync(clientId: "2");
        foreach (var (version, code) in new[] { ((byte)5, (byte)MqttConnectReasonCode.ServerBusy), ((byte)4, (byte)3) })
        {
            using var third = await agent.ConnectAsync(version, "3");
            Assert.Equal(code, third.ConnAck.Body[1]);
            Assert.Null(await third.ReceiveAsync());
        }
        foreach (var client in new[] { first, second })
        {
            await client.SendAsync(WireClient.PingReq);
            await client.ReceiveAsync(13);
        }
    }

    [Theory]
    [InlineData(1024, 10_000, 768)]
    [InlineData(65_536, 10_000, 10_000)]
    [InlineData(null, 10_000, 10_000)]
    public void Connections_leave_files_for_everything_else(int? files, int wanted, int connections) =>
        Assert.Equal(connections, FileLimit.ConnectionsWithin(wanted, files));

    [Fact]
    public void Too_few_files_stop_the_start_and_say_what_to_raise() =>
        Assert.Contains("LimitNOFILE", Assert.Throws<ArgumentException>(() => FileLimit.ConnectionsWithin(10, 260)).Message, StringComparison.Ordinal);

    [Fact]
    public void The_limit_is_read_as_the_kernel_writes_it()
    {
        string[] lines = ["Limit                     Soft Limit           Hard Limit           Units     ",
            "Max processes             63431                63431                processes ", "Max open files            1024                 524288               files     "];
        Assert.Equal(1024, FileLimit.Parse(lines));
        Assert.Null(FileLimit.Parse(["Max open files            unlimited            unlimited            files     "]));
        Assert.Null(FileLimit.Parse([]));
    }
}
