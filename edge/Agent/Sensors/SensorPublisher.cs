using System.Buffers;
using System.Text;
using System.Text.Json;
using Foretier.Agent.Hot;
using Foretier.Agent.Ingest;
using Foretier.Agent.Ingest.Identity;

namespace Foretier.Agent.Sensors;

/// <summary>
/// Publishes what one sensor measured, as SenML to its own topic, by the way every device's messages take. What the store cannot take now
/// waits here, bounded: a sensor cannot be made to wait.
/// </summary>
internal sealed class SensorPublisher(DeviceName device, Intake intake, ILogger log)
{
    /// <summary>Readings that may wait: at the default pace almost three hours.</summary>
    private const int WaitingMax = 1000;

    private readonly Sender _sender = new(device, intake);
    private readonly byte[] _topic = Encoding.UTF8.GetBytes($"v1/{device.Account}/{device.Device}");
    private readonly Queue<byte[]> _waiting = new();
    private long _dropped;
    private bool _isRefused;

    /// <summary>Readings lost because the store took none for too long.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    /// <param name="time">When it was measured, µs.</param>
    public void Publish(long time, IReadOnlyList<SensorReading> readings)
    {
        _waiting.Enqueue(Pack(time, readings));
        while (_waiting.Count > WaitingMax)
        {
            _waiting.Dequeue();
            Interlocked.Increment(ref _dropped);
        }
        while (_waiting.TryPeek(out var next) && !intake.Store.IsFull)
        {
            try
            {
                var verdict = _sender.Publish(_topic, next);
                if (verdict.Refusal.IsNone == _isRefused)
                {
                    _isRefused = !_isRefused;
                    log.Log(_isRefused ? LogLevel.Warning : LogLevel.Information, "Readings of {Device} are {Taken}{Reason}", device,
                        _isRefused ? "refused: " : "taken again", verdict.Refusal.Text);
                }
            }
            catch (HotStoreUnavailableException)
            {
                return; // the store says so itself; they go in with a later reading
            }
            _waiting.Dequeue();
        }
    }

    internal static byte[] Pack(long time, IReadOnlyList<SensorReading> readings)
    {
        var pack = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(pack))
        {
            json.WriteStartArray();
            foreach (var reading in readings)
            {
                json.WriteStartObject();
                json.WriteString("n"u8, reading.Measurement);
                if (reading.Unit is { } unit)
                {
                    json.WriteString("u"u8, unit);
                }
                json.WriteNumber("v"u8, reading.Value);
                json.WriteNumber("t"u8, time / 1_000_000m);
                json.WriteEndObject();
            }
            json.WriteEndArray();
        }
        return pack.WrittenSpan.ToArray();
    }
}
