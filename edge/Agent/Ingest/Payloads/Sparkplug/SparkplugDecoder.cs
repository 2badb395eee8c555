using System.Text;
using Foretier.Core.Samples;

namespace Foretier.Agent.Ingest.Payloads.Sparkplug;

/// <summary>
/// Decodes Sparkplug B payloads (protobuf, field numbers of Tahu's sparkplug_b.proto). Each metric is a measurement named as the metric,
/// percent-encoded; births and deaths are states of the measurement <c>online</c>. Commands (<c>Node Control/…</c>) and bdSeq are no
/// measurements; null metrics have no value; tables, files, lists and templates have no place in a series and are counted.
/// </summary>
internal static class SparkplugDecoder
{
    public const string Online = "ONLINE";
    public const string Offline = "OFFLINE";

    private const string Broken = "the payload is not a Sparkplug B protobuf message";

    /// <param name="node">Locked by the caller.</param>
    /// <param name="edge">The node's name, and </param>
    /// <param name="device">its device's; empty for the node's own messages.</param>
    /// <param name="wantsBirths">The node has to be asked to send its births again: something of it was missed.</param>
    /// <returns>False where it broke off. Nothing in the draft, and no refusal: there is nothing to store.</returns>
    public static bool Decode(
        ReadOnlySpan<byte> payload, SparkplugKind kind, SparkplugNode node, string edge, string device, Draft draft, out bool wantsBirths)
    {
        wantsBirths = false;
        if (!TryHead(payload, out var time, out var sequence, out var birthNumber))
        {
            return draft.Stop(RefusalCode.BadPayload, Broken);
        }
        var sent = time is { } ms ? draft.CheckTime(Micros(ms)) : Reading.Untimed;
        if (kind == SparkplugKind.NodeDeath)
        {
            return NodeDeath(node, edge, birthNumber, draft);
        }
        wantsBirths = Follow(kind, node, sequence);
        if (kind == SparkplugKind.DeviceDeath)
        {
            node.Die(device);
            State(draft, "online"u8, Offline, sent);
            return true;
        }
        var isBirth = kind is SparkplugKind.NodeBirth or SparkplugKind.DeviceBirth;
        var birth = isBirth ? new SparkplugBirth() : node.Find(device);
        wantsBirths |= birth is null;
        for (var reader = new ProtoReader(payload); reader.Next();)
        {
            if (reader.Field == 2 && !Metric(reader.Bytes, sent, birth, isBirth, draft, ref wantsBirths))
            {
                return false;
            }
        }
        if (isBirth)
        {
            if (!node.TryBear(device, birth!))
            {
                return draft.Stop(RefusalCode.BadPayload, "there are more Sparkplug devices or metrics than this agent keeps in mind");
            }
            if (kind == SparkplugKind.NodeBirth)
            {
                node.BirthNumber = birthNumber;
            }
            State(draft, "online"u8, Online, sent);
        }
        return true;
    }

    /// <summary>An NCMD that asks a node for its births.</summary>
    public static byte[] RebirthCommand(long now)
    {
        var bytes = new List<byte> { 0x08 };
        for (var ms = (ulong)(now / Instant.Millisecond); ; ms >>= 7)
        {
            bytes.Add((byte)(ms < 0x80 ? ms : ms & 0x7F | 0x80));
            if (ms < 0x80)
            {
                break;
            }
        }
        var name = "Node Control/Rebirth"u8;
        // A metric: its name, data type 11 (Boolean), boolean_value true.
        return [.. bytes, 0x12, (byte)(name.Length + 6), 0x0A, (byte)name.Length, .. name, 0x20, 11, 0x70, 1];
    }

    /// <summary>Notes the sequence number; true where one was missed.</summary>
    private static bool Follow(SparkplugKind kind, SparkplugNode node, ulong? sequence)
    {
        var expected = (node.Sequence + 1) & 0xFF;
        node.Sequence = sequence is { } number ? (int)(number & 0xFF) : node.Sequence;
        return kind != SparkplugKind.NodeBirth && (!node.IsBorn || (sequence is not null && node.Sequence != expected));
    }

    /// <summary>The node's will: its time is that of the connect, so the time of arrival counts.</summary>
    private static bool NodeDeath(SparkplugNode node, string edge, ulong? birthNumber, Draft draft)
    {
        if (node.BirthNumber is { } current && birthNumber is { } said && said != current)
        {
            // The will of an earlier connection, which came after the birth of this one.
            return true;
        }
        State(draft, "online"u8, Offline, Reading.Untimed);
        foreach (var device in node.Devices)
        {
            State(draft, Encoding.ASCII.GetBytes($"{edge}:{device}/online"), Offline, Reading.Untimed);
        }
        node.Die("");
        node.Sequence = null;
        return true;
    }

