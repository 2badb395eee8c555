using System.Buffers;
using System.Text;
using Foretier.Agent.Ingest;
using Foretier.Agent.Ingest.Foreign;
using Foretier.Agent.Ingest.Mqtt;
using Foretier.Agent.Ingest.Payloads;
using Foretier.Agent.Ingest.Payloads.Sparkplug;
using Foretier.Core.Samples;

namespace Foretier.Tests.Fuzz;

/// <summary>A decoder, valid inputs to begin from, and what must hold for any bytes whatever. A violation is an <see cref="InvalidOperationException"/>.</summary>
public sealed class FuzzTarget
{
    /// <summary>No input of ours may make a decoder allocate more than this, and so much for each of its bytes.</summary>
    private const long AllocatedMax = 256 * 1024;
    private const int AllocatedPerByteMax = 1024;

    private static readonly long Now = Instant.From(DateTimeOffset.Parse("2017-03-10T00:00:00Z", System.Globalization.CultureInfo.InvariantCulture));

    private readonly Func<byte[], bool> _run;

    private FuzzTarget(string name, string group, IEnumerable<byte[]> seeds, Func<byte[], bool> run)
    {
        (Name, Group, Seeds, _run) = (name, group, [.. seeds], run);
    }

    public string Name { get; }

    /// <summary>mqtt or payload.</summary>
    public string Group { get; }

    public IReadOnlyList<byte[]> Seeds { get; }

