using System.Device.I2c;
using System.Device.Spi;
using System.Globalization;
using Iot.Device.Ads1115;

namespace Foretier.Agent.Sensors;

/// <summary>Analog inputs, one measurement each: <c>a0</c>, <c>a1</c>, …</summary>
internal static class Converters
{
    /// <summary>Texas Instruments ADS1115: four inputs, 16 bits, up to 4.096 V.</summary>
    public sealed class Ads1115(I2cDevice device, IReadOnlyCollection<int> channels) : ISensor
    {
        private static readonly InputMultiplexer[] Inputs = [InputMultiplexer.AIN0, InputMultiplexer.AIN1, InputMultiplexer.AIN2, InputMultiplexer.AIN3];

        // One measurement at a time: running on, it would still have the input before in its register.
        private readonly Iot.Device.Ads1115.Ads1115 _driver = new(device, deviceMode: DeviceMode.PowerDown);

        public IReadOnlyList<SensorReading> Read() => ReadAll(channels, Inputs.Length, channel => _driver.ReadVoltage(Inputs[channel]).Volts);

        public void Dispose() => _driver.Dispose();
    }

    /// <summary>Microchip MCP3008: eight inputs, 10 bits, up to its reference.</summary>
    public sealed class Mcp3008(SpiDevice device, IReadOnlyCollection<int> channels, double? referenceVolts) : ISensor
    {
        private const double FullScale = 1023;
        private const double UsualVolts = 3.3;

        private readonly Iot.Device.Adc.Mcp3008 _driver = new(device);

        public IReadOnlyList<SensorReading> Read() => ReadAll(channels, 8, channel => _driver.Read(channel) / FullScale * (referenceVolts ?? UsualVolts));

        public void Dispose() => _driver.Dispose();
    }

    private static List<SensorReading> ReadAll(IReadOnlyCollection<int> channels, int all, Func<int, double> volts) =>
        [.. (channels.Count > 0 ? channels : Enumerable.Range(0, all)).Select(channel =>
            new SensorReading(string.Create(CultureInfo.InvariantCulture, $"a{channel}"), volts(channel), "V"))];
}