    private static void State(Draft draft, ReadOnlySpan<byte> name, string state, long time) =>
        draft.TakeNamed(draft.Readings.KeepName(name), name.Length, time, 0, state, null);

    private static bool TryHead(ReadOnlySpan<byte> payload, out ulong? time, out ulong? sequence, out ulong? birthNumber)
    {
        (time, sequence, birthNumber) = (null, null, null);
        var reader = new ProtoReader(payload);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    time = reader.Bits;
                    break;
                case 3:
                    sequence = reader.Bits;
                    break;
                case 2:
                    if (!reader.HasBytes || !MetricFields.TryRead(reader.Bytes, out var metric))
                    {
                        return false;
                    }
                    birthNumber = metric.Name.SequenceEqual("bdSeq"u8) ? metric.Bits : birthNumber;
                    break;
                default:
                    break;
            }
        }
        return !reader.IsBroken;
    }

    private static bool Metric(ReadOnlySpan<byte> bytes, long sent, SparkplugBirth? birth, bool isBirth, Draft draft, ref bool wantsBirths)
    {
        MetricFields.TryRead(bytes, out var metric);
        var text = new NameText(stackalloc byte[SeriesKey.PartLengthMax]);
        var name = text.Bytes;
        SparkplugMetric? known = null;
        if (!metric.Name.IsEmpty)
        {
            if (metric.Name.SequenceEqual("bdSeq"u8) || metric.Name.StartsWith("Node Control/"u8) || metric.Name.StartsWith("Device Control/"u8))
            {
                return true;
            }
            text.Encode(metric.Name);
            name = text.Bytes;
            if (text.IsTooLong)
            {
                draft.Refuse(RefusalCode.BadName, Names.Explain("metric", metric.Name));
            }
            known = isBirth ? Learn(birth!, name, metric) : Find(birth, name);
        }
        else if (metric.Alias is { } alias && birth is not null && birth.ByAlias.TryGetValue(alias, out known))
        {
            name = known.Name;
        }
        else
        {
            wantsBirths = true;
            return draft.Stop(RefusalCode.UnknownAlias, metric.Alias is null ? "a metric has neither name nor alias"
                : $"alias {metric.Alias} is not known here: the births that say what it means are asked for (NCMD Node Control/Rebirth)");
        }
        var type = metric.Type != 0 ? metric.Type : known?.Type ?? 0;
        if (metric.IsNull)
        {
            return true;
        }
        if (type is >= 16 || metric.Shape == MetricShape.Other)
        {
            draft.Skip();
            return true;
        }
        if (metric.Shape == MetricShape.None || (type == 0 && metric.Shape == MetricShape.Integer))
        {
            wantsBirths |= metric.Shape == MetricShape.Integer;
            return draft.Stop(metric.Shape == MetricShape.None ? RefusalCode.BadPayload : RefusalCode.UnknownAlias, metric.Shape == MetricShape.None
                ? $"metric '{Excerpt.Of(name, 80)}' has no value: set is_null, or leave it out"
                : $"the data type of '{Excerpt.Of(name, 80)}' is not known here: the births that say it are asked for");
        }
        var time = metric.Time is { } ms ? draft.CheckTime(Micros(ms)) : sent;
        var value = metric.Number(type);
        draft.CheckNumber(value);
        var state = metric.Shape == MetricShape.Text ? draft.State(metric.Text) : null;
        draft.TakeNamed(draft.Readings.KeepName(name), name.Length, time, value, state, metric.Unit is { Length: > 0 } unit ? draft.Unit(unit) : null);
        return true;
    }

    private static SparkplugMetric Learn(SparkplugBirth birth, ReadOnlySpan<byte> name, in MetricFields metric)
    {
        var known = new SparkplugMetric(name.ToArray(), metric.Type);
        birth.ByName[known.Name] = known;
        if (metric.Alias is { } alias)
        {
            birth.ByAlias[alias] = known;
        }
        return known;
    }

    private static SparkplugMetric? Find(SparkplugBirth? birth, ReadOnlySpan<byte> name) =>
        birth is not null && birth.ByName.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(name, out var known) ? known : null;

    private static long Micros(ulong ms) => ms < long.MaxValue / 2000 ? (long)ms * Instant.Millisecond : long.MaxValue / 2;
}
