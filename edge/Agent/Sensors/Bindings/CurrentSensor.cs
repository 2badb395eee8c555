using System.Device.I2c;
using Iot.Device.Adc;

namespace Foretier.Agent.Sensors;

/// <summary>Texas Instruments INA219: voltage of a bus, and current and power through a shunt.</summary>
internal sealed class CurrentSensor : ISensor
{
    private const double ShuntVoltsPerStep = 1e-5;

    private readonly I2cDevice _device;
    private readonly Ina219 _driver;
    private readonly double _shuntOhms;

    public CurrentSensor(I2cDevice device, double shuntOhms)
    {
        _device = device;
        _driver = new(device);
        _driver.Reset();
        _shuntOhms = shuntOhms;
    }

    public IReadOnlyList<SensorReading> Read()
    {
        // By Ohm's law from what is measured: the device's own arithmetic needs a calibration to the same shunt, and rounds more.
        var volts = _driver.ReadBusVoltage().Volts;
        // The driver takes the register for one without a sign: a current that flows back would be a large one.
        var steps = (short)(ushort)Math.Round(_driver.ReadShuntVoltage().Volts / ShuntVoltsPerStep);
        var amperes = steps * ShuntVoltsPerStep / _shuntOhms;
        return [new("voltage", volts, "V"), new("current", amperes, "A"), new("power", volts * amperes, "W")];
    }

    public void Dispose()
    {
        _driver.Dispose();
        // The driver closes what it has opened itself only.
        _device.Dispose();
    }
}
