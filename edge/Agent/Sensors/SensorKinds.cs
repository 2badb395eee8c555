namespace Foretier.Agent.Sensors;

internal enum SensorBus
{
    I2c,
    Spi,
    Gpio,
}

/// <param name="Address">Its usual address on the I²C bus.</param>
/// <param name="Channels">Inputs a converter has.</param>
/// <param name="Open">Finds it on the board and sets it up; null where this build has no driver for it.</param>
internal sealed record SensorKind(string Name, SensorBus Bus, int Address, int Channels, Func<SensorOptions, Board, ISensor>? Open)
{
    public int BusOf(SensorOptions options) => options.Bus ?? (Bus == SensorBus.I2c ? 1 : 0);

    public int AddressOf(SensorOptions options) => options.AddressNumber ?? Address;

    /// <summary>Where it is, for messages.</summary>
    public string PlaceOf(SensorOptions options) => Bus switch
    {
        SensorBus.I2c => $"i2c-{BusOf(options)} 0x{AddressOf(options):x2}",
        SensorBus.Spi => $"spidev{BusOf(options)}.{AddressOf(options)}",
        _ => $"gpio {options.Pin}",
    };
}

/// <summary>The devices the agent can read. All but the switch are driven by Iot.Device.Bindings, see <c>Bindings</c>.</summary>
internal static partial class SensorKinds
{
    public static IReadOnlyDictionary<string, SensorKind> All { get; } = Make();

    private static Dictionary<string, SensorKind> Make()
    {
        SensorKind[] kinds =
        [
            new("sht3x", SensorBus.I2c, 0x44, 0, null),     // climate: temperature, humidity
            new("bme280", SensorBus.I2c, 0x76, 0, null),    // climate: temperature, humidity, pressure
            new("bh1750", SensorBus.I2c, 0x23, 0, null),    // light
            new("ina219", SensorBus.I2c, 0x40, 0, null),    // voltage, current, power
            new("ads1115", SensorBus.I2c, 0x48, 4, null),   // converter
            new("mcp3008", SensorBus.Spi, 0, 8, null),      // converter
            new("switch", SensorBus.Gpio, 0, 0, SwitchSensor.Open),
        ];
        var all = kinds.ToDictionary(kind => kind.Name, StringComparer.Ordinal);
        AddDrivers(all);
        return all;
    }

    /// <summary>Implemented in <c>Bindings</c>, where this build has it.</summary>
    static partial void AddDrivers(Dictionary<string, SensorKind> kinds);
}
