using System.Text;
using Foretier.Agent.Hot;
using Foretier.Agent.Ingest;
using Foretier.Agent.Ingest.Identity;
using Foretier.Agent.Sensors;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Protocol.Api;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Foretier.Tests.Unit.Sensors;

public sealed class SensorTests
{
    private readonly FakeI2c _bus = new();
    private readonly WatchedClock _clock = new(new(2026, 3, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly List<(long Time, SensorReading Reading)> _read = [];

    [Fact]
    public void A_scan_finds_the_devices_that_answer_and_lets_go_of_the_bus()
    {
        _bus.Put(0x44, _ => [0]);
        _bus.Put(0x76, _ => [0]);
        Assert.Equal([0x44, 0x76], I2cScan.Find(_bus.Device, 1));
        Assert.Equal(0, _bus.Open);
    }

    [Fact]
    public void A_sensor_that_fails_is_named_after_three_times_and_found_again_when_it_is_back()
    {
        var poller = Poller();
        Assert.True(poller.Poll());
        Assert.Null(poller.Problem);
        _bus.IsBroken = true;
        for (var i = 0; i < 3; i++)
        {
            Assert.Null(poller.Problem);
            Assert.False(poller.Poll());
            Assert.Equal(0, _bus.Open);
        }
        Assert.Contains("sensor panel (test at i2c-1 0x44) cannot be read: Error 121", poller.Problem, StringComparison.Ordinal);
        _bus.IsBroken = false;
        Assert.True(poller.Poll());
        Assert.Null(poller.Problem);
        Assert.Equal((2, 3), (poller.Reads, poller.Failed));
        Assert.Equal([21.5, 21.5], _read.Select(r => r.Reading.Value));
    }

    [Fact]
    public async Task A_sensor_is_read_in_its_pace_and_less_and_less_often_while_it_fails()
    {
        using var stop = new CancellationTokenSource();
        var poller = Poller();
        var running = poller.RunAsync(stop.Token);
        // (Time that passes before it waits would not be waited for.)
        Task DoneAsync(int reads, int failed) => UntilAsync(() => poller.Reads == reads && poller.Failed == failed && _clock.Waits == reads + failed);
        for (var i = 0; i < 6; i++)
        {
            await DoneAsync(i + 1, 0);
            _clock.Advance(TimeSpan.FromSeconds(10));
        }
        await DoneAsync(7, 0);
        Assert.Equal(Enumerable.Range(0, 7).Select(i => i * 10L * Instant.Second), _read.Select(r => r.Time - _read[0].Time));
        _bus.IsBroken = true;
        _clock.Advance(TimeSpan.FromSeconds(10));
        await DoneAsync(7, 1);
        _clock.Advance(TimeSpan.FromSeconds(10));
        await DoneAsync(7, 2);
        _clock.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(2, poller.Failed);
        _clock.Advance(TimeSpan.FromSeconds(10));
        await DoneAsync(7, 3);
        await stop.CancelAsync();
        await running;
        Assert.Equal(0, _bus.Open);
    }

    [Fact]
    public void A_value_that_is_none_is_a_failure_and_not_a_sample()
    {
        var poller = Poller(_ => double.NaN);
        Assert.False(poller.Poll());
        Assert.Empty(_read);
    }

    [Fact]
    public async Task What_a_sensor_measures_is_a_series_of_its_account_with_its_unit_and_time()
    {
        var folder = Directory.CreateTempSubdirectory("foretier-sensor-").FullName;
        try
        {
            var catalog = new Catalog();
            await using var store = await HotStore.OpenAsync(new() { Directory = Path.Combine(folder, "hot") }, catalog, _clock, NullLogger<HotStore>.Instance, CancellationToken.None);
            var devices = DeviceRegistry.Open(Path.Combine(folder, "devices.json"), _clock);
            await using var quarantine = new Quarantine(Path.Combine(folder, "quarantine.jsonl"), 1 << 20, _clock, NullLogger.Instance);
            var intake = new Intake(store, devices, new(store, quarantine, _clock, _clock, NullLogger.Instance), new(), _clock);
            var publisher = new SensorPublisher(new("acme", "panel"), intake, NullLogger.Instance);
            publisher.Publish(Instant.Now(_clock), [new("temperature", 21.5, "Cel"), new("humidity", 40, "%RH")]);
            Assert.Equal(2, store.Ledger.Accepted);
            Assert.Equal([("acme/panel/humidity", "%RH"), ("acme/panel/temperature", "Cel")],
                catalog.View.Series.OrderBy(s => s.Name, StringComparer.Ordinal).Select(s => (s.Name, s.Unit!)));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Readings_travel_as_SenML() => Assert.Equal("""[{"n":"temperature","u":"Cel","v":21.5,"t":1772323200},{"n":"on","v":1,"t":1772323200}]""",
        Encoding.UTF8.GetString(SensorPublisher.Pack(Instant.Now(_clock), [new("temperature", 21.5, "Cel"), new("on", 1, null)])));

    [Theory]
    [InlineData("sht4000", null, null, "Sensors:Devices:panel:Kind 'sht4000' is not known; use one of ads1115, ")]
    [InlineData("switch", null, null, "Sensors:Devices:panel:Pin is missing")]
    [InlineData("switch", "0xzz", 4, "Sensors:Devices:panel:Address '0xzz'")]
    public void Settings_that_cannot_be_are_refused_by_name(string kind, string? address, int? pin, string says)
    {
        var options = new SensorsOptions { Account = "acme", Devices = { ["panel"] = new() { Kind = kind, Address = address, Pin = pin } } };
        Assert.StartsWith(says, Assert.Throws<ArgumentException>(options.Validated).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_without_an_account_is_refused() =>
        Assert.StartsWith("Sensors:Account", Assert.Throws<ArgumentException>(new SensorsOptions { Devices = { ["a"] = new() } }.Validated).Message, StringComparison.Ordinal);

    private SensorPoller Poller(Func<byte, double>? value = null) => new("panel", new() { Kind = "test" }, new Board(_bus.Device, null!, null!), _clock, NullLogger.Instance,
        (time, readings) => _read.AddRange(readings.Select(r => (time, r))), TestKind(value ?? (raw => raw / 2.0)));

    private SensorKind TestKind(Func<byte, double> value)
    {
        _bus.Put(0x44, _ => [43]);
        return new("test", SensorBus.I2c, 0x44, 0, (_, board) => new TestSensor(board.I2c(1, 0x44), value));
    }

    private static async Task UntilAsync(Func<bool> isSo)
    {
        for (var patience = DateTime.UtcNow.AddSeconds(30); !isSo(); await Task.Delay(1))
        {
            Assert.True(DateTime.UtcNow < patience, "it did not come about");
        }
    }

    /// <summary>Counts how often somebody began to wait.</summary>
    private sealed class WatchedClock(DateTimeOffset start) : FakeTimeProvider(start)
    {
        private int _waits;

        public int Waits => Volatile.Read(ref _waits);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var timer = base.CreateTimer(callback, state, dueTime, period);
            Interlocked.Increment(ref _waits);
            return timer;
        }
    }

    private sealed class TestSensor(System.Device.I2c.I2cDevice device, Func<byte, double> value) : ISensor
    {
        public IReadOnlyList<SensorReading> Read() => [new("temperature", value(device.ReadByte()), "Cel")];

        public void Dispose() => device.Dispose();
    }
}
