using System.Device.I2c;
using System.Diagnostics.Metrics;
using System.Globalization;
using Foretier.Agent.Ingest;
using Foretier.Agent.Ingest.Identity;
using Foretier.Protocol.Api;

namespace Foretier.Agent.Sensors;

/// <summary>All devices on this board's buses, each read in its own pace.</summary>
internal sealed class SensorSet : IAsyncDisposable
{
    private readonly SensorsOptions _options;
    private readonly Func<Board> _board;
    private readonly List<(SensorPoller Poller, SensorPublisher Publisher)> _sensors = [];
    private readonly CancellationTokenSource _stop = new();
    private Task _running = Task.CompletedTask;

    /// <param name="board">Asked where there is a sensor, or somebody looks for some: most boxes have none, and need not load what drives them.</param>
    public SensorSet(SensorsOptions options, Func<Board> board, Intake intake, TimeProvider clock, ILogger<SensorSet> log)
    {
        (_options, _board) = (options, board);
        foreach (var (name, sensor) in options.Devices)
        {
            var device = new DeviceName(options.Account, name);
            intake.Devices.Meet(device);
            var publisher = new SensorPublisher(device, intake, log);
            _sensors.Add((new(name, sensor, board(), clock, log, publisher.Publish, SensorKinds.All[sensor.Kind]), publisher));
        }
    }

    /// <summary>What an operator should know of them.</summary>
    public IEnumerable<string> Problems => _sensors.Select(s => s.Poller.Problem).OfType<string>();

    public void Start() => _running = Task.WhenAll(_sensors.Select(s => s.Poller.RunAsync(_stop.Token)));

    public void Observe(Meter meter)
    {
        if (_sensors.Count == 0)
        {
            return;
        }
        meter.CreateObservableCounter("foretier.sensor.reads", () => _sensors.Select(s => Of(s.Poller, s.Poller.Reads)), "{read}", "On-board sensors read since the start.");
        meter.CreateObservableCounter("foretier.sensor.failures", () => _sensors.Select(s => Of(s.Poller, s.Poller.Failed)), "{read}", "Reads of on-board sensors that failed since the start.");
        meter.CreateObservableCounter("foretier.sensor.dropped", () => _sensors.Select(s => Of(s.Poller, s.Publisher.Dropped)), "{read}", "Readings lost because the store took none for too long.");

        static Measurement<long> Of(SensorPoller poller, long count) => new(count, new KeyValuePair<string, object?>("sensor", poller.Name));
    }

    /// <summary>For doctor: what answers on every I²C bus that is there or in the settings, and whether each sensor can be read.</summary>
    public IEnumerable<Check> Checks()
    {
        var wanted = _options.Devices.Where(d => SensorKinds.All[d.Value.Kind].Bus == SensorBus.I2c)
            .ToLookup(d => SensorKinds.All[d.Value.Kind].BusOf(d.Value), d => (Name: d.Key, Address: SensorKinds.All[d.Value.Kind].AddressOf(d.Value)));
        foreach (var bus in wanted.Select(b => b.Key).Concat(Enumerable.Range(0, 8).Where(I2cScan.Exists)).Distinct().Order())
        {
            yield return Scan(bus, [.. wanted[bus]]);
        }
        foreach (var problem in Problems)
        {
            yield return new("sensor", CheckStatus.Fail, problem, "look at its wires, bus and address");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private Check Scan(int bus, IReadOnlyList<(string Name, int Address)> wanted)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"i2c-{bus}");
        IReadOnlyList<int> found;
        try
        {
            found = I2cScan.Find(_board().I2c, bus);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or PlatformNotSupportedException)
        {
            return new(name, CheckStatus.Fail, $"the bus cannot be opened: {failure.Message}", "turn it on in the board's settings, and let this user read /dev/i2c-*");
        }
        var missing = wanted.Where(w => !found.Contains(w.Address)).Select(w => $"{w.Name} (0x{w.Address:x2})").ToList();
        var text = found.Count == 0 ? "nothing answers" : string.Join(", ", found.Select(address => $"0x{address:x2}")) + (found.Count == 1 ? " answers" : " answer");
        return missing.Count == 0 ? new(name, CheckStatus.Ok, text) : new(name, CheckStatus.Fail, $"{text}; not there: {string.Join(", ", missing)}", "look at wires and addresses");
    }
}
