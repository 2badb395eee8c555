using System.Net.Sockets;
using System.Threading.Channels;

namespace Foretier.Client.Mqtt;

/// <summary>
/// Publishes at QoS 1 with a window of messages in flight, for ever: when the connection breaks it connects again and sends anew,
/// in order, whatever was not acknowledged. So a message may arrive twice, never not at all.
/// </summary>
/// <remarks>
/// Steps: 1. a message is encoded into the ring of unacknowledged ones, waiting while it is full; 2. the sender copies from the ring
/// what this connection has not carried yet, as many packets as fit one write; 3. a PUBACK marks its message; 4. marked messages leave
/// the ring from its head, and are told to the owner in the order of publishing.
/// Measured against mosquitto on loopback, 100 in flight: 145-169 thousand messages/s where the MQTTnet client did 36-46, at a quarter of the CPU.
/// </remarks>
public sealed class MqttPublisher : IAsyncDisposable
{
    private const int PacketIds = ushort.MaxValue;
    private const int WriteBytes = 64 * 1024;
    private const int FruitlessMax = 3;
    private static readonly TimeSpan BackoffMin = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan BackoffMax = TimeSpan.FromSeconds(2);

    private readonly MqttPublisherOptions _options;
    private readonly Action<MqttAck> _acknowledged;
    private readonly TimeProvider _clock;
    private readonly CancellationTokenSource _stop = new();
    private readonly Channel<bool> _work = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly Task _run;

    // All below under the lock. Sequence numbers count messages; the packet id of n is n % 65535 + 1.
    private readonly Lock _lock = new();
    private readonly Slot[] _ring;
    private int _window;
    private long _head;
    private long _sent;
    private long _next;
    private bool _pingDue;
    private TaskCompletionSource? _moved;
    private Exception? _fault;

    /// <summary>Whether anything came since the watch last looked.</summary>
    private bool _heard;

    private MqttPublisher(MqttPublisherOptions options, Action<MqttAck> acknowledged, TimeProvider clock, MqttConnection first)
    {
        _options = options;
        _acknowledged = acknowledged;
        _clock = clock;
        _ring = new Slot[options.Window];
        _run = RunAsync(first);
    }

    private struct Slot
    {
        public byte[]? Packet;
        public int Length;
        public long Tag;
        public bool Done;
        public byte Reason;
        public string? Text;
    }

