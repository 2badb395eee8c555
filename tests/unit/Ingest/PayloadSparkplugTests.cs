using System.Text;
using Foretier.Agent.Ingest;
using Foretier.Agent.Ingest.Payloads;
using Foretier.Agent.Ingest.Payloads.Sparkplug;
using Foretier.Core.Samples;
using static Foretier.Tests.Unit.Ingest.Sparkplug.SparkplugPayload;

namespace Foretier.Tests.Unit.Ingest;

public class PayloadSparkplugTests
{
    private static readonly long Now = Instant.From(DateTimeOffset.Parse("2017-03-10T00:00:00Z"));

    private readonly SparkplugNode _node = new SparkplugNodes().Get("acme", "edge")!;
    private readonly ReadingList _readings = new();
    private readonly Draft _draft = new();

    [Fact]
    public void A_birth_names_what_data_calls_by_alias()
    {
        Decode(SparkplugKind.NodeBirth, Payload(0, Metric("bdSeq", null, 8, Integer(7)), Metric("Node Control/Rebirth", null, 11, Bool(false)),
            Metric("Properties/Temp", 1, 9, Float(21.5f)), Metric("count", 2, 1, Integer(0xFF))));
        Assert.Equal([("Properties%2FTemp", 21.5, null), ("count", -1, null), ("online", 0, "ONLINE")], Seen());
        Assert.False(Decode(SparkplugKind.NodeData, Payload(1, Metric(null, 1, 0, Float(22f)), Metric(null, 2, 0, Integer(0xFE)))));
        Assert.Equal([("Properties%2FTemp", 22, null), ("count", -2, null)], Seen());
        Assert.All(_readings.Readings.ToArray(), r => Assert.Equal((long)At * 1000, r.Time));
    }

    [Fact]
    public void A_missed_message_asks_for_births_and_is_stored_all_the_same()
    {
        Decode(SparkplugKind.NodeBirth, Payload(255, Metric("a", 1, 10, Double(1))));
        Assert.False(Decode(SparkplugKind.NodeData, Payload(0, Metric(null, 1, 0, Double(2)))));
        Assert.True(Decode(SparkplugKind.NodeData, Payload(2, Metric(null, 1, 0, Double(3)))));
        Assert.Equal([("a", 3.0, null)], Seen());
        Assert.True(_node.MayAsk(Now));
        Assert.False(_node.MayAsk(Now + Instant.Second));
        Assert.True(_node.MayAsk(Now + 11 * Instant.Second));
    }

    [Fact]
    public void An_alias_nobody_knows_is_refused_and_births_are_asked_for()
    {
        Assert.True(Decode(SparkplugKind.NodeData, Payload(5, Metric(null, 9, 0, Double(2))), RefusalCode.UnknownAlias));
        Assert.True(Decode(SparkplugKind.NodeData, Payload(6, Metric("n", null, 0, Integer(2))), RefusalCode.UnknownAlias));
        Assert.True(Decode(SparkplugKind.NodeData, Payload(7, Metric("n", null, 4, Integer(ulong.MaxValue)))));
        Assert.Equal([("n", -1.0, null)], Seen());
    }

    [Fact]
    public void Devices_are_born_and_die_and_a_nodes_death_is_theirs()
    {
        Decode(SparkplugKind.NodeBirth, Payload(0, Metric("bdSeq", null, 8, Integer(3))));
        Decode(SparkplugKind.DeviceBirth, Payload(1, Metric("a", 1, 12, Text("on"))), device: "d1");
        Assert.Equal([("a", 0.0, "on"), ("online", 0, "ONLINE")], Seen());
        Decode(SparkplugKind.DeviceBirth, Payload(2, Metric("a", 1, 12, Text("on"))), device: "d2");
        Decode(SparkplugKind.DeviceDeath, Payload(3), device: "d1");
        Assert.Equal([("online", 0.0, "OFFLINE")], Seen());
        Decode(SparkplugKind.NodeDeath, Payload(null, Metric("bdSeq", null, 8, Integer(2))));
        Assert.Empty(Seen());
        Decode(SparkplugKind.NodeDeath, Payload(null, Metric("bdSeq", null, 8, Integer(3))));
        Assert.Equal([("online", 0.0, "OFFLINE"), ("edge:d2/online", 0, "OFFLINE")], Seen());
        Assert.All(_readings.Readings.ToArray(), r => Assert.Equal(Reading.Untimed, r.Time));
    }

    [Fact]
    public void Null_is_no_value_and_a_table_is_counted()
    {
        Decode(SparkplugKind.NodeBirth, Payload(0, [.. Metric("a", 1, 9, [0x38, 1])], Metric("t", 2, 16, [0x8A, 1, 0]), Metric("b", 3, 11, Bool(true))));
        Assert.Equal([("b", 1.0, null), ("online", 0, "ONLINE")], Seen());
        Assert.Equal(1, _draft.Skipped);
    }

    [Fact]
    public void A_payload_cut_off_anywhere_is_refused_or_shorter()
    {
        var whole = Payload(0, Metric("a", 1, 9, Float(1)), Metric("b", 2, 12, Text("x")));
        for (var length = 0; length < whole.Length; length++)
        {
            _draft.Begin(_readings, Now);
            var complete = SparkplugDecoder.Decode(whole.AsSpan(0, length), SparkplugKind.NodeData, _node, "edge", "", _draft, out _);
            _draft.End(complete, out var refusal);
            Assert.True(_readings.Count < 2 || !refusal.IsNone || length >= whole.Length - 2);
        }
    }

    [Fact]
    public void The_command_that_asks_for_births_is_a_payload_itself()
    {
        _draft.Begin(_readings, Now);
        var reader = new ProtoReader(SparkplugDecoder.RebirthCommand(Now));
        Assert.True(reader.Next());
        Assert.Equal((ulong)(Now / 1000), reader.Bits);
        Assert.True(reader.Next() && MetricFields.TryRead(reader.Bytes, out var metric));
        Assert.True(MetricFields.TryRead(reader.Bytes, out metric));
        Assert.Equal("Node Control/Rebirth", Encoding.UTF8.GetString(metric.Name));
        Assert.Equal((11, 1.0), (metric.Type, metric.Number(11)));
        Assert.False(reader.Next() || reader.IsBroken);
    }

    /// <returns>Whether births are to be asked for.</returns>
    private bool Decode(SparkplugKind kind, byte[] payload, string? code = null, string device = "")
    {
        _draft.Begin(_readings, Now);
        var complete = SparkplugDecoder.Decode(payload, kind, _node, "edge", device, _draft, out var wantsBirths);
        _draft.End(complete, out var refusal);
        Assert.Equal(code, refusal.Code);
        return wantsBirths;
    }

    private IEnumerable<(string, double, string?)> Seen() =>
        _readings.Readings.ToArray().Select(r => (Encoding.UTF8.GetString(_readings.NameOf(r)), r.Value, r.State));
}
