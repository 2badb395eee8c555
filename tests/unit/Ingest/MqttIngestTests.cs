using System.Text;
using Foretier.Agent.Ingest;
using Foretier.Agent.Ingest.Mqtt;
using MQTTnet;
using MQTTnet.Formatter;
using MQTTnet.Protocol;

namespace Foretier.Tests.Unit.Ingest;

public class MqttIngestTests
{
    private const string Topic = "v1/acme/boiler-1/temperature";

    [Theory]
    [InlineData(MqttProtocolVersion.V311)]
    [InlineData(MqttProtocolVersion.V500)]
    public async Task A_client_library_publishes_every_form(MqttProtocolVersion version)
    {
        await using var agent = await MqttFixture.StartAsync();
        using var client = await ClientAsync(agent, version);
        foreach (var (topic, payload) in new[]
        {
            (Topic, "21.5"), (Topic, """{"v":21.6,"t":1489017377,"u":"Cel"}"""), (Topic, "[[1489017378,21.7],[1489017379,21.8]]"),
            ("v1/acme/boiler-1", """{"temperature":21.9,"door":"open"}"""),
            ("v1/acme/boiler-1/on", "true"), ("v1/acme/boiler-1/door", "\"closed\""),
        })
        {
            var result = await client.PublishStringAsync(topic, payload, MqttQualityOfServiceLevel.AtLeastOnce);
            Assert.Equal(MqttClientPublishReasonCode.Success, result.ReasonCode);
        }
        Assert.Equal((8, 0), (agent.Store.Ledger.Accepted, agent.Store.Ledger.Rejected));
        Assert.Equal(
            ["acme/boiler-1/door", "acme/boiler-1/on", "acme/boiler-1/temperature"],
            agent.Catalog.View.Series.Select(s => s.Name).Order(StringComparer.Ordinal));
        await client.DisconnectAsync();
    }

    [Fact]
    public async Task No_message_is_acknowledged_before_the_journal_has_synced_and_then_all_are_in_order()
    {
        await using var agent = await MqttFixture.StartAsync();
        using var client = await agent.ConnectAsync();
        agent.Disk.Hold();
        // The refused one in the middle waits as well: its count has to last too.
        await client.SendAsync(
            WireClient.Publish(Topic, "1", id: 30), WireClient.Publish(Topic, "bad", id: 10), WireClient.Publish(Topic, "2", id: 20),
            WireClient.PingReq);
        // The ping is answered as soon as it is read, so the messages before it had been taken, and not acknowledged.
        await client.ReceiveAsync(13);
        agent.Disk.LetGo();
        foreach (var id in new[] { 30, 10, 20 })
        {
            Assert.Equal(id, (await client.ReceiveAsync(4)).Id);
        }
    }

    [Fact]
    public async Task A_connection_is_not_read_past_its_bound_of_unacknowledged_messages()
    {
        await using var agent = await MqttFixture.StartAsync(o => o with { UnackedMessagesMax = 10, ReceiveMaximum = 10 });
        using var client = await agent.ConnectAsync();
        agent.Disk.Hold();
        await client.SendAsync([.. Enumerable.Range(1, 20).Select(i => WireClient.Publish(Topic, "1", id: (ushort)i)), WireClient.PingReq]);
        agent.Disk.LetGo();
        var before = new List<int>();
        for (var i = 0; i < 10; i++)
        {
            before.Add((await client.ReceiveAsync(4)).Id);
        }
        Assert.Equal(Enumerable.Range(1, 10), before);
    }

    [Fact]
    public async Task When_the_journal_fails_the_connection_closes_without_an_acknowledgement()
    {
        await using var agent = await MqttFixture.StartAsync();
        using var client = await agent.ConnectAsync(version: 5);
        agent.Disk.Fail();
        await client.SendAsync(WireClient.Publish(Topic, "1", properties: []));
        Assert.Equal((byte)MqttDisconnectReasonCode.ServerBusy, (await client.ReceiveAsync(14)).Body[0]);
        Assert.Null(await client.ReceiveAsync());
    }

