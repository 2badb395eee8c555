using System.Buffers;
using System.Text;
using System.Text.Unicode;
using Foretier.Agent.Hot;
using Foretier.Agent.Ingest.Identity;
using Microsoft.AspNetCore.Connections;
using MQTTnet.Adapter;
using MQTTnet.Exceptions;
using MQTTnet.Formatter;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace Foretier.Agent.Ingest.Mqtt;

/// <summary>The reading side: one loop, in packet order.</summary>
internal sealed partial class MqttChannel
{
    // IsFull is cheap but not free; so many messages may pass between two looks at it.
    private const int MessagesPerLook = 64;

    private enum Next
    {
        MoreBytes,
        HandOver,
        Pong,
        Pause,
        Stop,
    }

    private bool _isConnected;
    private bool _isPaused;
    private bool _wantsReasons = true;
    private ushort? _serverKeepAlive;
    private TimeSpan _silenceMax = Timeout.InfiniteTimeSpan;
    private long _heardAt;
    private byte[]?[]? _aliases;
    private bool _isClean;
    private TimeSpan _sessionAsked;
    private ClientSession? _session;
    private bool _isSessionPresent;

    /// <summary>Gives up on a client that has been silent for too long. A connection that is not read from is not silent.</summary>
    public void CheckSilence()
    {
        if (_silenceMax != Timeout.InfiniteTimeSpan && !Volatile.Read(ref _isPaused)
            && _ingest.Wire.GetElapsedTime(Volatile.Read(ref _heardAt)) > _silenceMax)
        {
            Close(MqttDisconnectReasonCode.KeepAliveTimeout, null);
        }
    }

    /// <summary>Handles packets until one comes that MQTTnet has to see. Null ends the connection.</summary>
    public async Task<MqttPacket?> ReceivePacketAsync(CancellationToken cancellationToken)
    {
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stop.Token);
        try
        {
            while (true)
            {
                if (_isConnected && _store.IsFull)
                {
                    await PausedAsync(_store.WaitForRoomAsync(linked.Token).AsTask());
                }
                var read = await _input.ReadAsync(linked.Token);
                Volatile.Write(ref _heardAt, _ingest.Wire.GetTimestamp());
                if (_isConnected && _store.IsFull && !read.IsCompleted)
                {
                    // It filled up while this connection waited for bytes, as a thousand others may have: they stay where they are.
                    _input.AdvanceTo(read.Buffer.Start);
                    continue;
                }
                var rest = read.Buffer;
                var next = Next.Stop;
                MqttPacket? packet = null;
                try
                {
                    next = Handle(ref rest, out packet);
                }
                finally
                {
                    BytesReceived += read.Buffer.Length - rest.Length;
                    _input.AdvanceTo(rest.Start, next == Next.MoreBytes ? rest.End : rest.Start);
                }
                switch (next)
                {
                    case Next.HandOver:
                        // If an earlier reply is stuck because the client does not read, its questions wait too.
                        await _gate.WaitAsync(linked.Token);
                        _gate.Release();
                        if (packet is MqttSubscribePacket subscribe)
                        {
                            await SubscribeAsync(subscribe, linked.Token);
                            break;
                        }
                        if (packet is MqttUnsubscribePacket unsubscribe)
                        {
                            await UnsubscribeAsync(unsubscribe, linked.Token);
                            break;
                        }
                        return packet;
                    case Next.Pong:
                        await PongAsync(linked.Token);
                        break;
                    case Next.Pause:
                        await PausedAsync(_acks.WaitForRoomAsync(linked.Token));
                        break;
                    case Next.Stop:
                        return null;
                    case Next.MoreBytes when read.IsCompleted:
                        return null;
                    default:
                        break;
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            return null;
        }
        catch (HotStoreUnavailableException failed)
        {
            _ingest.JournalFailed(failed);
            End(MqttDisconnectReasonCode.ServerBusy, failed.Message);
            return null;
        }
        catch (Exception gone) when (gone is IOException or ConnectionAbortedException or MqttCommunicationException)
        {
            return null;
        }
    }

    private Next Handle(ref ReadOnlySequence<byte> buffer, out MqttPacket? packet)
    {
        packet = null;
        try
        {
            for (var messages = 0; PacketHeader.TryRead(buffer, out var header);)
            {
                if (header.BodyLength + header.Length > (_isConnected ? _options.PacketBytesMax : _options.ConnectBytesMax))
                {
                    return End(MqttDisconnectReasonCode.PacketTooLarge,
                        $"a packet of {header.BodyLength} bytes is beyond the {_options.PacketBytesMax} this server takes: publish in parts");
                }
                if (!_isConnected && header.Type != PacketType.Connect)
                {
                    return End(MqttDisconnectReasonCode.ProtocolError, null);
                }
                if (buffer.Length < header.Length + header.BodyLength)
                {
                    break;
                }
                var body = buffer.Slice(header.Length, header.BodyLength);
                if (header.Type == PacketType.Publish)
                {
                    if (!_acks.HasRoom || messages++ >= MessagesPerLook)
                    {
                        return Next.Pause;
                    }
                    Publish(header.Flags, body);
                }
                else if (header.Type == PacketType.PubRel)
                {
                    if (!_acks.HasRoom)
                    {
                        return Next.Pause;
                    }
                    Release(header.Flags, body);
                }
                else if (header.Type != PacketType.PingReq)
                {
                    packet = Decode(header, body);
                }
                else if (header.First != 0xC0 || header.BodyLength != 0)
                {
                    throw new MalformedPacketException("PINGREQ with content");
                }
                buffer = buffer.Slice(body.End);
                if (IsClosing)
                {
                    return Next.Stop;
                }
                if (packet is not null || header.Type == PacketType.PingReq)
                {
                    return packet is not null ? Next.HandOver : Next.Pong;
                }
            }
            return Next.MoreBytes;
        }
        catch (MalformedPacketException malformed)
        {
            return End(MqttDisconnectReasonCode.MalformedPacket, malformed.Message);
        }
    }

    private void Publish(int flags, in ReadOnlySequence<byte> body)
    {
        if (body.IsSingleSegment)
        {
            Publish(PublishPacket.Read(flags, body.FirstSpan, IsV5));
            return;
        }
        var length = (int)body.Length;
        var copy = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            body.CopyTo(copy);
            Publish(PublishPacket.Read(flags, copy.AsSpan(0, length), IsV5));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(copy);
        }
    }

