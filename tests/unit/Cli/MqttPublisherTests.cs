using System.Globalization;
using System.Text;
using Foretier.Client;
using Foretier.Client.Mqtt;

namespace Foretier.Tests.Unit.Cli;

public sealed class MqttPublisherTests
{
    private static readonly CancellationToken InTime = new CancellationTokenSource(TimeSpan.FromSeconds(30)).Token;

    private static async Task<List<MqttAck>> PublishAsync(FakeBroker broker, int count, int window = 100)
    {
        var acks = new List<MqttAck>();
        await using var publisher = await MqttPublisher.ConnectAsync(
            new() { Host = "127.0.0.1", Port = broker.Port, ClientId = "test", Window = window }, acks.Add, TimeProvider.System, InTime);
        for (var i = 0; i < count; i++)
        {
            await publisher.PublishAsync("v1/a/b/c"u8.ToArray(), Encoding.UTF8.GetBytes(i.ToString(CultureInfo.InvariantCulture)), i, InTime);
        }
        await publisher.DrainAsync(InTime);
        return acks;
    }

    [Fact]
    public async Task Every_message_is_acknowledged_once_and_in_order()
    {
        await using var broker = new FakeBroker();
        var acks = await PublishAsync(broker, 1000);
        Assert.Equal(Enumerable.Range(0, 1000).Select(i => (long)i), acks.Select(a => a.Tag));
        Assert.Equal(Enumerable.Range(0, 1000).Select(i => i.ToString(CultureInfo.InvariantCulture)), broker.Acknowledged.Select(m => m.Payload));
    }

    [Fact]
    public async Task Messages_that_a_broken_connection_left_open_are_sent_again_and_none_is_lost()
    {
        await using var broker = new FakeBroker { BreakAfter = 25, LeftUnacknowledged = 7 };
        var acks = await PublishAsync(broker, 100, window: 20);
        Assert.Equal(Enumerable.Range(0, 100).Select(i => (long)i), acks.Select(a => a.Tag));
        Assert.True(broker.Connections > 3, $"{broker.Connections} connections");
        Assert.Equal(100, broker.Acknowledged.Select(m => m.Payload).Distinct().Count());
        // The order in which the broker first sees them is the order of publishing.
        Assert.Equal(Enumerable.Range(0, 100).Select(i => i.ToString(CultureInfo.InvariantCulture)), broker.Received.Select(m => m.Payload).Distinct());
    }

    [Fact]
    public async Task No_more_messages_are_in_flight_than_the_broker_allows()
    {
        await using var broker = new FakeBroker { ReceiveMaximum = 5 };
        await PublishAsync(broker, 200);
        Assert.InRange(broker.UnacknowledgedMax, 1, 5);
    }

    [Fact]
    public async Task Packet_ids_are_used_again_after_the_last()
    {
        await using var broker = new FakeBroker();
        var acks = await PublishAsync(broker, 66_000, window: 1000);
        Assert.Equal(66_000, acks.Count);
        Assert.Equal(65_999, acks[^1].Tag);
    }

    [Fact]
    public async Task A_refused_message_is_told_with_the_brokers_words_and_the_next_goes_on()
    {
        await using var broker = new FakeBroker { Judge = payload => payload == "1" ? ((byte)0x99, "not a number") : null };
        var acks = await PublishAsync(broker, 3);
        Assert.Equal([false, true, false], acks.Select(a => a.IsRefused));
        Assert.Equal("not a number", acks[1].Text);
    }

    [Fact]
    public async Task Wrong_credentials_are_said_at_once()
    {
        await using var broker = new FakeBroker { ConnectReason = 0x86 };
        var refused = await Assert.ThrowsAsync<MqttRefusedException>(() => PublishAsync(broker, 1));
        Assert.Equal(0x86, refused.Reason);
        Assert.Equal(1, broker.Connections);
    }

    [Fact]
    public async Task Being_refused_after_a_break_faults_the_publisher_instead_of_waiting_for_ever()
    {
        await using var broker = new FakeBroker { BreakAfter = 2 };
        var acks = new List<MqttAck>();
        await using var publisher = await MqttPublisher.ConnectAsync(
            new() { Host = "127.0.0.1", Port = broker.Port, ClientId = "test" }, acks.Add, TimeProvider.System, InTime);
        broker.ConnectReason = 0x87;
        await publisher.PublishAsync("v1/a/b/c"u8.ToArray(), "1"u8.ToArray(), 1, InTime);
        await publisher.PublishAsync("v1/a/b/c"u8.ToArray(), "2"u8.ToArray(), 2, InTime);
        await Assert.ThrowsAsync<MqttRefusedException>(() => publisher.DrainAsync(InTime));
    }

    [Fact]
    public async Task Nobody_listening_is_said_without_waiting()
    {
        var broker = new FakeBroker();
        await broker.DisposeAsync();
        await Assert.ThrowsAsync<ServerUnreachableException>(() => PublishAsync(broker, 1));
    }
}
