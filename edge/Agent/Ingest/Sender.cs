using System.Runtime.InteropServices;
using System.Text;
using Foretier.Agent.Hot;
using Foretier.Agent.Ingest.Foreign;
using Foretier.Agent.Ingest.Identity;
using Foretier.Agent.Ingest.Payloads;
using Foretier.Agent.Ingest.Payloads.Sparkplug;
using Foretier.Core.Samples;

namespace Foretier.Agent.Ingest;

/// <summary>What became of a message.</summary>
/// <param name="Ticket">Durable with this commit, and not to be acknowledged before.</param>
/// <param name="Device">Whose message it was; null where it was refused.</param>
internal readonly record struct Verdict(long Ticket, Refusal Refusal, DeviceName? Device);

/// <summary>What all ways in share.</summary>
internal sealed record Intake(HotStore Store, DeviceRegistry Devices, RefusalBook Refusals, ArrivalTimes Arrivals, TimeProvider Clock)
{
    /// <summary>What Sparkplug's births have said.</summary>
    public SparkplugNodes Sparkplug { get; } = new();

    public IngestOptions Options { get; init; } = new();

    /// <summary>Where samples are marked that a clock stamped which was not trusted; null where the clock always is.</summary>
    public StampBook? Stamps { get; init; }

    /// <summary>Publishes a message of the agent's own to whoever subscribed to its topic; null until there is a broker.</summary>
    public Action<string, byte[]>? Command { get; set; }
}

/// <summary>
/// One authenticated sender, that is one connection: checks that the topic is its own, decodes, and hands the samples to the hot store.
/// It remembers what its topics mean, so that a repeated topic costs one look-up. Not thread-safe.
/// </summary>
internal sealed partial class Sender(DeviceName name, Intake intake, TopicRights? rights = null)
{
    // Past these it forgets all and learns anew: a sender of ever new topics must not fill the memory.
    private const int TopicsMax = 4096;
    private const int MembersMax = 8192;

    // A box may have lain in a store-room for long.
    private const long AheadMaxUntrusted = 3650 * Instant.Day;

    private readonly PayloadDecoder _decoder = new();
    private readonly ReadingList _readings = new();
    private readonly List<IncomingSample> _samples = [];
    private readonly Dictionary<byte[], KnownTopic> _topics = new(BytesComparer.Instance);

    // The QoS 2 message that is being taken; what it leaves in the journal says so.
    private Delivery _delivery;

    public DeviceName Name { get; } = name;

    /// <summary>What it may publish and hear. A change of them ends its connection.</summary>
    public TopicRights Rights { get; } = rights ?? intake.Devices.RightsOf(name);

    /// <summary>Takes one message, whole or not at all.</summary>
    /// <exception cref="HotStoreUnavailableException">The store can take nothing now: do not acknowledge.</exception>
    /// <param name="delivery">The QoS 2 message it is, to be durable together with what it brings.</param>
    public Verdict Publish(ReadOnlySpan<byte> topic, ReadOnlySpan<byte> payload, in Delivery delivery)
    {
        _delivery = delivery;
        try
        {
            return Publish(topic, payload);
        }
        finally
        {
            _delivery = default;
        }
    }

    /// <summary>Whose topic it is; refused where the sender may not publish to it.</summary>
    public Verdict Permit(ReadOnlySpan<byte> topic) =>
        TryKnow(topic, out var known, out var refusal) ? new(0, default, known!.Topic.Device) : Refuse(topic, [], refusal);

