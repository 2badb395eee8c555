using System.Diagnostics;

namespace Foretier.Tests.Benchmarks.Links;

/// <summary>What a cable does to packets, each way.</summary>
/// <param name="Delay">On the way.</param>
/// <param name="Loss">Share of the packets that never arrive, 0 to 1.</param>
/// <param name="BytesPerSecond">0: as many as come.</param>
internal sealed record Weather(TimeSpan Delay = default, double Loss = 0, int BytesPerSecond = 0)
{
    public static Weather Fine { get; } = new();

    /// <summary>Nothing passes, and nobody is told.</summary>
    public static Weather Silence { get; } = new(Loss: 1);
}

/// <summary>
/// A cable between two hosts that delays, slows and loses their packets; the systems at its ends send again what was lost, as over any network.
/// (What netem does in kernels that have it. This one works on all.)
/// </summary>
internal sealed class Cable : IDisposable
{
    private readonly TunDevice _lower, _upper;
    private readonly Line _up, _down;

    public Cable(TunDevice lower, TunDevice upper, int seed)
    {
        (_lower, _upper) = (lower, upper);
        (_up, _down) = (new(lower, upper, seed), new(upper, lower, seed + 1));
    }

    public (long Carried, long Lost) Packets => (_up.Carried + _down.Carried, _up.Lost + _down.Lost);

    public void Become(Weather both) => Become(both, both);

    public void Become(Weather up, Weather down) => (_up.Weather, _down.Weather) = (up, down);

    public void Dispose()
    {
        _lower.Dispose();
        _upper.Dispose();
    }

    /// <summary>One way. Two threads: one takes packets and decides what becomes of them, the other gives each when it is due.</summary>
    private sealed class Line
    {
        private const int PacketBytesMax = 65_536;

        /// <summary>What waits before a slow line; what comes then is lost, as at a modem.</summary>
        private const int QueueBytesMax = 64 << 10;

        private readonly TunDevice _from, _to;
        private readonly Random _random;
        private readonly Queue<(long Due, byte[] Packet)> _under = new();
        private long _freeAt;

        public Line(TunDevice from, TunDevice to, int seed)
        {
            (_from, _to, _random) = (from, to, new(seed));
            new Thread(Take) { IsBackground = true }.Start();
            new Thread(Give) { IsBackground = true }.Start();
        }

        public volatile Weather Weather = Weather.Fine;
        public long Carried { get; private set; }
        public long Lost { get; private set; }

        private void Take()
        {
            var packet = new byte[PacketBytesMax];
            while (true)
            {
                int length;
                try
                {
                    length = _from.Read(packet);
                }
                catch (ObjectDisposedException)
                {
                    return;
                }
                catch (IOException)
                {
                    // It is down, or goes away.
                    Thread.Sleep(20);
                    continue;
                }
                var weather = Weather;
                var now = Stopwatch.GetTimestamp();
                if (weather.Loss > 0 && _random.NextDouble() < weather.Loss)
                {
                    Lost++;
                    continue;
                }
                if (weather.BytesPerSecond == 0)
                {
                    _freeAt = now;
                }
                else if (_freeAt > now && Ticks(QueueBytesMax / (double)weather.BytesPerSecond) < _freeAt - now)
                {
                    Lost++;
                    continue;
                }
                else
                {
                    _freeAt = Math.Max(_freeAt, now) + Ticks(length / (double)weather.BytesPerSecond);
                }
                Carried++;
                lock (_under)
                {
                    _under.Enqueue((_freeAt + Ticks(weather.Delay.TotalSeconds), packet[..length]));
                    Monitor.Pulse(_under);
                }
            }
        }

        private void Give()
        {
            while (true)
            {
                (long Due, byte[] Packet) next;
                lock (_under)
                {
                    while (!_under.TryDequeue(out next))
                    {
                        Monitor.Wait(_under);
                    }
                }
                if (next.Due - Stopwatch.GetTimestamp() is > 0 and var early)
                {
                    Thread.Sleep(TimeSpan.FromSeconds(early / (double)Stopwatch.Frequency));
                }
                try
                {
                    _to.Write(next.Packet);
                }
                catch (ObjectDisposedException)
                {
                    return;
                }
                catch (IOException)
                {
                    // The far end is down: so the packet is lost.
                }
            }
        }

        private static long Ticks(double seconds) => (long)(seconds * Stopwatch.Frequency);
    }
}