    private void Publish(in PublishPacket publish)
    {
        if (!TryTopic(publish, out var topic))
        {
            return;
        }
        if (publish.Qos == 2)
        {
            PublishOnce(publish, topic);
            return;
        }
        var verdict = Take(publish, topic, default);
        if (publish.Qos == 1)
        {
            Acknowledge(PacketWriter.PubAck, publish.PacketId, verdict, topic.Length + publish.Payload.Length);
        }
    }

    /// <summary>QoS 2: the id is in the journal with what the message brought, until the client releases it.</summary>
    private void PublishOnce(in PublishPacket publish, ReadOnlySpan<byte> topic)
    {
        var delivery = new Delivery(_session, publish.PacketId, EndsWithRefusal: IsV5);
        if (_store.IsReceived(delivery, out var ticket, out var unreleased))
        {
            // Sent again because our PUBREC was late or lost: it waits for the same commit.
            Acknowledge(PacketWriter.PubRec, publish.PacketId, new(ticket, default, null), 0);
            return;
        }
        if (unreleased >= (IsV5 ? _options.ReceiveMaximum : _options.UnackedMessagesMax))
        {
            End(MqttDisconnectReasonCode.ReceiveMaximumExceeded, $"{unreleased} messages of QoS 2 wait for their PUBREL");
            return;
        }
        var verdict = Take(publish, topic, delivery);
        if (!IsV5 || verdict.Refusal.IsNone)
        {
            verdict = verdict with { Ticket = Math.Max(verdict.Ticket, _store.Receive(delivery)) };
        }
        Acknowledge(PacketWriter.PubRec, publish.PacketId, verdict, topic.Length + publish.Payload.Length);
    }

    private Verdict Take(in PublishPacket publish, ReadOnlySpan<byte> topic, in Delivery delivery)
    {
        // An empty retained message takes the retained one away, and is no sample.
        var verdict = publish.IsRetained && publish.Payload.IsEmpty ? Sender!.Permit(topic) : Sender!.Publish(topic, publish.Payload, delivery);
        if (verdict.Device is not null)
        {
            _ingest.Deliver(this, verdict.Device, topic, publish.Payload, publish.IsRetained);
        }
        return verdict;
    }