    /// <param name="options">Where and as whom.</param>
    /// <param name="acknowledged">Told of each message, in the order of publishing, from one thread at a time; it must not block.</param>
    /// <param name="clock">Measures waits.</param>
    /// <param name="cancel">Ends the attempt to connect.</param>
    /// <exception cref="MqttRefusedException">The broker said no.</exception>
    /// <exception cref="ServerUnreachableException">Nothing listens there (any longer than the patience for the start).</exception>
    public static async Task<MqttPublisher> ConnectAsync(
        MqttPublisherOptions options, Action<MqttAck> acknowledged, TimeProvider clock, CancellationToken cancel)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Window, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.Window, PacketIds);
        var started = clock.GetTimestamp();
        for (var backoff = BackoffMin; ; backoff = Next(backoff))
        {
            try
            {
                return new(options, acknowledged, clock, await MqttConnection.OpenAsync(options, clock, cancel).ConfigureAwait(false));
            }
            catch (Exception e) when (IsOfConnection(e) || e is MqttRefusedException { Reason: var reason } && MqttReason.IsPassing(reason))
            {
                if (clock.GetElapsedTime(started) + backoff > options.StartPatience)
                {
                    throw e is MqttRefusedException ? e
                        : new ServerUnreachableException(new($"mqtt://{options.Host}:{options.Port}"), e.Message, e);
                }
            }
            await Task.Delay(backoff, clock, cancel).ConfigureAwait(false);
        }
    }

    /// <summary>Queues a message; waits while the window is full.</summary>
    /// <exception cref="MqttRefusedException">The broker no longer lets us in.</exception>
    public async ValueTask PublishAsync(ReadOnlyMemory<byte> topic, ReadOnlyMemory<byte> payload, long tag, CancellationToken cancel)
    {
        while (!TryPublish(topic.Span, payload.Span, tag, out var moved))
        {
            await moved!.WaitAsync(cancel).ConfigureAwait(false);
        }
        _work.Writer.TryWrite(true);
    }

    /// <summary>Completes when every message so far is acknowledged or refused.</summary>
    /// <exception cref="MqttRefusedException">The broker no longer lets us in.</exception>
    public async Task DrainAsync(CancellationToken cancel)
    {
        while (true)
        {
            Task moved;
            lock (_lock)
            {
                ThrowIfFaulted();
                if (_head == _next)
                {
                    return;
                }
                moved = Moved();
            }
            await moved.WaitAsync(cancel).ConfigureAwait(false);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _run.ConfigureAwait(false);
        _stop.Dispose();
    }

    private bool TryPublish(ReadOnlySpan<byte> topic, ReadOnlySpan<byte> payload, long tag, out Task? moved)
    {
        lock (_lock)
        {
            ThrowIfFaulted();
            if (_next - _head >= _window)
            {
                moved = Moved();
                return false;
            }
            ref var slot = ref _ring[_next % _ring.Length];
            var size = MqttPackets.PublishSize(topic.Length, payload.Length);
            if (slot.Packet is null || slot.Packet.Length < size)
            {
                slot.Packet = new byte[Math.Max(size, 128)];
            }
            slot.Length = MqttPackets.WritePublish(slot.Packet, topic, PacketIdOf(_next), payload);
            (slot.Tag, slot.Done) = (tag, false);
            _next++;
            moved = null;
            return true;
        }
    }

    private async Task RunAsync(MqttConnection first)
    {
        var connection = first;
        var backoff = BackoffMin;
        var fruitless = 0;
        while (!_stop.IsCancellationRequested)
        {
            var before = Volatile.Read(ref _head);
            string why;
            try
            {
                connection ??= await MqttConnection.OpenAsync(_options, _clock, _stop.Token).ConfigureAwait(false);
                if (connection != first)
                {
                    _options.Status?.Invoke("connected again");
                }
                await ServeAsync(connection).ConfigureAwait(false);
                return;
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (MqttRefusedException e)
            {
                // Also a DISCONNECT: the same message would be refused again and again, unless the reason passes.
                fruitless = Volatile.Read(ref _head) > before ? 0 : fruitless + 1;
                if (!MqttReason.IsPassing(e.Reason) && (connection is null || fruitless >= FruitlessMax))
                {
                    Fault(e);
                    return;
                }
                why = e.Message;
            }
            catch (Exception e) when (IsOfConnection(e))
            {
                why = e.Message;
            }
            catch (Exception e)
            {
                // The owner's callback failed, or we did: the next call of the owner throws it.
                Fault(e);
                return;
            }
            finally
            {
                connection?.Dispose();
            }
            backoff = Volatile.Read(ref _head) > before ? BackoffMin : backoff;
            if (connection is not null)
            {
                _options.Status?.Invoke($"connection lost ({why}); connecting again");
            }
            connection = null;
            try
            {
                await Task.Delay(backoff, _clock, _stop.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            backoff = Next(backoff);
        }
    }

    /// <summary>Carries messages until the connection breaks (throws) or the publisher stops (returns).</summary>
    private async Task ServeAsync(MqttConnection connection)
    {
        lock (_lock)
        {
            _window = Math.Min(_options.Window, connection.ReceiveMaximum);
            _sent = _head;
            _pingDue = false;
            Wake();
        }
        _work.Writer.TryWrite(true);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        Task[] loops = [SendAsync(connection, end.Token), ReceiveAsync(connection, end.Token), WatchAsync(end.Token)];
        var ended = await Task.WhenAny(loops).ConfigureAwait(false);
        await end.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(loops).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default).ConfigureAwait(false);
        if (_stop.IsCancellationRequested)
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1), _clock);
            try
            {
                await connection.SendAsync(MqttPackets.Goodbye.ToArray(), patience.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (IsOfConnection(e) || e is OperationCanceledException)
            {
                // Nobody left to say goodbye to.
            }
            return;
        }
        await ended.ConfigureAwait(false);
    }

    private async Task SendAsync(MqttConnection connection, CancellationToken cancel)
    {
        var write = new byte[WriteBytes];
        while (true)
        {
            await _work.Reader.ReadAsync(cancel).ConfigureAwait(false);
            int count;
            while ((count = Collect(ref write)) > 0)
            {
                await connection.SendAsync(write.AsMemory(0, count), cancel).ConfigureAwait(false);
            }
        }
    }

    private int Collect(ref byte[] write)
    {
        lock (_lock)
        {
            var count = 0;
            if (_pingDue)
            {
                MqttPackets.PingRequest.CopyTo(write);
                count = MqttPackets.PingRequest.Length;
                _pingDue = false;
            }
            // A broker that was restarted may allow fewer in flight than we have.
            for (var end = Math.Min(_next, _head + _window); _sent < end; _sent++)
            {
                ref var slot = ref _ring[_sent % _ring.Length];
                if (count + slot.Length > write.Length)
                {
                    if (count > 0)
                    {
                        break;
                    }
                    write = new byte[slot.Length];
                }
                slot.Packet.AsSpan(0, slot.Length).CopyTo(write.AsSpan(count));
                count += slot.Length;
            }
            return count;
        }
    }

    private async Task ReceiveAsync(MqttConnection connection, CancellationToken cancel)
    {
        var acks = new List<MqttAck>();
        while (true)
        {
            connection.TakeAll(Take);
            lock (_lock)
            {
                for (var n = _head; n < _sent && _ring[n % _ring.Length] is { Done: true } slot; n++)
                {
                    acks.Add(new(slot.Tag, slot.Reason, slot.Text));
                }
            }
            if (acks.Count > 0)
            {
                // Told before they leave the ring: who waits for the drain must find all its messages told.
                acks.ForEach(_acknowledged);
                lock (_lock)
                {
                    _head += acks.Count;
                    Wake();
                }
                _work.Writer.TryWrite(true);
                acks.Clear();
            }
            await connection.ReceiveAsync(cancel).ConfigureAwait(false);
            Volatile.Write(ref _heard, true);
        }
    }

    private void Take(byte type, ReadOnlySpan<byte> body)
    {
        if (type == MqttPackets.PubAck)
        {
            var (id, reason, text) = MqttPackets.ReadPubAck(body);
            lock (_lock)
            {
                var n = _head + (id - PacketIdOf(_head) + PacketIds) % PacketIds;
                if (n >= _sent)
                {
                    throw new InvalidDataException($"the MQTT broker acknowledged packet {id}, which is not in flight");
                }
                ref var slot = ref _ring[n % _ring.Length];
                (slot.Done, slot.Reason, slot.Text) = (true, reason, text);
            }
        }
        else if (type == MqttPackets.Disconnect)
        {
            var (reason, text) = MqttPackets.ReadReason(body);
            throw new MqttRefusedException(reason, text);
        }
        else if (type != MqttPackets.PingResponse)
        {
            throw new InvalidDataException($"the MQTT broker sent a packet of type {type >> 4} to a publisher");
        }
    }

    /// <summary>Pings twice in each keep-alive time; silence for the whole of one breaks the connection.</summary>
    private async Task WatchAsync(CancellationToken cancel)
    {
        using var timer = new PeriodicTimer(_options.KeepAlive / 2, _clock);
        for (var silent = 0; ;)
        {
            await timer.WaitForNextTickAsync(cancel).ConfigureAwait(false);
            silent = Volatile.Read(ref _heard) ? 0 : silent + 1;
            if (silent > 2)
            {
                throw new TimeoutException($"the MQTT broker was silent for {_options.KeepAlive.TotalSeconds:0} s");
            }
            Volatile.Write(ref _heard, false);
            lock (_lock)
            {
                _pingDue = true;
            }
            _work.Writer.TryWrite(true);
        }
    }

    private void Fault(Exception e)
    {
        lock (_lock)
        {
            _fault = e;
            Wake();
        }
    }

    private void ThrowIfFaulted()
    {
        if (_fault is not null)
        {
            throw _fault is MqttRefusedException refused
                ? new MqttRefusedException(refused.Reason, refused.Text)
                : new InvalidOperationException("the publisher has failed", _fault);
        }
    }

    private Task Moved() => (_moved ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    private void Wake()
    {
        _moved?.SetResult();
        _moved = null;
    }

    private static ushort PacketIdOf(long n) => (ushort)(n % PacketIds + 1);

    private static TimeSpan Next(TimeSpan backoff) => backoff * 2 < BackoffMax ? backoff * 2 : BackoffMax;

    private static bool IsOfConnection(Exception e) => e is SocketException or IOException or InvalidDataException or TimeoutException;
}
