using System.Device.I2c;

namespace Foretier.Agent.Sensors;

/// <summary>ROHM BH1750FVI: ambient light.</summary>
internal sealed class LightSensor(I2cDevice device) : ISensor
{
    private readonly Iot.Device.Bh1750fvi.Bh1750fvi _driver = new(device);

    public IReadOnlyList<SensorReading> Read() => [new("illuminance", _driver.Illuminance.Lux, "lx")];

    public void Dispose() => _driver.Dispose();
}