    /// <summary>Runs one case. True where the input was accepted.</summary>
    /// <exception cref="InvalidOperationException">A property does not hold.</exception>
    public bool Run(byte[] input)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        var accepted = _run(input);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        if (allocated > AllocatedMax + (long)AllocatedPerByteMax * input.Length)
        {
            throw new InvalidOperationException($"{allocated} bytes allocated for {input.Length}");
        }
        return accepted;
    }

    public static IReadOnlyList<FuzzTarget> All() =>
    [
        new("header", "mqtt", [[0x30, 5, 0, 1, (byte)'a', 1, 2], [0x32, 0x80, 0x80, 0x80, 0x01], [0xC0, 0]], Header),
        new("publish", "mqtt", PublishSeeds(), Publish),
        Payload("measurement", namedByTopic: true, "21.5", "true", "\"op\\u0065n\"", """{"v":21.5,"t":1489017377,"u":"Cel"}""",
            """[{"v":1,"t":"2017-03-08T23:56:19Z"},[1489017378.5,"x"]]""", "[[1489017377,1],[1489017378,-2.5e3]]"),
        Payload("object", namedByTopic: false, """{"temperature":21.5,"door":"open","t":1489017377123,"on":true}""",
            """{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":10,"k":11,"l":12,"m":13}"""),
        Payload("senml", namedByTopic: false,
            """[{"bn":"urn:dev:ow:10e2073a01080063:","bt":1.276020076001e+09,"bu":"A","bver":5,"n":"voltage","u":"V","v":120.1},{"n":"c","t":-5,"vs":"x"}]""",
            """[{"n":"a","vb":true,"s":5,"ut":60},{"n":"b","vd":"aGk","x":{"y":[1]}}]"""),
        new("cbor", "payload",
        [
            Convert.FromHexString("82a3006161" + "02fb405e066666666666" + "061a58c0a640" + "a2006162" + "0363616263"),
            Convert.FromHexString("9fbf0061610244c4822019ffff"), Convert.FromHexString("d9d9f781a300616102c4822019010f0823"),
            Convert.FromHexString("81a42162613a22fb41d303a15b00106200616102f94900"),
        ], input => Decode(new PayloadDecoder(), input, namedByTopic: false)),
        Payload("line", namedByTopic: false, "cpu,cpu=cpu-total,host=h usage=1.5,n=3i,u=4u,ok=true,s=\"a\\\"b\" 1489017377000000000\n# c\nm f=1\n",
            @"my\ m\,x,t\ k=v\=w f\=1=1 1489017377"),
        new("sparkplug", "payload", SparkplugSeeds(), Sparkplug()),
        new("nested", "payload", Texts("""{"Time":"2017-03-08T23:56:17","AM2301":{"Temperature":22.3,"Power":[1,2]},"TempUnit":"C"}""",
            """{"state":"ON","color":{"x":0.4,"y":0.5},"update":{"state":null},"linkquality":92}""", """{"state":"online"}""", "Offline"), Nested),
        new("topic", "payload", Texts("v1/acme/boiler-1/temperature", "v1/acme/b%2F1", "spBv1.0/acme/DDATA/edge/dev", "spBv1.0/STATE/host",
            "zigbee2mqtt/kitchen/lamp/availability", "tele/plug/SENSOR"), Topics),
    ];

    private static FuzzTarget Payload(string name, bool namedByTopic, params string[] seeds)
    {
        // One for many inputs, as a connection has: what an input leaves behind must not matter.
        var decoder = new PayloadDecoder();
        return new(name, "payload", Texts(seeds), input => Decode(decoder, input, namedByTopic));
    }

    private static bool Decode(PayloadDecoder decoder, byte[] input, bool namedByTopic)
    {
        var readings = new ReadingList();
        var good = decoder.TryDecode(input, namedByTopic, Now, readings, out var refusal, "boiler-1"u8);
        Require(good == refusal.IsNone, "a result and its refusal contradict each other");
        Require(good ? readings.Count > 0 : refusal.Samples > 0 && refusal.Text.Length > 0, "accepted without a reading, or refused without a reason");
        if (good)
        {
            Check(readings, namedByTopic, mayBeNamedWithDevice: false);
        }
        return good;
    }

    private static void Check(ReadingList readings, bool namedByTopic, bool mayBeNamedWithDevice)
    {
        foreach (var reading in readings.Readings)
        {
            Require(double.IsFinite(reading.Value), "a value is not finite");
            Require(reading.Time == Reading.Untimed || Instant.IsAcceptable(reading.Time, Now), "a time is not acceptable");
            Require(reading.IsNamedByTopic == namedByTopic, "a reading is named in the wrong way");
            Require(reading.State is null || Encoding.UTF8.GetByteCount(reading.State) <= Draft.StateBytesMax, "a state is too long");
            Require(reading.Unit is null or { Length: > 0 and <= Draft.UnitBytesMax }, "a unit is none");
            if (!namedByTopic)
            {
                var name = readings.NameOf(reading);
                var slash = mayBeNamedWithDevice ? name.IndexOf((byte)'/') : -1;
                Require(Names.IsValid(name[(slash + 1)..]) && (slash < 0 || Names.IsValid(name[..slash])), "a name is not valid");
            }
        }
    }

    private static bool Header(byte[] input)
    {
        try
        {
            var whole = new ReadOnlySequence<byte>(input);
            var good = PacketHeader.TryRead(whole, out var header);
            Require(!good || (header.Length is >= 2 and <= 5 && header.BodyLength is >= 0 and <= 268_435_455), "a header is impossible");
            return good;
        }
        catch (MalformedPacketException)
        {
            return false;
        }
    }

    private static bool Publish(byte[] input)
    {
        if (input.Length == 0)
        {
            return false;
        }
        try
        {
            var publish = PublishPacket.Read(input[0] & 15, input.AsSpan(1), isV5: (input[0] & 16) != 0);
            Require(publish.Topic.Length + publish.Payload.Length <= input.Length, "a packet has more in it than came");
            Require(publish.Qos is >= 0 and <= 2, "a QoS is impossible");
            return true;
        }
        catch (MalformedPacketException)
        {
            return false;
        }
    }

    private static IEnumerable<byte[]> PublishSeeds()
    {
        byte[] body = [0, 3, .. "v1/"u8, 0, 7];
        yield return [0x02, .. body, .. "21.5"u8];
        yield return [0x12, .. body, 0, .. "21.5"u8];
        yield return [0x12, .. body, 18, 0x23, 0, 1, 0x26, 0, 1, (byte)'a', 0, 1, (byte)'b', 0x01, 1, 0x02, 0, 0, 0, 9, .. "21.5"u8];
    }

    private static Func<byte[], bool> Sparkplug()
    {
        var nodes = new SparkplugNodes();
        var draft = new Draft();
        var count = 0;
        return input =>
        {
            var readings = new ReadingList();
            var node = nodes.Get("acme", "edge")!;
            var kind = (SparkplugKind)(input.Length == 0 ? 0 : (input[^1] + count++) % 6);
            draft.Begin(readings, Now);
            var device = kind is SparkplugKind.DeviceBirth or SparkplugKind.DeviceData or SparkplugKind.DeviceDeath ? "dev" : "";
            var complete = SparkplugDecoder.Decode(input, kind, node, "edge", device, draft, out _);
            var good = draft.End(complete, out var refusal);
            Require(complete || !good, "it broke off without a reason");
            Require(good || refusal.Text.Length > 0, "refused without a reason");
            if (good)
            {
                Check(readings, namedByTopic: false, mayBeNamedWithDevice: true);
            }
            return good;
        };
    }

    private static IEnumerable<byte[]> SparkplugSeeds()
    {
        // timestamp 1489017377000; metrics temp (alias 1, Float 21.5), on (alias 2, Boolean), name (String), n (Int8 -1), engUnit Cel; seq 0.
        yield return Convert.FromHexString("08a8c18bf7aa2b" + "120d0a0474656d7010012009650000ac41" + "12080a026f6e10022003" + "1800");
        yield return Convert.FromHexString("08a8c18bf7aa2b" + "120e0a0474656d701001200965" + "0000ac41" + "120a0a026f6e1002200b7001" + "1800");
        yield return Convert.FromHexString("08a8c18bf7aa2b" + "12091001650000ac413801" + "12050a036e616d" + "1801");
        yield return Convert.FromHexString("120b0a0562645365712008" + "5803" + "1800");
        yield return Convert.FromHexString("12190a016e200150ff01" + "4a0f0a07656e67556e6974120442034365" + "6c");
    }

    private static bool Nested(byte[] input)
    {
        var draft = new Draft();
        var readings = new ReadingList();
        draft.Begin(readings, Now);
        var complete = input.Length > 0 && input[0] == (byte)'{' ? NestedJson.Decode(input, draft) : NestedJson.Availability(input, draft);
        var good = draft.End(complete, out var refusal);
        Require(complete || !good, "it broke off without a reason");
        Require(good || refusal.Text.Length > 0, "refused without a reason");
        if (good)
        {
            Check(readings, namedByTopic: false, mayBeNamedWithDevice: false);
        }
        return good;
    }

    private static bool Topics(byte[] input)
    {
        var options = new IngestOptions { Templates = new() { ["zigbee2mqtt"] = "home", ["tasmota"] = "home" } };
        if (ForeignTopic.TryParse(input, options, out var foreign, out var refusal))
        {
            Require((foreign is null) == !refusal.IsNone, "a topic and its refusal contradict each other");
            Require(foreign is null || Core.Samples.SeriesKey.IsValidPart(foreign.Device.Device), "a topic's device is no name");
            return foreign is not null;
        }
        var good = Topic.TryParse(input, out var topic, out refusal);
        Require(good == refusal.IsNone, "a topic and its refusal contradict each other");
        Require(!good || SeriesKey.IsValidPart(topic!.Device.Device), "a topic's device is no name");
        return good;
    }

    private static IEnumerable<byte[]> Texts(params string[] texts) => texts.Select(Encoding.UTF8.GetBytes);

    private static void Require(bool holds, string what)
    {
        if (!holds)
        {
            throw new InvalidOperationException(what);
        }
    }
}