    /// <summary>Puts the alias's topic in, and ends the connection over a topic that MQTT does not allow.</summary>
    private bool TryTopic(in PublishPacket publish, out ReadOnlySpan<byte> topic)
    {
        topic = publish.Topic;
        if (publish.TopicAlias > _options.TopicAliasMaximum)
        {
            End(MqttDisconnectReasonCode.TopicAliasInvalid,
                $"topic alias {publish.TopicAlias} is beyond the {_options.TopicAliasMaximum} this server takes");
            return false;
        }
        if (topic.IsEmpty)
        {
            topic = publish.TopicAlias > 0 ? _aliases?[publish.TopicAlias] : null;
            if (topic.IsEmpty)
            {
                End(MqttDisconnectReasonCode.ProtocolError, "a message has no topic, and no alias known on this connection");
                return false;
            }
            return true;
        }
        if (topic.ContainsAny("+#\0"u8) || !Utf8.IsValid(topic))
        {
            const string text = "a topic to publish to has no wildcards, no NUL and is UTF-8";
            Sender!.Refuse(topic, publish.Payload, new(RefusalCode.BadTopic, text, 1));
            End(MqttDisconnectReasonCode.TopicNameInvalid, text);
            return false;
        }
        if (publish.TopicAlias > 0)
        {
            (_aliases ??= new byte[]?[_options.TopicAliasMaximum + 1])[publish.TopicAlias] = topic.ToArray();
        }
        return true;
    }

    private void Release(int flags, in ReadOnlySequence<byte> body)
    {
        Span<byte> id = stackalloc byte[2];
        if (flags != 2 || body.Length < 2 || (body.Length > 2 && !IsV5))
        {
            throw new MalformedPacketException("PUBREL out of place");
        }
        body.Slice(0, 2).CopyTo(id);
        var packetId = (ushort)(id[0] << 8 | id[1]);
        var ticket = _store.Release(_session!, packetId, out var isKnown);
        _acks.Add(new(ticket, PacketWriter.PubComp, packetId,
            (byte)(isKnown || !IsV5 ? MqttPubCompReasonCode.Success : MqttPubCompReasonCode.PacketIdentifierNotFound), null, 0));
    }

    private void Acknowledge(byte type, ushort packetId, in Verdict verdict, int bytes)
    {
        // MQTT 3.1.1 has no way to refuse: the refusal is counted, kept and logged, and the message acknowledged so that it does not come again.
        var refusal = IsV5 && !verdict.Refusal.IsNone ? verdict.Refusal : default;
        _acks.Add(new(verdict.Ticket, type, packetId, (byte)ReasonOf(refusal.Code),
            refusal.IsNone || !_wantsReasons ? null : $"{refusal.Code}: {refusal.Text}", bytes));
    }

    public static MqttPubAckReasonCode ReasonOf(string? code) => code switch
    {
        null => MqttPubAckReasonCode.Success,
        RefusalCode.NotAuthorized => MqttPubAckReasonCode.NotAuthorized,
        RefusalCode.BadTopic => MqttPubAckReasonCode.TopicNameInvalid,
        RefusalCode.FlashBudget or RefusalCode.SeriesLimit => MqttPubAckReasonCode.QuotaExceeded,
        _ => MqttPubAckReasonCode.PayloadFormatInvalid,
    };

    private MqttPacket Decode(in PacketHeader header, in ReadOnlySequence<byte> body)
    {
        var bytes = body.ToArray();
        var received = new ReceivedMqttPacket(header.First, bytes, header.Length + bytes.Length);
        MqttPacket packet;
        try
        {
            if (!_isConnected)
            {
                PacketFormatterAdapter.DetectProtocolVersion(received);
            }
            packet = PacketFormatterAdapter.Decode(received);
        }
        catch (Exception malformed)
        {
            // Whatever a stranger's bytes make the decoder throw, it is the bytes' fault.
            throw new MalformedPacketException(malformed.Message);
        }
        switch (packet)
        {
            case MqttConnectPacket when _isConnected:
                End(MqttDisconnectReasonCode.ProtocolError, "a second CONNECT");
                break;
            case MqttConnectPacket connect:
                Connect(connect);
                break;
            case MqttDisconnectPacket when IsV5:
                Disconnect(bytes);
                break;
            case MqttSubscribePacket { TopicFilters.Count: 0 } or MqttUnsubscribePacket { TopicFilters.Count: 0 }:
                throw new MalformedPacketException("SUBSCRIBE or UNSUBSCRIBE without a filter");
            default:
                break;
        }
        return packet;
    }

