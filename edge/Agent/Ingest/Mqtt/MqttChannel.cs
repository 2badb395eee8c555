using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Foretier.Agent.Hot;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using MQTTnet.Adapter;
using MQTTnet.Exceptions;
using MQTTnet.Formatter;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace Foretier.Agent.Ingest.Mqtt;

/// <summary>
/// One connection. PUBLISH, PUBREL and PINGREQ are handled where they lie in the pipe; every other packet goes to MQTTnet, which calls
/// <see cref="ReceivePacketAsync"/> for the next one. (MQTTnet itself would allow one unacknowledged message at a time.)
/// </summary>
internal sealed partial class MqttChannel : IMqttChannelAdapter
{
    // A client gets this long to take what is still to be told when its connection ends.
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(2);

    private readonly ConnectionContext _connection;
    private readonly PipeReader _input;
    private readonly PipeWriter _output;
    private readonly MqttIngest _ingest;
    private readonly MqttOptions _options;
    private readonly HotStore _store;
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly CancellationTokenSource _stop = new();
    private readonly AckQueue _acks;
    private readonly Outbox _outbox;
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _acknowledging;
    private MqttDisconnectReasonCode _closeReason;
    private string? _closeText;
    private int _closing;
    private uint _packetBytesMax = uint.MaxValue;

    public MqttChannel(ConnectionContext connection, MqttIngest ingest, MqttOptions options, HotStore store, long number)
    {
        _connection = connection;
        _input = connection.Transport.Input;
        _output = connection.Transport.Output;
        _ingest = ingest;
        _options = options;
        _store = store;
        Number = number;
        _acks = new(() => store.DurableTicket, store.WhenDurable, _output, _gate, options.UnackedMessagesMax, options.UnackedBytesMax);
        _outbox = new(_output, _gate, options.PendingMessagesMax, options.PendingBytesMax);
        _heardAt = ingest.Wire.GetTimestamp();
        _acknowledging = AcknowledgeAsync();
    }

    /// <summary>Counts connections since the start; makes the client ids MQTTnet sees unique.</summary>
    public long Number { get; }

    /// <summary>Set by a successful log-in.</summary>
    public Sender? Sender { get; set; }

    /// <summary>The client id as MQTTnet knows it.</summary>
    public string SessionId { get; private set; } = "";

    /// <summary>Completes when the connection is over and its pipe let go.</summary>
    public Task Finished => _finished.Task;

    /// <summary>As the client sent it; empty where it left the choice to the server, until that has chosen.</summary>
    public string ClientId { get; set; } = "";

    public bool IsV5 => PacketFormatterAdapter.ProtocolVersion == MqttProtocolVersion.V500;
    public bool IsClosing => Volatile.Read(ref _closing) != 0;
    public MqttDisconnectReasonCode CloseReason => _closeReason;
    public IPAddress RemoteAddress => (RemoteEndPoint as IPEndPoint)?.Address ?? IPAddress.Loopback;

    public long BytesReceived { get; private set; }
    public long BytesSent { get; private set; }
    public X509Certificate2? ClientCertificate => _connection.Features.Get<ITlsConnectionFeature>()?.ClientCertificate;
    public bool IsSecureConnection => _connection.Features.Get<ITlsConnectionFeature>() is not null;
    public EndPoint? LocalEndPoint => _connection.LocalEndPoint;
    public EndPoint? RemoteEndPoint => _connection.RemoteEndPoint;
    public MqttPacketFormatterAdapter PacketFormatterAdapter { get; } = new(new MqttBufferWriter(128, 65_535));

    public void SetFinished() => _finished.SetResult();

    /// <summary>Ends the connection from outside: MQTT 5 clients are told why, 3.1.1 knows no such packet. Returns at once.</summary>
    public void Close(MqttDisconnectReasonCode reason, string? text)
    {
        if (Interlocked.Exchange(ref _closing, 1) == 0)
        {
            _closeReason = reason;
            _closeText = text;
            _stop.Cancel();
        }
    }

    /// <summary>Called by MQTTnet when it has done with the connection; the rest is done in <see cref="FinishAsync"/>.</summary>
    public Task DisconnectAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task ConnectAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void ResetStatistics() => (BytesReceived, BytesSent) = (0, 0);