    [Fact]
    public async Task An_oversized_packet_before_log_in_closes_at_its_header()
    {
        await using var agent = await MqttFixture.StartAsync();
        using var client = await WireClient.OpenAsync(agent.Port);
        await client.SendAsync([0x10, 0xFF, 0xFF, 0xFF, 0x7F]);
        Assert.Null(await client.ReceiveAsync());
    }

    [Fact]
    public async Task An_oversized_packet_after_log_in_is_refused_at_its_header()
    {
        await using var agent = await MqttFixture.StartAsync();
        using var client = await agent.ConnectAsync(version: 5);
        await client.SendAsync([0x32, 0x81, 0x80, 0x10]);
        Assert.Equal((byte)MqttDisconnectReasonCode.PacketTooLarge, (await client.ReceiveAsync(14)).Body[0]);
        Assert.Null(await client.ReceiveAsync());
    }

    [Fact]
    public async Task A_connection_that_does_not_finish_its_log_in_is_closed()
    {
        await using var agent = await MqttFixture.StartAsync(o => o with { ConnectTimeout = TimeSpan.FromMilliseconds(100) });
        using var client = await WireClient.OpenAsync(agent.Port);
        await client.SendAsync(WireClient.Connect(4, "slow", "acme/boiler-1", agent.Secret)[..10]);
        Assert.Null(await client.ReceiveAsync());
    }

    [Fact]
    public async Task Publishing_before_logging_in_closes()
    {
        await using var agent = await MqttFixture.StartAsync();
        using var client = await WireClient.OpenAsync(agent.Port);
        await client.SendAsync(WireClient.Publish(Topic, "1"));
        Assert.Null(await client.ReceiveAsync());
        Assert.Equal(0, agent.Store.Ledger.Received);
    }

    [Fact]
    public async Task Publishing_along_with_the_log_in_works_once_that_has_succeeded()
    {
        await using var agent = await MqttFixture.StartAsync();
        using var client = await WireClient.OpenAsync(agent.Port);
        await client.SendAsync(WireClient.Connect(4, "eager", "acme/boiler-1", agent.Secret), WireClient.Publish(Topic, "1", id: 5));
        await client.ReceiveAsync(2);
        Assert.Equal(5, (await client.ReceiveAsync(4)).Id);
        using var stranger = await WireClient.OpenAsync(agent.Port);
        await stranger.SendAsync(WireClient.Connect(4, "eager", "acme/boiler-1", "guess"), WireClient.Publish(Topic, "1", id: 5));
        await stranger.ReceiveAsync(2);
        Assert.Null(await stranger.ReceiveAsync());
        Assert.Equal(1, agent.Store.Ledger.Received);
    }

    [Theory]
    [InlineData(4, "acme/boiler-1", "wrong", 4)]
    [InlineData(4, "acme/boiler-2", "wrong", 4)]
    [InlineData(4, null, null, 4)]
    [InlineData(4, "nonsense", "wrong", 4)]
    [InlineData(5, "acme/boiler-1", "wrong", 0x86)]
    public async Task Wrong_credentials_are_told_so(byte version, string? user, string? secret, byte code)
    {
        await using var agent = await MqttFixture.StartAsync();
        using var client = await WireClient.ConnectAsync(agent.Port, version, "x", user, secret);
        Assert.Equal(code, client.ConnAck.Body[1]);
        Assert.Null(await client.ReceiveAsync());
    }

