using System.Text;
using Foretier.Agent.Ingest;
using Foretier.Agent.Ingest.Foreign;
using Foretier.Agent.Ingest.Identity;
using Foretier.Agent.Ingest.Payloads;
using Foretier.Core.Samples;

namespace Foretier.Tests.Unit.Ingest;

public class PayloadTemplateTests
{
    private static readonly long Now = Instant.From(DateTimeOffset.Parse("2017-03-10T00:00:00Z"));
    private static readonly IngestOptions Options = new() { Templates = new() { ["zigbee2mqtt"] = "home", ["tasmota"] = "house" } };

    private readonly ReadingList _readings = new();
    private readonly Draft _draft = new();

    [Theory]
    [InlineData("zigbee2mqtt/lamp", "Nested home/lamp")]
    [InlineData("zigbee2mqtt/kitchen/lamp 1", "Nested home/kitchen%2Flamp%201")]
    [InlineData("zigbee2mqtt/kitchen/lamp/availability", "Availability home/kitchen%2Flamp")]
    [InlineData("zigbee2mqtt/bridge/state", "Availability home/bridge")]
    [InlineData("zigbee2mqtt/bridge/logging", "Nothing home/bridge%2Flogging")]
    [InlineData("zigbee2mqtt/lamp/set", "Nothing home/lamp%2Fset")]
    [InlineData("tele/plug/SENSOR", "Nested house/plug")]
    [InlineData("tele/plug/STATE", "Nested house/plug")]
    [InlineData("tele/plug/LWT", "Availability house/plug")]
    [InlineData("tele/plug/INFO1", "Nothing house/plug")]
    [InlineData("spBv1.0/acme/DDATA/edge/d 1", "Sparkplug acme/edge:d%201")]
    [InlineData("spBv1.0/acme/NCMD/edge", "Nothing acme/edge")]
    [InlineData("spBv1.0/acme/NDATA/edge/d", "bad_topic")]
    [InlineData("spBv1.0/acme", "bad_topic")]
    [InlineData("tele/plug", "bad_topic")]
    [InlineData("v1/acme/a/b", "own")]
    public void Topics_of_other_conventions_name_a_device(string topic, string expected)
    {
        var found = !ForeignTopic.TryParse(Encoding.UTF8.GetBytes(topic), Options, out var foreign, out var refusal) ? "own"
            : foreign is null ? refusal.Code : $"{foreign.Kind} {foreign.Device}";
        Assert.Equal(expected, found);
    }

    [Fact]
    public void Templates_are_off_until_asked_for()
    {
        Assert.False(ForeignTopic.TryParse("zigbee2mqtt/lamp"u8, new(), out _, out _));
        Assert.Throws<ArgumentException>(() => new IngestOptions { Templates = new() { ["homie"] = "a" } }.Validated());
        Assert.Throws<ArgumentException>(() => new IngestOptions { Templates = new() { ["tasmota"] = "a b" } }.Validated());
    }

    [Theory]
    [InlineData("spBv1.0/acme/NCMD/edge/#", "v1/acme/edge/#")]
    [InlineData("spBv1.0/acme/#", "v1/acme/#")]
    [InlineData("STATE/+", "v1/acme/edge/#")]
    [InlineData("spBv1.0/STATE/host", "v1/acme/edge/#")]
    [InlineData("v1/acme/x", "v1/acme/x")]
    public void A_sparkplug_filter_is_judged_like_an_own_one(string filter, string own) =>
        Assert.Equal(own, ForeignTopic.OwnFilter(filter, new DeviceName("acme", "edge")));

    /// <summary>From zigbee2mqtt's documentation: a bulb, and a sensor with its availability.</summary>
    [Fact]
    public void Zigbee2mqtt_members_are_measurements()
    {
        Assert.Equal(
            [("state", 0.0, "ON"), ("brightness", 215, null), ("color.x", 0.4599, null), ("color.y", 0.4106, null), ("color_temp", 325, null),
             ("linkquality", 92, null), ("occupancy", 1, null)],
            Decode("""
                {"state":"ON","brightness":215,"color":{"x":0.4599,"y":0.4106},"color_temp":325,"update_available":null,"linkquality":92,
                 "occupancy":true,"last_seen":"2017-03-09T23:59:59+01:00"}
                """));
        Assert.All(_readings.Readings.ToArray(), r => Assert.Equal(Reading.Untimed, r.Time));
    }

    /// <summary>From Tasmota's documentation: an AM2301 with a BMP280, and a two-channel energy meter.</summary>
    [Fact]
    public void Tasmota_sensors_are_flattened_with_their_units()
    {
        Assert.Equal([("AM2301.Temperature", 22.3, null), ("AM2301.Humidity", 48.6, null), ("BMP280.Pressure", 1013.5, null)],
            Decode("""
                {"Time":"2019-11-03T21:05:59","AM2301":{"Temperature":22.3,"Humidity":48.6},"BMP280":{"Pressure":1013.5},
                 "PressureUnit":"hPa","TempUnit":"C"}
                """));
        Assert.Equal(["Cel", null, "hPa"], _readings.Readings.ToArray().Select(r => r.Unit));
        Assert.Equal([("ENERGY.Power.0", 12.0, null), ("ENERGY.Power.1", 0, null)], Decode("""{"Time":"2017-03-08T23:56:17Z","ENERGY":{"Power":[12,0]}}"""));
        Assert.Equal(1_489_017_377_000_000, _readings.Readings[0].Time);
    }

    [Fact]
    public void Tasmota_state_is_flattened() => Assert.Equal([("UptimeSec", 912.0, null), ("POWER", 0, "OFF"), ("Wifi.RSSI", 100, null)],
        Decode("""{"Time":"2019-11-03T21:05:59","Uptime":"0T00:15:12","UptimeSec":912,"POWER":"OFF","Wifi":{"RSSI":100,"Downtime":"0T00:00:06"}}"""));

    [Theory]
    [InlineData("online", "ONLINE")]
    [InlineData("Offline", "OFFLINE")]
    [InlineData("""{"state":"online"}""", "ONLINE")]
    [InlineData("""{ "state": "offline" }""", "OFFLINE")]
    public void Availability_is_a_state(string payload, string state)
    {
        _draft.Begin(_readings, Now);
        Assert.True(NestedJson.Availability(Encoding.UTF8.GetBytes(payload), _draft));
        Assert.Equal(state, _readings.Readings[0].State);
    }

    [Theory]
    [InlineData("[1]")]
    [InlineData("""{"a":1""")]
    [InlineData("""{"a":{"b":1},"a.b":2}""")]
    [InlineData("""{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":1}}}}}}}}}""")]
    [InlineData("""{"a":1e999}""")]
    public void A_bad_payload_is_refused_whole(string payload)
    {
        _draft.Begin(_readings, Now);
        Assert.False(_draft.End(NestedJson.Decode(Encoding.UTF8.GetBytes(payload), _draft), out _));
    }

    private IEnumerable<(string, double, string?)> Decode(string payload)
    {
        _draft.Begin(_readings, Now);
        Assert.True(_draft.End(NestedJson.Decode(Encoding.UTF8.GetBytes(payload), _draft), out var refusal), refusal.Text);
        return _readings.Readings.ToArray().Select(r => (Encoding.UTF8.GetString(_readings.NameOf(r)), r.Value, r.State));
    }
}