    /// <summary>Writes the acknowledgements that become durable soon, says goodbye, and lets go of the pipe.</summary>
    public async Task FinishAsync()
    {
        var isOurs = Interlocked.Exchange(ref _closing, 1) != 0;
        _acks.Complete();
        if (!await EndsWithin(_acknowledging))
        {
            // The client does not read, or the journal hangs. What is not acknowledged it will send again.
            _connection.Abort();
            _acks.Abandon();
            await _acknowledging;
        }
        else if (isOurs)
        {
            await SayGoodbyeAsync();
        }
        if (!await _gate.WaitAsync(Farewell))
        {
            _connection.Abort();
            await _gate.WaitAsync();
        }
        await _input.CompleteAsync();
        await _output.CompleteAsync();
        _gate.Release();
    }

    private static async Task<bool> EndsWithin(Task task)
    {
        try
        {
            await task.WaitAsync(Farewell);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    public async Task SendPacketAsync(MqttPacket packet, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            if (packet is MqttConnAckPacket connAck)
            {
                BytesSent += WriteConnAck(connAck);
            }
            else
            {
                try
                {
                    var encoded = PacketFormatterAdapter.Encode(packet);
                    if (encoded.Length > _packetBytesMax)
                    {
                        // [MQTT-3.1.2-25]: what the client cannot take is not sent, as if it had been.
                        return;
                    }
                    BytesSent += encoded.Length;
                    _output.Write(encoded.Packet.AsSpan());
                    foreach (var part in encoded.Payload)
                    {
                        _output.Write(part.Span);
                    }
                }
                finally
                {
                    PacketFormatterAdapter.Cleanup();
                }
            }
            await _output.FlushAsync(cancellationToken);
            if (packet is MqttConnAckPacket && _isConnected)
            {
                RestoreSubscriptions();
            }
        }
        catch (Exception gone) when (gone is InvalidOperationException or IOException or ConnectionAbortedException)
        {
            throw new MqttCommunicationException("the connection is closed", gone);
        }
        finally
        {
            _gate.Release();
        }
    }

    public void Dispose()
    {
        _stop.Dispose();
        _acks.Dispose();
    }

    private int WriteConnAck(MqttConnAckPacket packet)
    {
        if (packet.ReasonCode == MqttConnectReasonCode.Success)
        {
            _isConnected = true;
            packet.IsSessionPresent = _isSessionPresent;
        }
        if (IsV5)
        {
            return PacketWriter.WriteConnAck(_output, packet, _options, _serverKeepAlive, _session?.Keep ?? TimeSpan.Zero, _wantsReasons);
        }
        var encoded = PacketFormatterAdapter.Encode(packet);
        _output.Write(encoded.Packet.AsSpan());
        PacketFormatterAdapter.Cleanup();
        return encoded.Length;
    }

    private async Task AcknowledgeAsync()
    {
        try
        {
            await _acks.Drained;
        }
        catch (HotStoreUnavailableException failed)
        {
            // Close without acknowledging: the client keeps the messages and sends them again.
            _ingest.JournalFailed(failed);
            Close(MqttDisconnectReasonCode.ServerBusy, failed.Message);
        }
        catch (OperationCanceledException)
        {
        }
        catch (Exception gone) when (gone is IOException or ConnectionAbortedException)
        {
            Close(MqttDisconnectReasonCode.UnspecifiedError, null);
        }
    }

    /// <summary>The last words to a client, where its protocol has any and it listens.</summary>
    private async Task SayGoodbyeAsync()
    {
        if (!IsV5 || !_isConnected)
        {
            return;
        }
        using var limit = new CancellationTokenSource(Farewell);
        try
        {
            await _gate.WaitAsync(limit.Token);
            try
            {
                PacketWriter.WriteDisconnect(_output, _closeReason, _wantsReasons ? _closeText : null);
                await _output.FlushAsync(limit.Token);
            }
            finally
            {
                _gate.Release();
            }
        }
        catch (Exception gone) when (gone is OperationCanceledException or IOException or InvalidOperationException or ConnectionAbortedException)
        {
            _connection.Abort();
        }
    }
}