    [Fact]
    public async Task Guessing_a_chosen_secret_is_slowed_down_and_a_generated_one_still_works()
    {
        await using var agent = await MqttFixture.StartAsync(o => o with { FailedLoginsBurst = 1 });
        agent.Devices.Set(new("acme", "door-1"), "hunter2", generated: false);
        foreach (var user in new[] { "acme/door-1", "acme/boiler-1" })
        {
            using var wrong = await WireClient.ConnectAsync(agent.Port, 5, "x", user, "wrong");
            Assert.Equal(0x86, wrong.ConnAck.Body[1]);
            using var again = await WireClient.ConnectAsync(agent.Port, 5, "x", user, "wrong");
            Assert.Equal((byte)MqttConnectReasonCode.ConnectionRateExceeded, again.ConnAck.Body[1]);
        }
        using var chosen = await WireClient.ConnectAsync(agent.Port, 5, "x", "acme/door-1", "hunter2");
        Assert.Equal((byte)MqttConnectReasonCode.ConnectionRateExceeded, chosen.ConnAck.Body[1]);
        using var generated = await agent.ConnectAsync(version: 5);
        Assert.Equal(0, generated.ConnAck.Body[1]);
        agent.Wire.Advance(TimeSpan.FromSeconds(2));
        using var later = await WireClient.ConnectAsync(agent.Port, 5, "x", "acme/door-1", "hunter2");
        Assert.Equal(0, later.ConnAck.Body[1]);
    }

