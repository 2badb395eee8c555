using System.Text;
using Foretier.Agent.Ingest.Identity;
using Foretier.Agent.Ingest.Payloads.Sparkplug;
using Foretier.Core.Samples;

namespace Foretier.Agent.Ingest.Foreign;

internal enum ForeignKind
{
    /// <summary>Carries no sample: commands, and a bridge's messages about itself.</summary>
    Nothing,
    Sparkplug,

    /// <summary>JSON whose members, nested ones too, are measurements.</summary>
    Nested,

    /// <summary>Says whether the device is there.</summary>
    Availability,
}

/// <summary>
/// A topic of another convention, and the device it is of. Sparkplug: group = account, edge node = device, a node's device = <c>node:device</c>.
/// zigbee2mqtt: the friendly name. Tasmota: the topic below <c>tele/</c>. All percent-encoded where needed.
/// </summary>
/// <param name="Owner">Whose credentials may publish it: the device, or the Sparkplug node that speaks for it.</param>
/// <param name="Edge">Of Sparkplug: the node's name, and</param>
/// <param name="EdgeDevice">its device's, empty for itself, and</param>
/// <param name="CommandTopic">where it listens.</param>
internal sealed record ForeignTopic(
    ForeignKind Kind, DeviceName Device, DeviceName Owner, SparkplugKind Message = default, string Edge = "", string EdgeDevice = "",
    string CommandTopic = "")
{
    /// <summary>False where the topic is of no convention that is taken here.</summary>
    /// <param name="topic">Null where it is of one, and bad.</param>
    public static bool TryParse(ReadOnlySpan<byte> text, IngestOptions options, out ForeignTopic? topic, out Refusal refusal)
    {
        (topic, refusal) = (null, default);
        if (text.StartsWith("spBv1.0/"u8))
        {
            topic = Sparkplug(Encoding.UTF8.GetString(text).Split('/'));
        }
        else if (text.StartsWith("zigbee2mqtt/"u8) && options.AccountOf(IngestOptions.Zigbee2Mqtt) is { } home)
        {
            topic = Zigbee2Mqtt(Encoding.UTF8.GetString(text["zigbee2mqtt/"u8.Length..]), home);
        }
        else if (text.StartsWith("tele/"u8) && options.AccountOf(IngestOptions.Tasmota) is { } house)
        {
            topic = Tasmota(Encoding.UTF8.GetString(text["tele/"u8.Length..]), house);
        }
        else
        {
            return false;
        }
        if (topic is null)
        {
            refusal = new(RefusalCode.BadTopic, $"'{Excerpt.Of(text, 80)}' is no topic of its convention: write spBv1.0/ACCOUNT/NDATA/NODE, "
                + "zigbee2mqtt/NAME or tele/NAME/SENSOR, names of at most 128 characters (encoded)", 1);
        }
        return true;
    }

    /// <summary>
    /// The filter among this product's own topics that covers the same device as a Sparkplug one, so that the same rules decide about both;
    /// any other filter as it is.
    /// </summary>
    public static string OwnFilter(string filter, DeviceName who)
    {
        var levels = filter.Split('/');
        return levels[0] is "spBv1.0" or "STATE" && (levels[0] == "STATE" || (levels.Length > 1 && levels[1] == "STATE")) ? $"v1/{who}/#"
            : levels[0] != "spBv1.0" || levels.Length < 3 ? filter
            : levels.Length == 3 ? $"v1/{levels[1]}/#"
            : levels[3] is "#" or "+" ? $"v1/{levels[1]}/#"
            : SeriesKey.Encode(levels[3]) is { } device ? $"v1/{levels[1]}/{device}/#" : filter;
    }

    private static ForeignTopic? Sparkplug(string[] levels)
    {
        if (levels.Length >= 3 && levels[1] == "STATE")
        {
            // A host's word about itself.
            return new(ForeignKind.Nothing, new("STATE", "STATE"), new("", ""));
        }
        var isOfDevice = levels.Length == 5;
        if (levels.Length is not (4 or 5) || SeriesKey.Encode(levels[1]) is not { } account || SeriesKey.Encode(levels[3]) is not { } edge
            || (isOfDevice ? SeriesKey.Encode(levels[4]) : "") is not { } device)
        {
            return null;
        }
        var owner = new DeviceName(account, edge);
        var name = isOfDevice ? owner with { Device = $"{edge}:{device}" } : owner;
        SparkplugKind? message = (levels[2], isOfDevice) switch
        {
            ("NBIRTH", false) => SparkplugKind.NodeBirth,
            ("NDATA", false) => SparkplugKind.NodeData,
            ("NDEATH", false) => SparkplugKind.NodeDeath,
            ("DBIRTH", true) => SparkplugKind.DeviceBirth,
            ("DDATA", true) => SparkplugKind.DeviceData,
            ("DDEATH", true) => SparkplugKind.DeviceDeath,
            _ => null,
        };
        return !SeriesKey.IsValidPart(name.Device) ? null
            : message is { } known ? new(ForeignKind.Sparkplug, name, owner, known, edge, device, $"spBv1.0/{levels[1]}/NCMD/{levels[3]}")
            : levels[2] is "NCMD" or "DCMD" ? new(ForeignKind.Nothing, owner, owner) : null;
    }

    private static ForeignTopic? Zigbee2Mqtt(string path, string account)
    {
        const string availability = "/availability";
        if (path == "bridge/state" || (path.EndsWith(availability, StringComparison.Ordinal) && !path.StartsWith("bridge/", StringComparison.Ordinal)))
        {
            return Of(ForeignKind.Availability, account, path[..path.LastIndexOf('/')]);
        }
        // Friendly names may have slashes: only what is known to be no device's state is left out.
        var isOther = path.StartsWith("bridge/", StringComparison.Ordinal) || path.EndsWith("/set", StringComparison.Ordinal)
            || path.EndsWith("/get", StringComparison.Ordinal) || path.Contains("/set/", StringComparison.Ordinal);
        return Of(isOther ? ForeignKind.Nothing : ForeignKind.Nested, account, path);
    }

    private static ForeignTopic? Tasmota(string path, string account)
    {
        var slash = path.LastIndexOf('/');
        return slash <= 0 ? null : Of(path[(slash + 1)..] switch
        {
            "SENSOR" or "STATE" => ForeignKind.Nested,
            "LWT" => ForeignKind.Availability,
            _ => ForeignKind.Nothing,
        }, account, path[..slash]);
    }

    private static ForeignTopic? Of(ForeignKind kind, string account, string device) =>
        SeriesKey.Encode(device) is { } name ? new(kind, new(account, name), new(account, name)) : null;
}
