using System.Device.I2c;

namespace Foretier.Agent.Sensors;

/// <content>The kinds that Iot.Device.Bindings drives. Compiled with -p:DeviceBindings=true alone.</content>
internal static partial class SensorKinds
{
    static partial void AddDrivers(Dictionary<string, SensorKind> kinds)
    {
        Drive("sht3x", (_, device) => new ClimateSensors.Sht3x(device));
        Drive("bme280", (_, device) => new ClimateSensors.Bme280(device));
        Drive("bh1750", (_, device) => new LightSensor(device));
        Drive("ina219", (options, device) => new CurrentSensor(device, options.ShuntOhms));
        Drive("ads1115", (options, device) => new Converters.Ads1115(device, options.Channels));
        kinds["mcp3008"] = kinds["mcp3008"] with
        {
            Open = (options, board) => new Converters.Mcp3008(board.Spi(options.Bus ?? 0, options.AddressNumber ?? 0), options.Channels, options.ReferenceVolts),
        };

        void Drive(string name, Func<SensorOptions, I2cDevice, ISensor> open)
        {
            var kind = kinds[name];
            kinds[name] = kind with
            {
                Open = (options, board) =>
                {
                    var device = board.I2c(kind.BusOf(options), kind.AddressOf(options));
                    try
                    {
                        return open(options, device);
                    }
                    catch
                    {
                        // Some drivers talk to their device at once, and leave the bus open where it does not answer.
                        device.Dispose();
                        throw;
                    }
                },
            };
        }
    }
}