    /// <summary>Notes what the client asked for, and makes MQTTnet see a connection without what is done here.</summary>
    private void Connect(MqttConnectPacket connect)
    {
        _wantsReasons = connect.RequestProblemInformation || !IsV5;
        if (IsV5 && connect.MaximumPacketSize > 0)
        {
            _packetBytesMax = connect.MaximumPacketSize;
            _acks.PacketBytesMax = _packetBytesMax;
        }

        var keepAlive = TimeSpan.FromSeconds(connect.KeepAlivePeriod);
        if (IsV5 && (keepAlive == TimeSpan.Zero || keepAlive > _options.KeepAliveMax))
        {
            keepAlive = _options.KeepAliveMax;
            _serverKeepAlive = (ushort)keepAlive.TotalSeconds;
        }
        _silenceMax = keepAlive > TimeSpan.Zero ? 1.5 * keepAlive : _options.SilenceMax;
        // MQTTnet's monitor does not see our packets and would end a connection that only publishes.
        connect.KeepAlivePeriod = 0;

        // For MQTTnet no session outlives its connection, and each has an id of its own: it can end the new connection of a client that
        // comes back fast under its old id, and a client id must not reach another user's session. Sessions and take-over are in MqttIngest.
        _isClean = connect.CleanSession;
        _sessionAsked = IsV5 ? TimeSpan.FromSeconds(connect.SessionExpiryInterval) : connect.CleanSession ? TimeSpan.Zero : _options.SessionExpiryMax;
        ClientId = connect.ClientId ?? "";
        var mayChoose = IsV5 || connect.CleanSession;
        SessionId = ClientId.Length == 0 && !mayChoose ? "" : $"{connect.Username}|{ClientId}|{Number}";
        connect.ClientId = SessionId;
        connect.CleanSession = true;
        connect.SessionExpiryInterval = 0;
    }

    /// <summary>MQTT 5 §3.14.2.2.2: the client may say anew how long its session lasts, but not make one of none.</summary>
    private void Disconnect(byte[] body)
    {
        if (DisconnectPacket.SessionExpiryOf(body) is not { } seconds || _session is null)
        {
            return;
        }
        if (_sessionAsked == TimeSpan.Zero && seconds > 0)
        {
            Close(MqttDisconnectReasonCode.ProtocolError, "a session that began without an expiry cannot be given one at its end");
            return;
        }
        _store.KeepSession(_session, Granted(TimeSpan.FromSeconds(seconds)));
    }

    private TimeSpan Granted(TimeSpan asked) => asked < _options.SessionExpiryMax ? asked : _options.SessionExpiryMax;

    /// <summary>Finds the client's session; to be called when its earlier connection is over. <see cref="CloseSession"/> follows.</summary>
    /// <exception cref="HotStoreUnavailableException">The journal cannot take it.</exception>
    public async Task OpenSessionAsync(CancellationToken cancel)
    {
        _session = _store.OpenSession(SessionPrefix(Sender!.Name) + ClientId, _isClean, Granted(_sessionAsked), _options.SessionsMax, out _isSessionPresent);
        await _store.WaitDurableAsync(_session.Ticket, cancel);
    }

    /// <summary>What the sessions of one identity have in front of their client ids.</summary>
    public static string SessionPrefix(DeviceName name) => $"{name}|";

    public void CloseSession()
    {
        if (_session is { } session)
        {
            _store.CloseSession(session);
        }
    }

    private async Task PongAsync(CancellationToken cancel)
    {
        await _gate.WaitAsync(cancel);
        try
        {
            _output.Write(PacketWriter.PingResp);
            await _output.FlushAsync(cancel);
        }
        finally
        {
            _gate.Release();
        }
    }

    private async Task PausedAsync(Task room)
    {
        Volatile.Write(ref _isPaused, true);
        try
        {
            await room;
        }
        finally
        {
            Volatile.Write(ref _heardAt, _ingest.Wire.GetTimestamp());
            Volatile.Write(ref _isPaused, false);
        }
    }

    private Next End(MqttDisconnectReasonCode reason, string? text)
    {
        Close(reason, text);
        return Next.Stop;
    }
}
