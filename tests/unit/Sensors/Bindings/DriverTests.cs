using System.Device.Spi;
using Foretier.Agent.Sensors;

namespace Foretier.Tests.Unit.Sensors.Bindings;

/// <summary>The drivers of Iot.Device.Bindings on a bus that answers as the data sheets say. Compiled with -p:DeviceBindings=true.</summary>
public sealed class DriverTests
{
    private readonly FakeI2c _bus = new();

    [Fact]
    public void SHT3x_temperature_and_humidity()
    {
        _bus.Put(0x44, _ => [0x66, 0x66, CrcChecked.CrcOf([0x66, 0x66]), 0x80, 0x00, CrcChecked.CrcOf([0x80, 0x00])]);
        Read("sht3x", ("temperature", 25.0, "Cel"), ("humidity", 50.0, "%RH"));
    }

    [Fact]
    public void SHT3x_that_sends_damaged_bytes_is_a_failure_and_not_the_value_before()
    {
        _bus.Put(0x44, _ => [0x66, 0x66, 0x00, 0x80, 0x00, 0x00]);
        Assert.Throws<IOException>(() => Read("sht3x"));
    }

    [Fact]
    public void BH1750_illuminance()
    {
        _bus.Put(0x23, _ => [0x01, 0x2C]);
        Read("bh1750", ("illuminance", 250.0, "lx"));
    }

    [Theory]
    [InlineData(1000, 0.1, 0.1)]
    [InlineData(-1000, 0.1, -0.1)]
    [InlineData(1000, 0.01, 1.0)]
    public void INA219_voltage_current_and_power_in_both_directions(int shuntSteps, double shuntOhms, double amperes)
    {
        _bus.Put(0x40, written => Word(written[0] switch { 0 => 0x399F, 1 => shuntSteps, _ => 3000 << 3 }));
        Read("ina219", new SensorOptions { Kind = "ina219", ShuntOhms = shuntOhms }, ("voltage", 12.0, "V"), ("current", amperes, "A"), ("power", 12 * amperes, "W"));
    }

    [Fact]
    public void ADS1115_reads_the_inputs_it_is_told()
    {
        var input = 0;
        _bus.Put(0x48, written =>
        {
            input = written is [1, var high, _] ? (high >> 4) & 3 : input;
            return written[0] == 1 ? Word(0x8583) : Word(8000 * (input + 1));
        });
        Read("ads1115", new SensorOptions { Kind = "ads1115", Channels = [0, 2] }, ("a0", 1.0, "V"), ("a2", 3.0, "V"));
    }

    [Fact]
    public void MCP3008_reads_volts_of_its_reference()
    {
        using var sensor = SensorKinds.All["mcp3008"].Open!(new() { Kind = "mcp3008", Channels = [7], ReferenceVolts = 5 }, new(_bus.Device, (bus, line) => new FakeSpi(bus, line, 1023), null!));
        Assert.Equal([new SensorReading("a7", 5.0, "V")], sensor.Read());
    }

    private static byte[] Word(int value) => [(byte)(value >> 8), (byte)value];

    private void Read(string kind, params (string Measurement, double Value, string Unit)[] expected) => Read(kind, new SensorOptions { Kind = kind }, expected);

    private void Read(string kind, SensorOptions options, params (string Measurement, double Value, string Unit)[] expected)
    {
        using (var sensor = SensorKinds.All[kind].Open!(options, new(_bus.Device, null!, null!)))
        {
            var readings = sensor.Read();
            Assert.Equal(expected.Select(e => (e.Measurement, e.Unit)), readings.Select(r => (r.Measurement, r.Unit!)));
            Assert.All(expected.Zip(readings), pair => Assert.Equal(pair.First.Value, pair.Second.Value, 1e-6));
        }
        Assert.Equal(0, _bus.Open);
    }

    private sealed class FakeSpi(int bus, int line, int value) : SpiDevice
    {
        public override SpiConnectionSettings ConnectionSettings { get; } = new(bus, line);

        public override void Read(Span<byte> buffer) => throw new NotSupportedException();

        public override void Write(ReadOnlySpan<byte> buffer) => throw new NotSupportedException();

        public override void TransferFullDuplex(ReadOnlySpan<byte> writeBuffer, Span<byte> readBuffer)
        {
            readBuffer.Clear();
            readBuffer[^1] = (byte)value;
            readBuffer[^2] = (byte)(value >> 8);
        }
    }
}
