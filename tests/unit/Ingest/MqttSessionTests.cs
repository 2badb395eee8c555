using Foretier.Agent.Ingest.Mqtt;
using MQTTnet.Protocol;

namespace Foretier.Tests.Unit.Ingest;

/// <summary>What outlives a connection, and an agent that is killed.</summary>
public class MqttSessionTests
{
    private const string Topic = "v1/acme/boiler-1/temperature";

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_qos_2_message_sent_again_after_a_reconnect_is_counted_once(byte version)
    {
        await using var agent = await MqttFixture.StartAsync();
        using (var first = await ConnectAsync(agent, version))
        {
            Assert.Equal(0, first.ConnAck.Body[0]);
            await first.SendAsync(Publish(version, 9));
            await first.ReceiveAsync(5);
        }
        using var second = await ConnectAsync(agent, version);
        Assert.Equal(1, second.ConnAck.Body[0]);
        await second.SendAsync(Publish(version, 9, dup: true), WireClient.PubRel(9));
        Assert.Equal(9, (await second.ReceiveAsync(5)).Id);
        Assert.Equal(9, (await second.ReceiveAsync(7)).Id);
        Assert.Equal(1, agent.Store.Ledger.Accepted);
        // Released: the id stands for another message now.
        await second.SendAsync(Publish(version, 9));
        await second.ReceiveAsync(5);
        Assert.Equal(2, agent.Store.Ledger.Accepted);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_kill_between_pubrec_and_pubrel_loses_and_doubles_nothing(byte version)
    {
        await using var agent = await MqttFixture.StartAsync();
        using (var first = await ConnectAsync(agent, version))
        {
            await first.SendAsync(Publish(version, 9), Publish(version, 10), WireClient.PubRel(10));
            foreach (var type in new[] { 5, 5, 7 })
            {
                await first.ReceiveAsync(type);
            }
        }
        await agent.KillAsync();
        using var second = await ConnectAsync(agent, version);
        Assert.Equal(1, second.ConnAck.Body[0]);
        await second.SendAsync(Publish(version, 9, dup: true), Publish(version, 10), WireClient.PubRel(9));
        foreach (var type in new[] { 5, 5, 7 })
        {
            await second.ReceiveAsync(type);
        }
        Assert.Equal((3, 0), (agent.Store.Ledger.Accepted, agent.Store.Ledger.Rejected));
    }

    [Fact]
    public async Task What_was_taken_is_still_known_when_the_journal_has_gone_round()
    {
        await using var agent = await MqttFixture.StartAsync();
        using (var first = await ConnectAsync(agent, 4))
        {
            await first.SendAsync(Publish(4, 9));
            await first.ReceiveAsync(5);
            await first.SendAsync(WireClient.Packet(0x82, [0, 1, .. Utf8("v1/acme/boiler-1/#"), 0]));
            await first.ReceiveAsync(9);
            // The ring is 2 MB; each of these leaves some 30 KB in it.
            var payload = $"[{string.Join(',', Enumerable.Range(0, 3000).Select(i => $"[{1489017377 + i},{i}.5]"))}]";
            for (ushort i = 100; i < 170; i++)
            {
                await first.SendAsync(WireClient.Publish(Topic + i, payload, id: i));
                while ((await first.ReceiveAsync())!.Value.Type != 4)
                {
                }
                if (i % 10 == 0)
                {
                    await agent.Store.FlushAllAsync(CancellationToken.None);
                }
            }
        }
        await agent.KillAsync();
        // What was recovered fills the journal; it is flushed by the clock.
        agent.Clock.Advance(TimeSpan.FromMinutes(2));
        await agent.UntilAsync(() => !agent.Store.IsFull);
        var before = agent.Store.Ledger.Accepted;
        using var second = await ConnectAsync(agent, 4);
        Assert.Equal(1, second.ConnAck.Body[0]);
        await second.SendAsync(Publish(4, 9, dup: true));
        await second.ReceiveAsync(5);
        Assert.Equal(before, agent.Store.Ledger.Accepted);
        // And its subscription: the message comes back to it.
        await second.SendAsync(WireClient.Publish(Topic, "5", qos: 0));
        await agent.UntilAsync(() => agent.Store.Ledger.Accepted > before);
        Assert.EndsWith("5", (await second.ReceiveAsync(3)).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_clean_start_forgets_what_was_before()
    {
        await using var agent = await MqttFixture.StartAsync();
        using (var first = await ConnectAsync(agent, 4))
        {
            await first.SendAsync(Publish(4, 9));
            await first.ReceiveAsync(5);
        }
        using (var clean = await agent.ConnectAsync(clientId: "meter"))
        {
            Assert.Equal(0, clean.ConnAck.Body[0]);
            await clean.SendAsync(Publish(4, 9));
            await clean.ReceiveAsync(5);
        }
        Assert.Equal(2, agent.Store.Ledger.Accepted);
        await agent.KillAsync();
        using var third = await ConnectAsync(agent, 4);
        Assert.Equal(0, third.ConnAck.Body[0]);
    }

    [Fact]
    public async Task The_session_of_another_user_is_out_of_reach()
    {
        await using var agent = await MqttFixture.StartAsync();
        using (await ConnectAsync(agent, 4))
        {
        }
        using var other = await WireClient.OpenAsync(agent.Port);
        await other.SendAsync(WireClient.Connect(4, "meter", "acme/*", agent.ConcentratorSecret, clean: false));
        Assert.Equal(0, (await other.ReceiveAsync(2)).Body[0]);
    }

    [Fact]
    public async Task Sessions_are_bounded_the_one_gone_longest_makes_room_and_in_time_all_expire()
    {
        await using var agent = await MqttFixture.StartAsync(o => o with { SessionsMax = 2 });
        foreach (var id in new[] { "a", "b", "c" })
        {
            using var client = await ConnectAsync(agent, 4, id);
            client.Dispose();
            await agent.UntilAsync(() => agent.Ingest.Connections == 0);
            agent.Clock.Advance(TimeSpan.FromSeconds(1));
        }
        Assert.Equal(2, agent.Store.Sessions);
        using (var b = await ConnectAsync(agent, 4, "b"))
        using (var c = await ConnectAsync(agent, 4, "c"))
        using (var a = await ConnectAsync(agent, 5, "a"))
        {
            // Both are in use: the third is told that it has none.
            Assert.Equal([1, 1, 0], new[] { b, c, a }.Select(client => client.ConnAck.Body[0]));
            Assert.StartsWith("1100000000", Convert.ToHexString(a.ConnAck.Body[3..]), StringComparison.Ordinal);
        }
        await agent.UntilAsync(() => agent.Ingest.Connections == 0);
        agent.Clock.Advance(TimeSpan.FromDays(1));
        agent.Store.ExpireSessions();
        Assert.Equal(0, agent.Store.Sessions);
    }

    [Fact]
    public async Task A_message_refused_to_mqtt_5_leaves_its_id_free_and_to_mqtt_3_1_1_is_refused_once()
    {
        await using var agent = await MqttFixture.StartAsync();
        using var v5 = await ConnectAsync(agent, 5);
        await v5.SendAsync(Publish(5, 9, payload: "warm"), Publish(5, 9), WireClient.PubRel(9));
        Assert.Equal((byte)MqttPubRecReasonCode.PayloadFormatInvalid, (await v5.ReceiveAsync(5)).Body[2]);
        Assert.Equal(2, (await v5.ReceiveAsync(5)).Body.Length);
        await v5.ReceiveAsync(7);
        Assert.Equal((1, 1), (agent.Store.Ledger.Accepted, agent.Store.Ledger.Rejected));
        using var v3 = await ConnectAsync(agent, 4, "three");
        await v3.SendAsync(Publish(4, 9, payload: "warm"), Publish(4, 9, payload: "warm", dup: true));
        await v3.ReceiveAsync(5);
        await v3.ReceiveAsync(5);
        Assert.Equal((1, 2), (agent.Store.Ledger.Accepted, agent.Store.Ledger.Rejected));
    }

    [Fact]
    public async Task A_release_of_what_was_never_taken_is_answered_and_more_than_the_receive_maximum_ends_the_connection()
    {
        await using var agent = await MqttFixture.StartAsync(o => o with { ReceiveMaximum = 3 });
        using var client = await ConnectAsync(agent, 5);
        await client.SendAsync(WireClient.PubRel(77));
        Assert.Equal((byte)MqttPubCompReasonCode.PacketIdentifierNotFound, (await client.ReceiveAsync(7)).Body[2]);
        await client.SendAsync([.. Enumerable.Range(1, 4).Select(i => Publish(5, (ushort)i))]);
        for (var i = 0; i < 3; i++)
        {
            await client.ReceiveAsync(5);
        }
        Assert.Equal((byte)MqttDisconnectReasonCode.ReceiveMaximumExceeded, (await client.ReceiveAsync(14)).Body[0]);
    }

    [Fact]
    public async Task Neither_pubrec_nor_pubcomp_goes_out_before_the_journal_has_synced()
    {
        await using var agent = await MqttFixture.StartAsync();
        using var client = await ConnectAsync(agent, 4);
        agent.Disk.Hold();
        await client.SendAsync(Publish(4, 9), WireClient.PingReq);
        await client.ReceiveAsync(13);
        agent.Disk.LetGo();
        await client.ReceiveAsync(5);
        agent.Disk.Hold();
        // After PUBCOMP the client may use the id anew: a crash must not bring the old one back.
        await client.SendAsync(WireClient.PubRel(9), WireClient.PingReq);
        await client.ReceiveAsync(13);
        agent.Disk.LetGo();
        await client.ReceiveAsync(7);
    }

    [Fact]
    public async Task Revoking_a_device_ends_its_stored_sessions_too_and_a_changed_secret_does_not()
    {
        await using var agent = await MqttFixture.StartAsync();
        using (await ConnectAsync(agent, 4))
        {
        }
        using var other = await WireClient.OpenAsync(agent.Port);
        await other.SendAsync(WireClient.Connect(4, "meter", "acme/*", agent.ConcentratorSecret, clean: false));
        await other.ReceiveAsync(2);
        agent.Devices.Set(new("acme", "boiler-1"), "another one of sixteen", generated: true);
        Assert.Equal(2, agent.Store.Sessions);
        agent.Devices.Revoke(new("acme", "boiler-1"));
        Assert.Equal(1, agent.Store.Sessions);
        // What is acknowledged after it says that it is durable too.
        await other.SendAsync(WireClient.Publish(Topic, "1"));
        await other.ReceiveAsync(4);
        await agent.KillAsync();
        agent.Devices.Set(new("acme", "boiler-1"), agent.Secret, generated: true);
        using var again = await ConnectAsync(agent, 4);
        Assert.Equal([0, 0], again.ConnAck.Body);
    }

    [Fact]
    public async Task Revoking_a_connected_device_ends_the_session_it_is_using()
    {
        await using var agent = await MqttFixture.StartAsync();
        using var client = await ConnectAsync(agent, 5);
        agent.Devices.Revoke(new("acme", "boiler-1"));
        Assert.Equal((byte)MqttDisconnectReasonCode.NotAuthorized, (await client.ReceiveAsync(14)).Body[0]);
        Assert.Null(await client.ReceiveAsync());
        Assert.Equal(0, agent.Store.Sessions);
    }

    [Fact]
    public async Task A_client_may_shorten_its_session_as_it_leaves_and_end_it_also_over_a_crash()
    {
        await using var agent = await MqttFixture.StartAsync();
        await LeaveAsync(60);
        Assert.Equal(1, agent.Store.Sessions);
        agent.Clock.Advance(TimeSpan.FromSeconds(61));
        agent.Store.ExpireSessions();
        Assert.Equal(0, agent.Store.Sessions);
        await LeaveAsync(0);
        Assert.Equal(0, agent.Store.Sessions);
        await LeaveAsync(60);
        // Nothing answers a DISCONNECT: what is acknowledged after it says that it is durable too.
        using (var other = await agent.ConnectAsync(clientId: "other"))
        {
            await other.SendAsync(WireClient.Publish(Topic, "1"));
            await other.ReceiveAsync(4);
        }
        await agent.KillAsync();
        Assert.Equal(1, agent.Store.Sessions);
        agent.Clock.Advance(TimeSpan.FromSeconds(61));
        agent.Store.ExpireSessions();
        Assert.Equal(0, agent.Store.Sessions);

        async Task LeaveAsync(uint expiry)
        {
            using var client = await ConnectAsync(agent, 5);
            await client.SendAsync(Publish(5, 9));
            await client.ReceiveAsync(5);
            await client.SendAsync(WireClient.Disconnect(expiry));
            Assert.Null(await client.ReceiveAsync());
            await agent.UntilAsync(() => agent.Ingest.Connections == 0);
        }
    }

    [Fact]
    public async Task A_session_without_an_expiry_is_not_given_one_at_its_end()
    {
        await using var agent = await MqttFixture.StartAsync();
        using var client = await agent.ConnectAsync(version: 5);
        await client.SendAsync(WireClient.Disconnect(60));
        Assert.Equal((byte)MqttDisconnectReasonCode.ProtocolError, (await client.ReceiveAsync(14)).Body[0]);
        await agent.UntilAsync(() => agent.Ingest.Connections == 0);
        Assert.Equal(0, agent.Store.Sessions);
    }

    [Theory]
    [InlineData("", null)]
    [InlineData("00", null)]
    [InlineData("0000", null)]
    [InlineData("00051100000000", 0u)]
    [InlineData("000D1F00014126000141000142110000003C", null)]
    [InlineData("00101F000141260001410001421100000E10", 3600u)]
    public void The_expiry_of_a_disconnect_is_found_among_other_properties(string packet, uint? expiry)
    {
        if (packet.StartsWith("000D", StringComparison.Ordinal))
        {
            // Its length cuts the expiry off.
            Assert.Throws<MalformedPacketException>(() => DisconnectPacket.SessionExpiryOf(Convert.FromHexString(packet)));
            return;
        }
        Assert.Equal(expiry, DisconnectPacket.SessionExpiryOf(Convert.FromHexString(packet)));
    }

    private static async Task<WireClient> ConnectAsync(MqttFixture agent, byte version, string clientId = "meter")
    {
        var client = await WireClient.OpenAsync(agent.Port);
        await client.SendAsync(WireClient.Connect(version, clientId, "acme/boiler-1", agent.Secret, clean: false));
        await client.ReceiveConnAckAsync();
        return client;
    }

    private static byte[] Publish(byte version, ushort id, string payload = "1", bool dup = false) =>
        WireClient.Publish(Topic, payload, qos: 2, id: id, dup: dup, properties: version == 5 ? [] : null);

    private static byte[] Utf8(string text) => [0, (byte)text.Length, .. System.Text.Encoding.UTF8.GetBytes(text)];
}
