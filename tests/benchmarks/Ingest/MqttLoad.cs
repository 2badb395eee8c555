using System.Buffers.Binary;
using System.Buffers.Text;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Foretier.Tests.Benchmarks.Ingest;

/// <summary>What a run of load came to.</summary>
/// <param name="Acknowledged">Messages whose PUBACK came back.</param>
/// <param name="Milliseconds">From when a message was due until its PUBACK, sorted; empty at full speed.</param>
internal sealed record LoadResult(long Acknowledged, double Seconds, double[] Milliseconds)
{
    public double Rate => Acknowledged / Seconds;

    public double Percentile(double p) => Milliseconds.Length == 0 ? double.NaN : Milliseconds[(int)Math.Min(Milliseconds.Length - 1, Milliseconds.Length * p)];
}

/// <summary>
/// Many MQTT 3.1.1 publishers at QoS 1 that cost little themselves: the packets are templates in which only packet id, time and value
/// change, the acknowledgements are counted by their bytes.
/// </summary>
internal sealed class MqttLoad : IDisposable
{
    private readonly Publisher[] _publishers;

    private MqttLoad(Publisher[] publishers) => _publishers = publishers;

    /// <param name="payloadBytes">Of each message: a reading with its time, filled up with blanks.</param>
    /// <param name="seriesEach">Series that a publisher takes turns with.</param>
    public static async Task<MqttLoad> ConnectAsync(Broker broker, int publishers, int window, int payloadBytes, int seriesEach = 1)
    {
        var connected = new Publisher[publishers];
        for (var i = 0; i < publishers; i++)
        {
            connected[i] = await Publisher.ConnectAsync(broker, i, window, payloadBytes, seriesEach);
        }
        return new(connected);
    }

    /// <summary>Every publisher keeps its window full.</summary>
    public async Task<LoadResult> FullSpeedAsync(TimeSpan duration)
    {
        var started = Stopwatch.GetTimestamp();
        var end = started + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        var counts = await Task.WhenAll(_publishers.Select(p => Task.Run(() => p.FullSpeedAsync(end))));
        return new(counts.Sum(), Stopwatch.GetElapsedTime(started).TotalSeconds, []);
    }

    /// <summary>
    /// Messages fall due at a steady rate, over the publishers in turn, whether the server keeps up or not: waiting counts from when a
    /// message was due, not from when it could be sent.
    /// </summary>
    /// <param name="together">So many of one publisher fall due one after the other, and go out in one write as far as its window has room.</param>
    public async Task<LoadResult> PacedAsync(double messagesPerSecond, TimeSpan duration, int together = 1)
    {
        using var over = new CancellationTokenSource(duration);
        return await PacedAsync(messagesPerSecond, over.Token, together);
    }

    /// <summary>The same until <paramref name="over"/>.</summary>
    public async Task<LoadResult> PacedAsync(double messagesPerSecond, CancellationToken over, int together = 1)
    {
        var started = Stopwatch.GetTimestamp();
        var receiving = _publishers.Select(p => Task.Run(p.ReceiveAsync, CancellationToken.None)).ToList();
        var pace = new Thread(() =>
        {
            long due = 0;
            while (Stopwatch.GetElapsedTime(started) is var elapsed && !over.IsCancellationRequested)
            {
                for (var until = (long)(elapsed.TotalSeconds * messagesPerSecond); due < until; due++)
                {
                    _publishers[due / together % _publishers.Length].Due(started + (long)(due / messagesPerSecond * Stopwatch.Frequency), isLast: due % together == together - 1);
                }
                Thread.Sleep(1);
            }
        });
        pace.Start();
        await Task.Run(pace.Join, CancellationToken.None);
        foreach (var publisher in _publishers)
        {
            publisher.NoMore();
        }
        await Task.WhenAll(receiving);
        var times = _publishers.SelectMany(p => p.Latencies).ToArray();
        Array.Sort(times);
        return new(times.Length, Stopwatch.GetElapsedTime(started).TotalSeconds, times);
    }

    public void Dispose()
    {
        foreach (var publisher in _publishers)
        {
            publisher.Dispose();
        }
    }

    private sealed class Publisher : IDisposable
    {
        private const int AckBytes = 4;
        private const int TimeDigits = 13;

        /// <summary>2026-01-01, ms: a past day.</summary>
        private const long FirstTime = 1_767_225_600_000;

        private readonly Socket _socket;
        private readonly byte[][] _templates;
        private readonly int _idAt;
        private readonly int _timeAt;
        private readonly int _valueAt;
        private readonly int _window;
        private readonly byte[] _out;
        private readonly byte[] _in = new byte[64 * 1024];
        private readonly Queue<long> _waiting = new();
        private readonly Queue<long> _sent = new();
        private long _count;
        private bool _noMore;
        private bool _isHeldUp; // more is due than the window has room for
        private TaskCompletionSource? _idle;

        private Publisher(Socket socket, int number, int window, int payloadBytes, int seriesEach)
        {
            (_socket, _window) = (socket, window);
            _templates = [.. Enumerable.Range(0, seriesEach).Select(s => Template($"v1/acme/dev{number:0000}/m{s:00}", payloadBytes, out _))];
            Template($"v1/acme/dev{number:0000}/m00", payloadBytes, out _idAt);
            _timeAt = _idAt + 2 + "{\"t\":".Length;
            _valueAt = _timeAt + TimeDigits + ",\"v\":".Length;
            _out = new byte[_templates[0].Length * window];
        }

