using System.IO.Pipelines;
using System.Text;
using Foretier.Agent.Ingest.Identity;
using Foretier.Agent.Ingest.Mqtt;
using MQTTnet;
using MQTTnet.Protocol;

namespace Foretier.Tests.Unit.Ingest;

/// <summary>Subscribers, retained messages and what bounds them. The long version is scripts/protocol.</summary>
public class MqttFanOutTests
{
    private const string Topic = "v1/acme/boiler-1/temperature";

    /// <summary>A topic without samples: what matters here is what is delivered.</summary>
    private const string Command = "spBv1.0/acme/NCMD/boiler-1";

    [Fact]
    public async Task A_subscriber_that_does_not_read_holds_bounded_bytes_and_the_others_and_publishers_go_on()
    {
        const int messages = 400;
        await using var agent = await MqttFixture.StartAsync();
        using var stuck = await agent.ConnectAsync(clientId: "stuck");
        using var reading = await agent.ConnectAsync(clientId: "reading");
        foreach (var client in new[] { stuck, reading })
        {
            await client.SendAsync(WireClient.Subscribe(4, 1, 0, Command));
            await client.ReceiveAsync(9);
        }
        using var publisher = await agent.ConnectAsync(clientId: "publisher");
        var payload = new string('x', 100_000);
        for (ushort i = 1; i <= messages; i++)
        {
            await publisher.SendAsync(WireClient.Publish(Command, $"{i} {payload}", id: i));
            Assert.Equal(i, (await publisher.ReceiveAsync(4)).Id);
            Assert.Contains($"{Command}{i} x", (await reading.ReceiveAsync(3)).Text, StringComparison.Ordinal);
            Assert.InRange(agent.Ingest.PendingBytes, 0, 2 * 512 * 1024);
        }
        Assert.InRange(agent.Ingest.DroppedDeliveries, 1, messages);
        // The oldest made room: what comes last is the newest.
        var newest = "";
        while (!newest.StartsWith($"{messages} ", StringComparison.Ordinal))
        {
            newest = (await stuck.ReceiveAsync(3)).Text[(2 + Command.Length)..];
        }
    }

