using System.Text;
using static Foretier.Tests.Unit.Ingest.Sparkplug.SparkplugPayload;

namespace Foretier.Tests.Integration.Ingest;

/// <summary>A Python client, as Debian installs it, against an agent in its own process.</summary>
public sealed class PahoTests(LiveAgent agent) : IClassFixture<LiveAgent>
{
    private const string User = "acme/boiler-1";

    [ToolFact(PahoPeer.Library, PahoPeer.Package)]
    public Task Publishes_and_hears_each_quality_of_service_over_tcp() => PublishAndHearAsync("tcp", agent.MqttPort);

    [ToolFact(PahoPeer.Library, PahoPeer.Package)]
    public Task Publishes_and_hears_each_quality_of_service_over_a_web_socket() => PublishAndHearAsync("websockets", agent.HttpPort);

    [ToolFact(PahoPeer.Library, PahoPeer.Package)]
    public async Task A_sparkplug_node_is_asked_for_its_births_names_its_metrics_by_alias_and_is_offline_when_killed()
    {
        var now = (ulong)DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        using var node = new PahoPeer();
        var death = new { topic = "spBv1.0/acme/NDEATH/boiler-1", hex = Hex(Payload(now, null, Metric("bdSeq", null, 8, Integer(1)))) };
        await node.TellAsync(new { @do = "connect", id = "sparkplug", port = agent.MqttPort, user = User, secret = LiveAgent.Secret, will = death });
        Assert.Equal(0, (await node.HearAsync("connected")).GetProperty("code").GetInt32());
        await node.TellAsync(new { @do = "subscribe", filter = "spBv1.0/acme/NCMD/boiler-1/#", qos = 1 });
        Assert.NotEqual(128, (await node.HearAsync("subscribed")).GetProperty("granted")[0].GetInt32());

        // Data by an alias of an earlier life: what it stands for has to be asked.
        await PublishAsync("NDATA", Payload(now, 7, Metric(null, 1, 0, Float(20f))));
        var command = await node.HearAsync("message");
        Assert.Equal("spBv1.0/acme/NCMD/boiler-1", command.GetProperty("topic").GetString());
        Assert.Contains("Node Control/Rebirth", Encoding.UTF8.GetString(Convert.FromHexString(command.GetProperty("hex").GetString()!)), StringComparison.Ordinal);

        await PublishAsync("NBIRTH", Payload(now, 0, Metric("bdSeq", null, 8, Integer(1)), Metric("Node Control/Rebirth", null, 11, Bool(false)),
            Metric("flow", 1, 9, Float(21.5f))));
        await PublishAsync("NDATA", Payload(now + 1, 1, Metric(null, 1, 0, Float(22.5f))));
        await PublishAsync("NDATA", Payload(now + 2, 2, Metric(null, 1, 0, Float(23.5f))));
        await agent.HasAsync("acme/boiler-1/flow", "21.5 22.5 23.5");
        await agent.HasAsync("acme/boiler-1/online", "ONLINE");

        node.Kill();
        await agent.HasAsync("acme/boiler-1/online", "ONLINE OFFLINE");

        async Task PublishAsync(string kind, byte[] payload)
        {
            await node.TellAsync(new { @do = "publish", topic = $"spBv1.0/acme/{kind}/boiler-1", hex = Hex(payload), qos = 1 });
        }
    }

    private async Task PublishAndHearAsync(string transport, int port)
    {
        using var peer = new PahoPeer();
        await peer.TellAsync(new { @do = "connect", id = transport, transport, port, user = User, secret = LiveAgent.Secret });
        Assert.Equal(0, (await peer.HearAsync("connected")).GetProperty("code").GetInt32());
        await peer.TellAsync(new { @do = "subscribe", filter = $"v1/acme/boiler-1/{transport}", qos = 1 });
        Assert.Equal(0, (await peer.HearAsync("subscribed")).GetProperty("granted")[0].GetInt32());
        var heard = new List<string>();
        for (var qos = 0; qos <= 2; qos++)
        {
            var payload = $"{qos}.5";
            await peer.TellAsync(new { @do = "publish", topic = $"v1/acme/boiler-1/{transport}", hex = Hex(Encoding.UTF8.GetBytes(payload)), qos });
            heard.Add(Encoding.UTF8.GetString(Convert.FromHexString((await peer.HearAsync("message")).GetProperty("hex").GetString()!)));
        }
        Assert.Equal(["0.5", "1.5", "2.5"], heard);
        await agent.HasAsync($"acme/boiler-1/{transport}", "0.5 1.5 2.5");
        await peer.TellAsync(new { @do = "disconnect" });
        Assert.Equal(0, (await peer.HearAsync("disconnected")).GetProperty("code").GetInt32());
    }

    private static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);
}