    /// <summary>Takes one message, whole or not at all.</summary>
    /// <exception cref="HotStoreUnavailableException">The store can take nothing now: do not acknowledge.</exception>
    public Verdict Publish(ReadOnlySpan<byte> topic, ReadOnlySpan<byte> payload)
    {
        if (!TryKnow(topic, out var known, out var refusal))
        {
            return Refuse(topic, payload, refusal);
        }
        if (known!.Foreign is { } foreign)
        {
            return PublishForeign(known, foreign, topic, payload);
        }
        var now = Instant.Now(intake.Clock);
        // While the clock is not trusted a device may well know better: then nothing is too far ahead.
        var ahead = intake.Clock is SiteClock { IsTrusted: false } ? now + AheadMaxUntrusted : now;
        if (!_decoder.TryDecode(payload, known.Topic.Measurement is not null, ahead, _readings, out refusal, known.DeviceName))
        {
            return Refuse(topic, payload, refusal);
        }
        if (!TryAppend(known, now, out var ticket, out refusal))
        {
            return Refuse(topic, payload, refusal);
        }
        known.Device?.Seen(now);
        return new(ticket, default, known.Topic.Device);
    }

    /// <summary>Counts and keeps a message that was refused before it could be taken.</summary>
    public Verdict Refuse(ReadOnlySpan<byte> topic, ReadOnlySpan<byte> payload, in Refusal refusal) =>
        new(intake.Refusals.Enter(Name.ToString(), topic, payload, refusal, _delivery), refusal, null);

    private bool TryAppend(KnownTopic known, long now, out long ticket, out Refusal refusal)
    {
        _samples.Clear();
        refusal = default;
        ticket = 0;
        var untimed = 0;
        foreach (ref readonly var reading in _readings.Readings)
        {
            var series = reading.IsNamedByTopic ? known.Series! : known.Member(_readings.NameOf(reading), this);
            if (!series.TryResolve(intake, reading.Unit, reading.State is not null, out var handle))
            {
                if (handle == 0)
                {
                    refusal = new(RefusalCode.SeriesLimit, $"{series} would be one series more than the {intake.Store.SeriesMax} that Hot:SeriesMax allows: "
                        + "publish to names that exist, or raise it", _readings.Count);
                    return false;
                }
                // Stored, it would be a number of the wrong size among the right ones.
                refusal = new(RefusalCode.UnitConflict, $"{series} is in '{intake.Store.UnitOf(handle)}', this value in '{reading.Unit}': "
                    + "convert it, or publish it under another name", _readings.Count);
                return false;
            }
            var time = reading.Time;
            if (time == Reading.Untimed)
            {
                (time, untimed) = (series.Arrivals!.Next(now), untimed + 1);
            }
            _samples.Add(new(handle, time, reading.Value, reading.State));
            series.Seen(now);
        }
        if (intake.Store.IsShedding)
        {
            refusal = new(RefusalCode.FlashBudget,
                "this edge has written to its flash all that it may in a day: send fewer or larger messages, or later", _samples.Count);
            return false;
        }
        if (intake.Store.IsTooLate(CollectionsMarshal.AsSpan(_samples)))
        {
            refusal = new(RefusalCode.TooLate,
                "its time lies in a day whose samples were removed from this edge by retention or for want of space", _samples.Count);
            return false;
        }
        if (untimed > 0 && intake.Clock is SiteClock { IsTrusted: false })
        {
            intake.Stamps?.Note(untimed, now);
        }
        ticket = intake.Store.Append(CollectionsMarshal.AsSpan(_samples), _delivery);
        if (_samples.Capacity > MembersMax)
        {
            _samples.Clear();
            _samples.Capacity = 0;
        }
        return true;
    }