    [Fact]
    public async Task Of_clients_that_come_back_at_once_under_one_id_exactly_one_stays_and_a_later_one_always()
    {
        await using var agent = await MqttFixture.StartAsync();
        for (var round = 0; round < 25; round++)
        {
            var racing = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => agent.ConnectAsync(version: 5, clientId: "same")));
            using var newest = await agent.ConnectAsync(version: 5, clientId: "same");
            Assert.All(racing.Append(newest), client => Assert.Equal(0, client.ConnAck.Body[1]));
            foreach (var client in racing)
            {
                Assert.Equal((byte)MqttDisconnectReasonCode.SessionTakenOver, (await client.ReceiveAsync(14)).Body[0]);
                Assert.Null(await client.ReceiveAsync());
                client.Dispose();
            }
            await newest.SendAsync(WireClient.PingReq);
            await newest.ReceiveAsync(13);
            await agent.UntilAsync(() => agent.Ingest.Connections == 1);
        }
    }

    [Fact]
    public async Task A_message_costs_nothing_for_subscribers_of_other_devices()
    {
        await using var agent = await MqttFixture.StartAsync();
        var idle = new List<WireClient>();
        for (var i = 0; i < 300; i++)
        {
            var client = await agent.ConnectAsync(user: "acme/*", clientId: $"idle-{i}");
            await client.SendAsync(WireClient.Subscribe(4, 1, 0, $"v1/acme/idle-{i}/#"));
            await client.ReceiveAsync(9);
            idle.Add(client);
        }
        using var publisher = await agent.ConnectAsync();
        await PublishAsync(100);
        Assert.Equal(0, agent.Ingest.Subscriptions.Offers);
        using var listener = await agent.ConnectAsync(user: "acme/*", clientId: "listener");
        await listener.SendAsync(WireClient.Subscribe(4, 1, 0, "v1/acme/boiler-1/#", "v1/acme/boiler-1/+", Topic));
        await listener.ReceiveAsync(9);
        await PublishAsync(100);
        // Once for each connection, however many of its filters match.
        Assert.Equal(100, agent.Ingest.Subscriptions.Offers);
        idle.ForEach(client => client.Dispose());

        async Task PublishAsync(int count)
        {
            await publisher.SendAsync([.. Enumerable.Range(1, count).Select(i => WireClient.Publish(Topic, "1", id: (ushort)i))]);
            for (var i = 1; i <= count; i++)
            {
                Assert.Equal(i, (await publisher.ReceiveAsync(4)).Id);
            }
        }
    }

    [Fact]
    public async Task Subscriptions_of_a_connection_and_bytes_of_a_sessions_filters_are_capped_and_said()
    {
        await using var agent = await MqttFixture.StartAsync(o => o with { SubscriptionsMax = 20 });
        using var many = await agent.ConnectAsync(version: 5);
        await many.SendAsync(WireClient.Subscribe(5, 1, 0, [.. Enumerable.Range(0, 21).Select(i => $"v1/acme/boiler-1/{i}")]));
        var answer = (await many.ReceiveAsync(9)).Body;
        Assert.Equal([.. Enumerable.Repeat((byte)0, 20), (byte)MqttSubscribeReasonCode.QuotaExceeded], answer[^21..]);
        Assert.Contains("20 subscriptions", Encoding.UTF8.GetString(answer), StringComparison.Ordinal);
        // One that is there already is none more; one given up makes room.
        await many.SendAsync(WireClient.Subscribe(5, 2, 0, "v1/acme/boiler-1/3"));
        Assert.Equal(0, (await many.ReceiveAsync(9)).Body[^1]);

        using var kept = await WireClient.OpenAsync(agent.Port);
        await kept.SendAsync(WireClient.Connect(5, "kept", "acme/boiler-1", agent.Secret, clean: false));
        await kept.ReceiveConnAckAsync();
        await kept.SendAsync(WireClient.Subscribe(5, 1, 0, [.. Enumerable.Range(0, 10).Select(i => $"v1/acme/boiler-1/{i}{new string('x', 480)}")]));
        var codes = (await kept.ReceiveAsync(9)).Body[^10..];
        // 8 of 498 bytes are within 4096.
        Assert.Equal([.. Enumerable.Repeat((byte)0, 8), 0x97, 0x97], codes);
    }

    [Fact]
    public async Task A_retained_message_is_kept_for_later_also_one_that_is_a_will_and_an_empty_one_takes_it_away()
    {
        await using var agent = await MqttFixture.StartAsync();
        using (var library = new MqttClientFactory().CreateMqttClient())
        {
            await library.ConnectAsync(new MqttClientOptionsBuilder().WithTcpServer("127.0.0.1", agent.Port).WithCredentials("acme/boiler-1", agent.Secret)
                .WithWillTopic("v1/acme/boiler-1/status").WithWillPayload("\"offline\"").WithWillRetain().Build());
            // Gone without a DISCONNECT.
        }
        await agent.UntilAsync(() => agent.Ingest.Retained.Count == 1);
        using var client = await agent.ConnectAsync(version: 5);
        await client.SendAsync(WireClient.Subscribe(5, 1, 0, "v1/acme/boiler-1/#"));
        await client.ReceiveAsync(9);
        var will = await client.ReceiveAsync(3);
        Assert.Equal(0x31, will.First);
        Assert.EndsWith("\"offline\"", will.Text, StringComparison.Ordinal);
        var empty = WireClient.Publish("v1/acme/boiler-1/status", "", id: 5, properties: []);
        empty[0] |= 1;
        await client.SendAsync(empty);
        await client.ReceiveAsync();
        await agent.UntilAsync(() => agent.Ingest.Retained.Count == 0);
        Assert.Equal(1, agent.Store.Ledger.Received);
    }

    [Fact]
    public void Retained_messages_are_bounded_in_count_and_bytes_and_what_is_replaced_makes_room()
    {
        var device = new DeviceName("acme", "boiler-1");
        var few = new RetainedMessages(countMax: 3, bytesMax: long.MaxValue);
        Assert.Equal([true, true, true, false, true], new[] { "a", "b", "c", "d", "c" }.Select(t => few.Put(device, Encoding.UTF8.GetBytes(t), "1"u8)));
        Assert.Equal((3, 1), (few.Count, few.Refused));
        Assert.True(few.Put(device, "a"u8, []));
        Assert.True(few.Put(device, "d"u8, "1"u8));

        var small = new RetainedMessages(countMax: 1000, bytesMax: 10_000);
        for (var i = 0; i < 300; i++)
        {
            // Of every size, over few topics: what is counted must go down again.
            small.Put(device, Encoding.UTF8.GetBytes($"t{i * 7 % 30}"), new byte[i * 37 % 1500]);
            Assert.InRange(small.Bytes, 0, 10_000);
        }
        Assert.True(small.Refused > 0);
        for (var i = 0; i < 30; i++)
        {
            small.Put(device, Encoding.UTF8.GetBytes($"t{i}"), []);
        }
        Assert.Equal((0, 0L), (small.Count, small.Bytes));
    }

    [Fact]
    public async Task An_outbox_keeps_within_its_messages_and_bytes_and_drops_the_oldest()
    {
        var pipe = new Pipe();
        using var gate = new SemaphoreSlim(0, 1);
        var outbox = new Outbox(pipe.Writer, gate, messagesMax: 5, bytesMax: 1000);
        var dropped = 0;
        for (byte i = 0; i < 20; i++)
        {
            dropped += outbox.Add([.. Enumerable.Repeat(i, 300)]);
            Assert.InRange(outbox.Bytes, 1, 1000);
        }
        Assert.Equal(17, dropped);
        Assert.Equal(2, outbox.Add([99]) + outbox.Add([98]) + outbox.Add([97]) + outbox.Add([96]));
        gate.Release();
        var read = await pipe.Reader.ReadAtLeastAsync(304);
        Assert.Equal([19, 99, 98, 97, 96], System.Buffers.BuffersExtensions.ToArray(read.Buffer).Distinct());
        Assert.Equal(0, outbox.Bytes);
    }

    [Theory]
    [InlineData("a/b", "a/b", true)]
    [InlineData("a/b", "a/c", false)]
    [InlineData("a/b", "a/b/c", false)]
    [InlineData("a/b/c", "a/b", false)]
    [InlineData("a/+", "a/b", true)]
    [InlineData("a/+", "a", false)]
    [InlineData("a/+", "a/", true)]
    [InlineData("a/+", "a/b/c", false)]
    [InlineData("+/b/+", "a/b/c", true)]
    [InlineData("+/+", "/a", true)]
    [InlineData("+", "/a", false)]
    [InlineData("a/#", "a", true)]
    [InlineData("a/#", "a/b/c", true)]
    [InlineData("a/#", "ab", false)]
    [InlineData("a/+/#", "a/b", true)]
    [InlineData("a/+/#", "a", false)]
    [InlineData("#", "a/b", true)]
    public void Wildcards_match_as_mqtt_says(string filter, string topic, bool matches) =>
        Assert.Equal(matches, TopicFilter.Matches(Encoding.UTF8.GetBytes(filter), Encoding.UTF8.GetBytes(topic)));

    [Theory]
    [InlineData("a/#/b", false)]
    [InlineData("a#", false)]
    [InlineData("a/b+", false)]
    [InlineData("", false)]
    [InlineData("a/+/b/#", true)]
    [InlineData("/", true)]
    public void Wildcards_stand_where_mqtt_allows_them(string filter, bool isWellFormed) => Assert.Equal(isWellFormed, TopicFilter.IsWellFormed(filter));
}