    [Fact]
    public async Task The_connack_of_mqtt_5_states_the_limits()
    {
        await using var agent = await MqttFixture.StartAsync();
        using var client = await agent.ConnectAsync(version: 5, keepAlive: 0, clientId: "");
        var properties = Convert.ToHexString(client.ConnAck.Body[3..]);
        Assert.Equal(0, client.ConnAck.Body[1]);
        Assert.StartsWith("1100000000" + "210064" + "2501" + "2700040000" + "220010" + "2901" + "2A00" + "13012C" + "12",
            properties, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("v1/acme/boiler-2/temperature", "21.5", RefusalCode.NotAuthorized, 0x87)]
    [InlineData("v1/other/boiler-1/temperature", "21.5", RefusalCode.NotAuthorized, 0x87)]
    [InlineData("v1/acme/boiler-1", "21.5", RefusalCode.BadPayload, 0x99)]
    [InlineData("v1/acme/boiler-1/temperature", "warm", RefusalCode.BadPayload, 0x99)]
    [InlineData("v1/acme/boiler-1/temperature", "NaN", RefusalCode.NotANumber, 0x99)]
    [InlineData("v1/acme/boiler-1/temperature", "{\"v\":1,\"t\":5}", RefusalCode.BadTime, 0x99)]
    [InlineData("v1/acme/boiler-1/a/b", "21.5", RefusalCode.BadTopic, 0x90)]
    [InlineData("v1/acme/boiler-1/a b", "21.5", RefusalCode.BadTopic, 0x90)]
    [InlineData("v1/acme", "21.5", RefusalCode.BadTopic, 0x90)]
    [InlineData("temperature", "21.5", RefusalCode.BadTopic, 0x90)]
    [InlineData("$SYS/x", "21.5", RefusalCode.BadTopic, 0x90)]
    public async Task A_refused_message_gets_its_reason_in_mqtt_5_and_is_acknowledged_and_counted_in_3_1_1(
        string topic, string payload, string code, byte reason)
    {
        await using var agent = await MqttFixture.StartAsync();
        using var v5 = await agent.ConnectAsync(version: 5);
        await v5.SendAsync(WireClient.Publish(topic, payload, id: 3, properties: []));
        var refused = await v5.ReceiveAsync(4);
        Assert.Equal((3, reason), (refused.Id, refused.Body[2]));
        Assert.Contains(code + ": ", refused.Text, StringComparison.Ordinal);
        using var v3 = await agent.ConnectAsync();
        await v3.SendAsync(WireClient.Publish(topic, payload, id: 4));
        Assert.Equal(4, (await v3.ReceiveAsync(4)).Id);
        Assert.Equal(2, agent.Rejected(code));
        Assert.Equal(0, agent.Store.Ledger.Accepted);
        Assert.Empty(agent.Catalog.View.Series);
    }

    [Fact]
    public async Task A_refused_message_is_kept_for_inspection()
    {
        var agent = await MqttFixture.StartAsync();
        string file;
        await using (agent)
        {
            using var client = await agent.ConnectAsync();
            await client.SendAsync(WireClient.Publish(Topic, "warm\n"));
            await client.ReceiveAsync(4);
            await agent.Ingest.StopAsync();
            file = await File.ReadAllTextAsync(agent.QuarantineFile);
        }
        using var line = System.Text.Json.JsonDocument.Parse(file);
        Assert.Equal(
            ["2017-03-10T00:00:00Z", "acme/boiler-1", Topic, "bad_payload", "warm\uFFFD"],
            new[] { "time", "user", "topic", "reason", "payload" }.Select(name => line.RootElement.GetProperty(name).GetString()!));
    }

    [Theory]
    [InlineData("v1/acme/boiler-1/#")]
    [InlineData("v1/acme/+/temperature")]
    [InlineData("v1/acme/boiler-1/a\0b")]
    public async Task A_topic_mqtt_does_not_allow_ends_the_connection(string topic)
    {
        await using var agent = await MqttFixture.StartAsync();
        using var client = await agent.ConnectAsync(version: 5);
        await client.SendAsync(WireClient.Publish(topic, "1", properties: []));
        Assert.Equal((byte)MqttDisconnectReasonCode.TopicNameInvalid, (await client.ReceiveAsync(14)).Body[0]);
        Assert.Null(await client.ReceiveAsync());
        Assert.Equal(1, agent.Rejected(RefusalCode.BadTopic));
    }

    [Fact]
    public async Task A_concentrator_publishes_for_any_device_of_its_account_and_creates_it()
    {
        await using var agent = await MqttFixture.StartAsync();
        using var client = await agent.ConnectAsync(version: 5, user: "acme/*");
        await client.SendAsync(WireClient.Publish("v1/acme/new-1/temperature", "1", id: 1, properties: []));
        Assert.Equal(2, (await client.ReceiveAsync(4)).Body.Length);
        Assert.NotNull(agent.Devices.Find(new("acme", "new-1")));
        await client.SendAsync(WireClient.Publish("v1/other/new-1/temperature", "1", id: 2, properties: []));
        Assert.Equal(0x87, (await client.ReceiveAsync(4)).Body[2]);
    }

    [Fact]
    public async Task Topic_aliases_work_and_wrong_ones_end_the_connection()
    {
        await using var agent = await MqttFixture.StartAsync();
        using var client = await agent.ConnectAsync(version: 5);
        await client.SendAsync(
            WireClient.Publish(Topic, "1", id: 1, properties: [0x23, 0, 16]), WireClient.Publish("", "2", id: 2, properties: [0x23, 0, 16]));
        await client.ReceiveAsync(4);
        Assert.Equal(2, (await client.ReceiveAsync(4)).Body.Length);
        Assert.Equal(2, agent.Store.Ledger.Accepted);
        await client.SendAsync(WireClient.Publish("", "3", id: 3, properties: [0x23, 0, 15]));
        Assert.Equal((byte)MqttDisconnectReasonCode.ProtocolError, (await client.ReceiveAsync(14)).Body[0]);
        using var other = await agent.ConnectAsync(version: 5);
        await other.SendAsync(WireClient.Publish(Topic, "1", properties: [0x23, 0, 17]));
        Assert.Equal((byte)MqttDisconnectReasonCode.TopicAliasInvalid, (await other.ReceiveAsync(14)).Body[0]);
    }

    [Fact]
    public async Task Qos_2_of_mqtt_3_1_1_takes_a_message_once_however_often_it_is_sent()
    {
        await using var agent = await MqttFixture.StartAsync();
        using var client = await agent.ConnectAsync();
        await client.SendAsync(WireClient.Publish(Topic, "1", qos: 2, id: 9), WireClient.Publish(Topic, "1", qos: 2, id: 9, dup: true));
        Assert.Equal(9, (await client.ReceiveAsync(5)).Id);
        Assert.Equal(9, (await client.ReceiveAsync(5)).Id);
        await client.SendAsync(WireClient.PubRel(9));
        Assert.Equal(9, (await client.ReceiveAsync(7)).Id);
        Assert.Equal(1, agent.Store.Ledger.Accepted);
        await client.SendAsync(WireClient.Publish(Topic, "1", qos: 2, id: 9));
        await client.ReceiveAsync(5);
        Assert.Equal(2, agent.Store.Ledger.Accepted);
    }

    [Fact]
    public async Task Untimed_readings_within_a_microsecond_do_not_overwrite_each_other()
    {
        await using var agent = await MqttFixture.StartAsync();
        using var client = await agent.ConnectAsync();
        using var other = await agent.ConnectAsync(user: "acme/*");
        for (ushort i = 1; i <= 20; i++)
        {
            await client.SendAsync(WireClient.Publish(Topic, "1", id: i));
            await client.ReceiveAsync(4);
            await other.SendAsync(WireClient.Publish(Topic, "1", id: i));
            await other.ReceiveAsync(4);
        }
        Assert.Equal((40, 0), (agent.Store.Ledger.Unique, agent.Store.Ledger.Superseded));
    }

    [Fact]
    public async Task Revoking_a_secret_closes_the_connection_that_used_it()
    {
        await using var agent = await MqttFixture.StartAsync();
        using var client = await agent.ConnectAsync(version: 5);
        using var other = await agent.ConnectAsync(version: 5, user: "acme/*");
        agent.Devices.Revoke(new("acme", "boiler-1"));
        Assert.Equal((byte)MqttDisconnectReasonCode.NotAuthorized, (await client.ReceiveAsync(14)).Body[0]);
        Assert.Null(await client.ReceiveAsync());
        await other.SendAsync(WireClient.PingReq);
        await other.ReceiveAsync(13);
    }

    [Fact]
    public async Task The_same_client_id_again_ends_the_older_connection_of_the_same_user_only()
    {
        await using var agent = await MqttFixture.StartAsync();
        using var concentrator = await agent.ConnectAsync(version: 5, clientId: "same", user: "acme/*");
        WireClient? last = null;
        for (var i = 0; i < 20; i++)
        {
            var next = await agent.ConnectAsync(version: 5, clientId: "same");
            if (last is not null)
            {
                Assert.Equal((byte)MqttDisconnectReasonCode.SessionTakenOver, (await last.ReceiveAsync(14)).Body[0]);
                last.Dispose();
            }
            last = next;
        }
        foreach (var client in new[] { last!, concentrator })
        {
            await client.SendAsync(WireClient.PingReq);
            await client.ReceiveAsync(13);
        }
        last!.Dispose();
    }

    [Fact]
    public async Task A_silent_client_is_given_up_and_one_that_only_publishes_is_not()
    {
        await using var agent = await MqttFixture.StartAsync();
        using var silent = await agent.ConnectAsync(version: 5, keepAlive: 10, clientId: "silent");
        using var busy = await agent.ConnectAsync(version: 5, keepAlive: 10, clientId: "busy");
        agent.Wire.Advance(TimeSpan.FromSeconds(14));
        await busy.SendAsync(WireClient.Publish(Topic, "1", properties: []));
        await busy.ReceiveAsync(4);
        agent.Wire.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal((byte)MqttDisconnectReasonCode.KeepAliveTimeout, (await silent.ReceiveAsync(14)).Body[0]);
        await busy.SendAsync(WireClient.PingReq);
        await busy.ReceiveAsync(13);
    }

    [Fact]
    public async Task A_subscriber_sees_its_own_device_and_no_other()
    {
        await using var agent = await MqttFixture.StartAsync();
        using var client = await ClientAsync(agent, MqttProtocolVersion.V500);
        var seen = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        client.ApplicationMessageReceivedAsync += e =>
        {
            seen.TrySetResult($"{e.ApplicationMessage.Topic}={e.ApplicationMessage.ConvertPayloadToString()}");
            return Task.CompletedTask;
        };
        var filters = new MqttClientFactory().CreateSubscribeOptionsBuilder()
            .WithTopicFilter("#").WithTopicFilter("v1/acme/#").WithTopicFilter("v1/acme/boiler-2/#")
            .WithTopicFilter("v1/acme/boiler-1/+", MqttQualityOfServiceLevel.AtLeastOnce)
            .Build();
        var result = await client.SubscribeAsync(filters);
        Assert.Equal(
            [
                MqttClientSubscribeResultCode.NotAuthorized, MqttClientSubscribeResultCode.NotAuthorized,
                MqttClientSubscribeResultCode.NotAuthorized, MqttClientSubscribeResultCode.GrantedQoS0,
            ],
            result.Items.Select(i => i.ResultCode));
        using var concentrator = await agent.ConnectAsync(user: "acme/*");
        await concentrator.SendAsync(WireClient.Publish("v1/acme/boiler-2/temperature", "1", id: 1), WireClient.Publish(Topic, "2", id: 2));
        Assert.Equal(Topic + "=2", await seen.Task.WaitAsync(TimeSpan.FromSeconds(30)));
        await client.DisconnectAsync();
    }

    [Fact]
    public async Task A_will_is_a_message_like_any_other()
    {
        await using var agent = await MqttFixture.StartAsync();
        foreach (var topic in new[] { "v1/acme/boiler-1/status", "v1/acme/boiler-2/status" })
        {
            using var client = await ClientAsync(
                agent, MqttProtocolVersion.V311, o => o.WithWillTopic(topic).WithWillPayload("\"offline\"").WithWillRetain());
            // Gone without a DISCONNECT.
            client.Dispose();
        }
        await UntilAsync(() => agent.Store.Ledger.Received == 2);
        Assert.Equal((1, 1), (agent.Store.Ledger.Accepted, agent.Rejected(RefusalCode.NotAuthorized)));
        Assert.Equal("acme/boiler-1/status", Assert.Single(agent.Catalog.View.Series).Name);
    }

    [Fact]
    public async Task A_taken_port_is_an_error_of_the_start()
    {
        await using var agent = await MqttFixture.StartAsync();
        var taken = await Assert.ThrowsAsync<IOException>(() => MqttFixture.StartAsync(o => o with { Port = agent.Port }));
        Assert.Contains("in use", taken.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_plain_port_beyond_loopback_must_be_opted_in()
    {
        var options = new MqttOptions { QuarantineFile = "q", Address = "0.0.0.0" };
        Assert.Contains("PlainBeyondLoopback", Assert.Throws<ArgumentException>(options.Validated).Message, StringComparison.Ordinal);
        Assert.NotNull((options with { PlainBeyondLoopback = true }).Validated());
    }

    [Fact]
    public async Task Stopping_acknowledges_what_is_durable_and_says_goodbye()
    {
        await using var agent = await MqttFixture.StartAsync();
        using var client = await agent.ConnectAsync(version: 5);
        await client.SendAsync(WireClient.Publish(Topic, "1", properties: []));
        await client.ReceiveAsync(4);
        await agent.Ingest.StopAsync();
        Assert.Equal((byte)MqttDisconnectReasonCode.ServerShuttingDown, (await client.ReceiveAsync(14)).Body[0]);
        Assert.Null(await client.ReceiveAsync());
        Assert.Equal(0, agent.Ingest.Connections);
    }

    private static async Task<IMqttClient> ClientAsync(
        MqttFixture agent, MqttProtocolVersion version, Action<MqttClientOptionsBuilder>? more = null)
    {
        var options = new MqttClientOptionsBuilder().WithTcpServer("127.0.0.1", agent.Port).WithProtocolVersion(version)
            .WithCredentials("acme/boiler-1", agent.Secret).WithClientId("library");
        more?.Invoke(options);
        var client = new MqttClientFactory().CreateMqttClient();
        Assert.Equal(MqttClientConnectResultCode.Success, (await client.ConnectAsync(options.Build())).ResultCode);
        return client;
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!condition())
        {
            await Task.Delay(5, patience.Token);
        }
    }
}