    private bool TryKnow(ReadOnlySpan<byte> text, out KnownTopic? known, out Refusal refusal)
    {
        refusal = default;
        var topics = _topics.GetAlternateLookup<ReadOnlySpan<byte>>();
        if (topics.TryGetValue(text, out known))
        {
            return true;
        }
        var topic = default(Topic);
        if (ForeignTopic.TryParse(text, intake.Options, out var foreign, out refusal))
        {
            topic = foreign is null ? null : new(foreign.Device, null);
        }
        if (topic is null && (!refusal.IsNone || !Ingest.Topic.TryParse(text, out topic, out refusal)))
        {
            return false;
        }
        if (foreign?.Owner.Account != "" && !Rights.MayPublish(foreign?.Owner ?? topic!.Device, topic!.Measurement))
        {
            refusal = new(RefusalCode.NotAuthorized, $"{Name} may not publish to this topic; by default {(Name.IsConcentrator
                ? $"a concentrator may under v1/{Name.Account}/" : $"a device may to v1/{Name} and v1/{Name}/…")}; see 'foretier devices set'", 1);
            return false;
        }
        if (_topics.Count >= TopicsMax)
        {
            _topics.Clear();
        }
        var device = foreign?.Kind == ForeignKind.Nothing ? null : intake.Devices.Meet(topic!.Device);
        // One name for all of a device's topics: there may be many.
        known = new(device?.Name == topic!.Device ? topic with { Device = device.Name } : topic, device) { Foreign = foreign };
        topics[text] = known;
        return true;
    }

    private KnownSeries Know(KnownTopic topic, ReadOnlySpan<byte> name)
    {
        var slash = name.IndexOf((byte)'/');
        var measurement = Encoding.ASCII.GetString(name[(slash + 1)..]);
        if (slash < 0)
        {
            return new(topic.Topic.Device, measurement, null);
        }
        var device = new DeviceName(Name.Account, Encoding.ASCII.GetString(name[..slash]));
        return SeriesKey.IsValidPart(device.Device) && (topic.Foreign is not null || Rights.MayPublish(device, measurement))
            ? new(device, measurement, intake.Devices.Meet(device)) : new(device, measurement, null) { IsAllowed = false };
    }

    private sealed class KnownTopic(Topic topic, Device? device)
    {
        // Null while the topic names the series, as most do.
        private Dictionary<byte[], KnownSeries>? _members;

        public Topic Topic { get; } = topic;

        /// <summary>Of another convention; null for this product's own.</summary>
        public ForeignTopic? Foreign { get; init; }

        /// <summary>Null where the payload names the devices.</summary>
        public Device? Device { get; } = device;

        public byte[] DeviceName { get; } = Encoding.ASCII.GetBytes(topic.Device.Device);
        public KnownSeries? Series { get; } = topic.Measurement is null ? null : new(topic.Device, topic.Measurement, null);

        /// <param name="name">measurement, or device/measurement.</param>
        public KnownSeries Member(ReadOnlySpan<byte> name, Sender sender)
        {
            _members ??= new(BytesComparer.Instance);
            var members = _members.GetAlternateLookup<ReadOnlySpan<byte>>();
            if (!members.TryGetValue(name, out var series))
            {
                if (_members.Count >= MembersMax)
                {
                    _members.Clear();
                }
                members[name] = series = sender.Know(this, name);
            }
            return series;
        }
    }

    /// <param name="met">The device, where the payload named it.</param>
    private sealed class KnownSeries(DeviceName device, string measurement, Device? met)
    {
        private int _handle;
        private string? _unit;

        public ArrivalTimes.Series? Arrivals { get; private set; }

        /// <summary>False where it is of a device the sender may not write for.</summary>
        public bool IsAllowed { get; init; } = true;

        public void Seen(long now) => met?.Seen(now);

        /// <summary>False where the series is in another unit, or cannot be begun: then <paramref name="handle"/> is 0.</summary>
        public bool TryResolve(Intake intake, string? unit, bool isState, out int handle)
        {
            if (Arrivals is null || (unit is not null && unit != _unit))
            {
                handle = intake.Store.Resolve(device.Account, device.Device, measurement, unit, isState);
                if (handle == 0)
                {
                    return false;
                }
                _handle = handle;
                _unit = intake.Store.UnitOf(_handle);
                Arrivals ??= intake.Arrivals.Of(_handle);
            }
            handle = _handle;
            return unit is null || unit == _unit;
        }

        public override string ToString() => $"{device}/{measurement}";
    }
}