        public List<double> Latencies { get; } = [];

        public static async Task<Publisher> ConnectAsync(Broker broker, int number, int window, int payloadBytes, int seriesEach)
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(IPAddress.Loopback, broker.Port);
            var publisher = new Publisher(socket, number, window, payloadBytes, seriesEach);
            await socket.SendAsync(Connect($"load-{number}", broker.User, broker.Secret));
            var read = 0;
            while (read < AckBytes)
            {
                read += await socket.ReceiveAsync(publisher._in.AsMemory(read, AckBytes - read)) is var n and > 0 ? n : throw new IOException("no CONNACK");
            }
            return publisher._in[3] == 0 ? publisher : throw new IOException($"refused, code {publisher._in[3]}");
        }

        public async Task<long> FullSpeedAsync(long end)
        {
            var room = _window;
            var rest = 0;
            long acknowledged = 0;
            while (true)
            {
                var over = Stopwatch.GetTimestamp() >= end;
                if (room > 0 && !over)
                {
                    var length = 0;
                    for (; room > 0; room--)
                    {
                        length += Write(_out.AsSpan(length));
                    }
                    await _socket.SendAsync(_out.AsMemory(0, length));
                }
                if (over && room == _window)
                {
                    return acknowledged;
                }
                var read = rest + await ReadAsync();
                rest = read % AckBytes;
                room += read / AckBytes;
                acknowledged += read / AckBytes;
            }
        }

        /// <summary>A message falls due; it goes out with the last of those that go together, or once there is room in the window.</summary>
        public void Due(long time, bool isLast)
        {
            lock (_waiting)
            {
                _waiting.Enqueue(time);
                if (isLast)
                {
                    SendWaiting();
                }
            }
        }

        public void NoMore()
        {
            lock (_waiting)
            {
                _noMore = true;
                SendWaiting();
                _idle?.TrySetResult();
            }
        }

        public async Task ReceiveAsync()
        {
            var rest = 0;
            while (true)
            {
                Task? idle = null;
                lock (_waiting)
                {
                    if (_sent.Count == 0)
                    {
                        if (_noMore)
                        {
                            return;
                        }
                        _idle = new(TaskCreationOptions.RunContinuationsAsynchronously);
                        idle = _idle.Task;
                    }
                }
                if (idle is not null)
                {
                    await idle;
                    continue;
                }
                var read = rest + await ReadAsync();
                rest = read % AckBytes;
                var now = Stopwatch.GetTimestamp();
                lock (_waiting)
                {
                    for (var i = 0; i < read / AckBytes; i++)
                    {
                        Latencies.Add((now - _sent.Dequeue()) * 1000.0 / Stopwatch.Frequency);
                    }
                    if (_isHeldUp)
                    {
                        SendWaiting();
                    }
                }
            }
        }

        public void Dispose() => _socket.Dispose();

        private void SendWaiting()
        {
            var length = 0;
            for (; _waiting.Count > 0 && _sent.Count < _window; _sent.Enqueue(_waiting.Dequeue()))
            {
                length += Write(_out.AsSpan(length));
            }
            _isHeldUp = _waiting.Count > 0;
            if (length > 0)
            {
                _socket.Send(_out.AsSpan(0, length));
                _idle?.TrySetResult();
            }
        }

        private async ValueTask<int> ReadAsync() =>
            await _socket.ReceiveAsync(_in) is var read and > 0 ? read : throw new IOException("the server closed the connection");

        private int Write(Span<byte> at)
        {
            var template = _templates[_count % _templates.Length];
            template.CopyTo(at);
            BinaryPrimitives.WriteUInt16BigEndian(at[_idAt..], (ushort)(_count % ushort.MaxValue + 1));
            Utf8Formatter.TryFormat(FirstTime + _count, at[_timeAt..], out _);
            // 10.00 to 99.99, a saw.
            Utf8Formatter.TryFormat(10 + _count * 7 % 9000 / 100, at[_valueAt..], out _);
            _count++;
            return template.Length;
        }

        private static byte[] Template(string topic, int payloadBytes, out int idAt)
        {
            const string Reading = "{\"t\":1767225600000,\"v\":20.25";
            var payload = Encoding.UTF8.GetBytes(Reading.PadRight(payloadBytes - 1) + "}");
            var remaining = 2 + topic.Length + 2 + payload.Length;
            var packet = new List<byte> { 0x32 };
            for (var left = remaining; ; left >>= 7)
            {
                packet.Add((byte)(left > 127 ? left & 127 | 128 : left));
                if (left <= 127)
                {
                    break;
                }
            }
            packet.AddRange([(byte)(topic.Length >> 8), (byte)topic.Length, .. Encoding.UTF8.GetBytes(topic)]);
            idAt = packet.Count;
            packet.AddRange([0, 0, .. payload]);
            return [.. packet];
        }

        private static byte[] Connect(string clientId, string? user, string? secret)
        {
            var body = new List<byte> { 0, 4, (byte)'M', (byte)'Q', (byte)'T', (byte)'T', 4, (byte)(user is null ? 0x02 : 0xC2), 0, 240 };
            foreach (var text in user is null ? [clientId] : new[] { clientId, user, secret! })
            {
                body.AddRange([(byte)(text.Length >> 8), (byte)text.Length, .. Encoding.UTF8.GetBytes(text)]);
            }
            return [0x10, (byte)body.Count, .. body];
        }
    }
}
