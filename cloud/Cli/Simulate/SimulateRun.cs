using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using Foretier.Client.Mqtt;
using Foretier.Core.Samples;

namespace Foretier.Cli.Simulate;

/// <summary>Publishes a fleet's readings: reading n is of series n modulo their number, at start + n / rate.</summary>
/// <param name="fleet">Whose.</param>
/// <param name="account">For the topics.</param>
/// <param name="rate">Messages per second, of the readings' own time.</param>
/// <param name="start">Time of the first reading, µs.</param>
/// <param name="span">How much time the readings cover; null = no end.</param>
/// <param name="live">Each reading when its time has come; else as fast as they are acknowledged.</param>
/// <param name="clock">Says when it has.</param>
internal sealed class SimulateRun(Fleet fleet, string account, double rate, long start, TimeSpan? span, bool live, TimeProvider clock)
{
    /// <summary>Topics are kept for fleets of ordinary size only.</summary>
    private const int TopicsKept = 100_000;

    private readonly long _total = span is { } covered ? (long)Math.Max(1, covered.TotalSeconds * rate) : long.MaxValue;
    private readonly byte[]?[] _topics = new byte[]?[Math.Min(fleet.Series, TopicsKept)];
    private readonly ArrayBufferWriter<byte> _payload = new();
    private readonly Lock _lock = new();
    // By code: the first text that came with it (texts name times and values), and how often.
    private readonly Dictionary<string, (string Text, long Count)> _refusedBy = [];
    private long _published;
    private long _acknowledged;
    private long _refused;

    public (long Published, long Acknowledged, long Refused) Counts
    {
        get
        {
            lock (_lock)
            {
                return (_published, _acknowledged, _refused);
            }
        }
    }

    /// <summary>0..1; null where there is no end.</summary>
    public double? Fraction => span is null ? null : (double)Counts.Acknowledged / _total;

    /// <summary>Readings by the broker's reason: of each code its first text.</summary>
    public IReadOnlyDictionary<string, long> RefusedBy
    {
        get
        {
            lock (_lock)
            {
                return _refusedBy.Values.ToDictionary(refused => refused.Text, refused => refused.Count);
            }
        }
    }

    public void Acknowledged(MqttAck ack)
    {
        lock (_lock)
        {
            if (ack.IsRefused)
            {
                _refused++;
                var code = ack.Text?.Split(':')[0] ?? MqttReason.Describe(ack.Reason);
                ref var refused = ref CollectionsMarshal.GetValueRefOrAddDefault(_refusedBy, code, out _);
                refused = (refused.Text ?? MqttReason.Describe(ack.Reason, ack.Text), refused.Count + 1);
            }
            else
            {
                _acknowledged++;
            }
        }
    }

    public async Task PublishAsync(MqttPublisherGroup publisher, CancellationToken cancel)
    {
        for (long n = 0; n < _total; n++)
        {
            var time = start + (long)(n / rate * Instant.Second) / Instant.Millisecond * Instant.Millisecond;
            if (live && time - Instant.Now(clock) is > 0 and var early)
            {
                await Task.Delay(TimeSpan.FromMicroseconds(Math.Max(early, Instant.Millisecond)), clock, cancel).ConfigureAwait(false);
            }
            var series = (int)(n % fleet.Series);
            var (device, measurement) = (series / Fleet.Measurements.Count, series % Fleet.Measurements.Count);
            _payload.ResetWrittenCount();
            ReadingPayload.Write(_payload, fleet.ValueAt(device, measurement, time),
                (time / Instant.Millisecond).ToString(System.Globalization.CultureInfo.InvariantCulture), Fleet.Measurements[measurement].Unit);
            lock (_lock)
            {
                _published++;
            }
            try
            {
                await publisher.PublishAsync(series, TopicOf(series, device, measurement), _payload.WrittenMemory, n, cancel).ConfigureAwait(false);
            }
            catch
            {
                lock (_lock)
                {
                    _published--;
                }
                throw;
            }
        }
    }

    private byte[] TopicOf(int series, int device, int measurement)
    {
        var kept = series < _topics.Length ? _topics[series] : null;
        if (kept is null)
        {
            kept = Encoding.UTF8.GetBytes($"v1/{account}/{Fleet.NameOf(device)}/{Fleet.Measurements[measurement].Name}");
            if (series < _topics.Length)
            {
                _topics[series] = kept;
            }
        }
        return kept;
    }
}
