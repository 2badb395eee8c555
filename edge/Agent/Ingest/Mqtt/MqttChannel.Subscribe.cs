using Foretier.Agent.Hot;
using Foretier.Agent.Ingest.Foreign;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace Foretier.Agent.Ingest.Mqtt;

/// <summary>The subscriptions of the connection and what they bring. Deliveries have QoS 0: a client that never acknowledges holds no memory here.</summary>
internal sealed partial class MqttChannel
{
    // With a thousand sessions kept, 4 MB.
    private const int SessionFilterBytesMax = 4096;

    // Changed by the reader alone, replaced whole: publishers read it.
    private volatile TopicFilter[] _filters = [];

    /// <summary>Bytes waiting for the subscriber.</summary>
    public long PendingBytes => _outbox.Bytes;

    /// <summary>Sends a message if a filter matches it. On the thread of its publisher, and without waiting.</summary>
    public void Deliver(MqttChannel? from, OutgoingMessage message, bool isRetained)
    {
        Span<int> ids = stackalloc int[8];
        var (count, matches, keepsFlag) = (0, false, false);
        foreach (var filter in _filters)
        {
            if ((from == this && (filter.Asked.Options & TopicFilter.NoLocal) != 0) || !TopicFilter.Matches(filter.Text, message.Topic))
            {
                continue;
            }
            matches = true;
            keepsFlag |= (filter.Asked.Options & TopicFilter.RetainAsPublished) != 0;
            if (filter.Asked.Id > 0 && count < ids.Length)
            {
                ids[count++] = filter.Asked.Id;
            }
        }
        if (matches)
        {
            Send(message.Encode(IsV5, isRetained && keepsFlag, ids[..count]));
        }
    }

    /// <summary>The subscriptions of the client's session. After the CONNACK.</summary>
    public void RestoreSubscriptions()
    {
        foreach (var filter in _session?.Filters ?? [])
        {
            // What it may hear can have changed meanwhile.
            if (Sender!.Rights.Covers(ForeignTopic.OwnFilter(filter.Topic, Sender.Name)) is { } covered)
            {
                Add(new(filter, covered));
            }
        }
    }

    /// <summary>The connection is over.</summary>
    public void DropSubscriptions()
    {
        _outbox.Close();
        foreach (var covered in _filters.Select(filter => filter.Covered).Distinct())
        {
            _ingest.Subscriptions.Remove(covered, this);
        }
        _filters = [];
    }

    private void Send(byte[] packet)
    {
        // [MQTT-3.1.2-25]: what the client cannot take is not sent, as if it had been.
        if (packet.Length <= _packetBytesMax && _outbox.Add(packet) is > 0 and var dropped)
        {
            _ingest.DeliveriesDropped(dropped);
        }
    }

    private async Task SubscribeAsync(MqttSubscribePacket subscribe, CancellationToken cancel)
    {
        var codes = new List<MqttSubscribeReasonCode>();
        var made = new List<(TopicFilter Filter, bool IsNew, MqttRetainHandling Retained)>();
        string? reason = null;
        foreach (var asked in subscribe.TopicFilters)
        {
            var code = TrySubscribe(asked, (int)subscribe.SubscriptionIdentifier, out var filter, out var isNew, out var why);
            codes.Add(code == MqttSubscribeReasonCode.GrantedQoS0 || IsV5 ? code : MqttSubscribeReasonCode.UnspecifiedError);
            reason ??= why;
            if (filter is not null)
            {
                made.Add((filter, isNew, asked.RetainHandling));
            }
        }
        KeepFilters();
        await SendPacketAsync(new MqttSubAckPacket
        {
            PacketIdentifier = subscribe.PacketIdentifier,
            ReasonCodes = codes,
            ReasonString = IsV5 && _wantsReasons ? reason : null,
        }, cancel);
        foreach (var (filter, isNew, handling) in made)
        {
            if (handling == MqttRetainHandling.SendAtSubscribe || (handling == MqttRetainHandling.SendAtSubscribeIfNewSubscriptionOnly && isNew))
            {
                foreach (var message in _ingest.Retained.Matching(filter.Covered, filter.Text))
                {
                    Send(message.Encode(IsV5, isRetained: true, filter.Asked.Id > 0 ? [filter.Asked.Id] : []));
                }
            }
        }
    }

