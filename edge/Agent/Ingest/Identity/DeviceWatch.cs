using System.Text.Json;
using Foretier.Core.Samples;
using Foretier.Durable;

namespace Foretier.Agent.Ingest.Identity;

/// <summary>
/// Knows which devices have fallen silent, also after a restart: when each was last heard is written down every few minutes (less often where
/// that would be much, hourly where nothing new was heard), and the time this program was not there to hear is not counted as silence.
/// </summary>
public sealed class DeviceWatch : IDisposable
{
    private const int Format = 1;
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(60);

    /// <summary>What the file may cost the flash in a day.</summary>
    private const double BytesPerDayMax = 32 << 20;

    /// <summary>What the file system writes to replace a small file: two commits of its journal, inode, folder, bitmaps (seen on ext4: 55 to 105 KB).</summary>
    private const int ReplaceBytes = 80 << 10;

    /// <summary>While nothing is heard only the silence grows; of that an hour may be lost in a crash.</summary>
    private static readonly TimeSpan QuietPeriod = TimeSpan.FromHours(1);

    private readonly DeviceRegistry _devices;
    private readonly string _path;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly long _started;
    private readonly Lock _saving = new();
    private readonly ITimer _timer;

    private long _savedAt, _savedHeard;
    private int _savedBytes;
    private bool _failed;

    private DeviceWatch(DeviceRegistry devices, string path, TimeProvider clock, ILogger log)
    {
        (_devices, _path, _clock, _log) = (devices, path, clock, log);
        _started = _savedAt = Instant.Now(clock);
        Read();
        _savedHeard = LastHeard;
        _timer = clock.CreateTimer(_ => Tick(), null, Period, Period);
    }

    /// <param name="path">File of when each device was last heard.</param>
    public static DeviceWatch Start(DeviceRegistry devices, string path, TimeProvider clock, ILogger log) => new(devices, path, clock, log);

    /// <summary>Silent for so long, µs, while this program could have heard it; null = it was never heard.</summary>
    public long? SilentFor(Device device)
    {
        // Differences of one life of the clock only: a test's clock may begin anew before what the last one wrote.
        var now = Instant.Now(_clock);
        return device.LastSeen == 0 ? null
            : device.Presence.SilentBefore is { } before ? before + Math.Max(0, now - _started)
            : Math.Max(0, now - device.LastSeen);
    }

    /// <summary>True where it has missed what it is expected to keep to.</summary>
    public bool IsSilent(Device device) => SilentFor(device) is { } span && span > device.Presence.Patience;

    public int SilentCount => _devices.Devices.Count(IsSilent);

    /// <summary>Writes down what was heard.</summary>
    public void Save()
    {
        lock (_saving)
        {
            var now = Instant.Now(_clock);
            var heard = _devices.Devices.Where(d => d.LastSeen > 0).ToDictionary(d => d.Name.ToString(), d => new[] { d.LastSeen, SilentFor(d) ?? 0, d.Presence.Learnt });
            var bytes = JsonSerializer.SerializeToUtf8Bytes(new Content(Format, heard));
            Disk.Replace(_path, file => file.Write(bytes));
            (_savedAt, _savedHeard, _savedBytes) = (now, heard.Values.Select(h => h[0]).DefaultIfEmpty().Max(), bytes.Length);
        }
    }

    public void Dispose()
    {
        _timer.Dispose();
        Try(Save);
    }

    private long LastHeard => _devices.Devices.Select(d => d.LastSeen).DefaultIfEmpty().Max();

    private void Tick()
    {
        Try(_devices.EndGraces);
        var sinceSaved = Instant.Now(_clock) - _savedAt;
        var patience = LastHeard == _savedHeard ? QuietPeriod.TotalSeconds
            : Math.Max(Period.TotalSeconds, (_savedBytes + ReplaceBytes) / BytesPerDayMax * 86_400);
        if (sinceSaved >= patience * Instant.Second - 1)
        {
            Try(Save);
        }
    }

    private void Try(Action action)
    {
        try
        {
            action();
            _failed = false;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            if (!_failed)
            {
                _log.LogWarning("When devices were last heard could not be written down: {Reason}", failure.Message);
            }
            _failed = true;
        }
    }

    private void Read()
    {
        try
        {
            if (!File.Exists(_path) || JsonSerializer.Deserialize<Content>(File.ReadAllBytes(_path)) is not { Format: Format } content)
            {
                return;
            }
            foreach (var (name, seen) in content.Heard)
            {
                if (DeviceName.TryParse(name, out var known) && seen is [> 0 and var at, >= 0 and var silent, >= 0 and var learnt] && _devices.Find(known!) is { } device)
                {
                    device.Presence.Restore(at, silent, learnt);
                }
            }
        }
        catch (Exception broken) when (broken is JsonException or IOException or UnauthorizedAccessException)
        {
            // Nothing depends on it but this: devices are learnt anew.
            _log.LogWarning("When devices were last heard cannot be read from {Path} and is learnt anew: {Reason}", _path, broken.Message);
        }
    }

    private sealed record Content(int Format, Dictionary<string, long[]> Heard);
}
