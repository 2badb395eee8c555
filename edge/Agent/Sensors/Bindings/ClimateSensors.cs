using System.Device.I2c;

namespace Foretier.Agent.Sensors;

/// <summary>Temperature, humidity, pressure.</summary>
internal static class ClimateSensors
{
    /// <summary>Sensirion SHT30, SHT31, SHT35.</summary>
    public sealed class Sht3x(I2cDevice device) : ISensor
    {
        private readonly Iot.Device.Sht3x.Sht3x _driver = new(new CrcChecked(device));

        public IReadOnlyList<SensorReading> Read() =>
            [new("temperature", _driver.Temperature.DegreesCelsius, "Cel"), new("humidity", _driver.Humidity.Percent, "%RH")];

        public void Dispose() => _driver.Dispose();
    }

    /// <summary>Bosch BME280.</summary>
    public sealed class Bme280(I2cDevice device) : ISensor
    {
        private readonly Iot.Device.Bmxx80.Bme280 _driver = new(device);

        public IReadOnlyList<SensorReading> Read()
        {
            var read = _driver.Read();
            return read is { Temperature: { } temperature, Humidity: { } humidity, Pressure: { } pressure }
                ? [new("temperature", temperature.DegreesCelsius, "Cel"), new("humidity", humidity.Percent, "%RH"), new("pressure", pressure.Pascals, "Pa")]
                : throw new IOException("it did not finish its measurement");
        }

        public void Dispose() => _driver.Dispose();
    }
}