    private MqttSubscribeReasonCode TrySubscribe(MqttTopicFilter asked, int id, out TopicFilter? filter, out bool isNew, out string? why)
    {
        (filter, isNew, why) = (null, false, null);
        if (!TopicFilter.IsWellFormed(asked.Topic ?? ""))
        {
            why = $"a filter has + for a whole level, # for the last one, and at most {TopicFilter.LengthMax} characters";
            return MqttSubscribeReasonCode.TopicFilterInvalid;
        }
        if (asked.Topic!.StartsWith("$share/", StringComparison.Ordinal))
        {
            return MqttSubscribeReasonCode.SharedSubscriptionsNotSupported;
        }
        if (Sender!.Rights.Covers(ForeignTopic.OwnFilter(asked.Topic, Sender.Name)) is not { } covered)
        {
            why = "subscribe within v1/account/device of your own user name, or have the operator allow more (foretier devices set)";
            return MqttSubscribeReasonCode.NotAuthorized;
        }
        isNew = !Array.Exists(_filters, known => known.Asked.Topic == asked.Topic);
        if (isNew && _filters.Length >= _options.SubscriptionsMax)
        {
            why = $"a connection may have {_options.SubscriptionsMax} subscriptions";
            return MqttSubscribeReasonCode.QuotaExceeded;
        }
        if (isNew && _session!.Keep > TimeSpan.Zero && _filters.Sum(known => known.Text.Length) + asked.Topic.Length > SessionFilterBytesMax)
        {
            why = $"the subscriptions of a session may have {SessionFilterBytesMax} characters together";
            return MqttSubscribeReasonCode.QuotaExceeded;
        }
        var options = (asked.NoLocal ? TopicFilter.NoLocal : 0) | (asked.RetainAsPublished ? TopicFilter.RetainAsPublished : 0);
        filter = new(new(asked.Topic, (byte)options, id), covered);
        Add(filter);
        return MqttSubscribeReasonCode.GrantedQoS0;
    }

    private async Task UnsubscribeAsync(MqttUnsubscribePacket unsubscribe, CancellationToken cancel)
    {
        var codes = new List<MqttUnsubscribeReasonCode>();
        foreach (var topic in unsubscribe.TopicFilters)
        {
            codes.Add(Remove(topic) ? MqttUnsubscribeReasonCode.Success : MqttUnsubscribeReasonCode.NoSubscriptionExisted);
        }
        KeepFilters();
        await SendPacketAsync(new MqttUnsubAckPacket { PacketIdentifier = unsubscribe.PacketIdentifier, ReasonCodes = codes }, cancel);
    }

    private void Add(TopicFilter filter)
    {
        var isCovered = Array.Exists(_filters, known => known.Covered == filter.Covered);
        _filters = [.. _filters.Where(known => known.Asked.Topic != filter.Asked.Topic), filter];
        if (!isCovered)
        {
            _ingest.Subscriptions.Add(filter.Covered, this);
        }
    }

    private bool Remove(string topic)
    {
        if (Array.Find(_filters, known => known.Asked.Topic == topic) is not { } filter)
        {
            return false;
        }
        _filters = [.. _filters.Where(known => known != filter)];
        if (!Array.Exists(_filters, known => known.Covered == filter.Covered))
        {
            _ingest.Subscriptions.Remove(filter.Covered, this);
        }
        return true;
    }

    private void KeepFilters()
    {
        if (_session is { } session)
        {
            _store.PutFilters(session, [.. _filters.Select(filter => filter.Asked)]);
        }
    }
}
