using System.Net.Sockets;

namespace Foretier.Client.Mqtt;

/// <summary>One TCP connection to a broker, after a successful CONNACK. One task reads, another writes.</summary>
internal sealed class MqttConnection : IDisposable
{
    private static readonly TimeSpan ConnectPatience = TimeSpan.FromSeconds(10);

    private readonly Socket _socket;
    private byte[] _received = new byte[16 * 1024];
    private int _count;

    private MqttConnection(Socket socket) => _socket = socket;

    /// <summary>How many unacknowledged messages the broker allows.</summary>
    public int ReceiveMaximum { get; private set; }

    /// <exception cref="MqttRefusedException">The broker said no.</exception>
    /// <exception cref="SocketException">Nothing listens there, or it broke.</exception>
    /// <exception cref="TimeoutException">No CONNACK in time.</exception>
    /// <exception cref="IOException">The connection ended, or what came is not MQTT 5.</exception>
    public static async Task<MqttConnection> OpenAsync(MqttPublisherOptions options, TimeProvider clock, CancellationToken cancel)
    {
        var connection = new MqttConnection(new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
        using var patience = new CancellationTokenSource(ConnectPatience, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, patience.Token);
        try
        {
            await connection._socket.ConnectAsync(options.Host, options.Port, either.Token).ConfigureAwait(false);
            var keepAlive = (ushort)options.KeepAlive.TotalSeconds;
            await connection.SendAsync(MqttPackets.Connect(options.ClientId, options.User, options.Secret, keepAlive), either.Token).ConfigureAwait(false);
            while (!connection.TryReadConnAck())
            {
                await connection.ReceiveAsync(either.Token).ConfigureAwait(false);
            }
            return connection;
        }
        catch (OperationCanceledException) when (patience.IsCancellationRequested && !cancel.IsCancellationRequested)
        {
            connection.Dispose();
            throw new TimeoutException($"the MQTT broker gave no answer within {ConnectPatience.TotalSeconds:0} s");
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    public async ValueTask SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await _socket.SendAsync(bytes, SocketFlags.None, cancel).ConfigureAwait(false)..];
        }
    }

    /// <summary>Waits for bytes; what arrived is taken with <see cref="TryTake"/>.</summary>
    public async ValueTask ReceiveAsync(CancellationToken cancel)
    {
        if (_count == _received.Length)
        {
            Array.Resize(ref _received, _received.Length * 2);
        }
        var got = await _socket.ReceiveAsync(_received.AsMemory(_count), SocketFlags.None, cancel).ConfigureAwait(false);
        _count += got > 0 ? got : throw new IOException("the MQTT broker closed the connection");
    }

    /// <summary>Hands every whole packet to <paramref name="take"/>, in order.</summary>
    public void TakeAll(PacketTaker take)
    {
        var rest = _received.AsSpan(0, _count);
        while (MqttPackets.TryTake(rest, out var type, out var body, out var taken))
        {
            take(type, body);
            rest = rest[taken..];
        }
        rest.CopyTo(_received);
        _count = rest.Length;
    }

    public void Dispose() => _socket.Dispose();

    internal delegate void PacketTaker(byte type, ReadOnlySpan<byte> body);

    private bool TryReadConnAck()
    {
        if (!MqttPackets.TryTake(_received.AsSpan(0, _count), out var type, out var body, out var taken))
        {
            return false;
        }
        if (type != MqttPackets.ConnAck)
        {
            throw new IOException("what answers there is not an MQTT 5 broker");
        }
        var (reason, text, receiveMaximum) = MqttPackets.ReadConnAck(body);
        if (reason >= MqttReason.FirstRefusal)
        {
            throw new MqttRefusedException(reason, text);
        }
        ReceiveMaximum = receiveMaximum;
        _received.AsSpan(taken, _count - taken).CopyTo(_received);
        _count -= taken;
        return true;
    }
}
