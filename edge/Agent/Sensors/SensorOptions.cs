using System.Globalization;
using Foretier.Core.Samples;

namespace Foretier.Agent.Sensors;

/// <summary>The devices on this board's own buses. Each publishes like any other device, under its key as name.</summary>
public sealed class SensorsOptions
{
    /// <summary>Whose devices they are.</summary>
    public string Account { get; set; } = "";

    /// <summary>By device name.</summary>
    public Dictionary<string, SensorOptions> Devices { get; set; } = [];

    /// <exception cref="ArgumentException">The message names the setting and what would be right.</exception>
    internal SensorsOptions Validated()
    {
        if (Devices.Count > 0 && !SeriesKey.IsValidPart(Account))
        {
            throw new ArgumentException($"Sensors:Account '{Account}' is no account: 1 to 128 of A-Z a-z 0-9 _ . : @ -");
        }
        foreach (var (name, sensor) in Devices)
        {
            if (!SeriesKey.IsValidPart(name))
            {
                throw new ArgumentException($"Sensors:Devices:{name} is no device name: 1 to 128 of A-Z a-z 0-9 _ . : @ -");
            }
            sensor.Check($"Sensors:Devices:{name}");
        }
        return this;
    }
}

/// <summary>One device on a bus.</summary>
public sealed class SensorOptions
{
    internal static readonly TimeSpan EveryMin = TimeSpan.FromMilliseconds(100);
    internal static readonly TimeSpan EveryMax = TimeSpan.FromDays(1);

    /// <summary>What it is: one of <see cref="SensorKinds"/>.</summary>
    public string Kind { get; set; } = "";

    /// <summary>Number of its I²C or SPI bus, as in /dev/i2c-1 and /dev/spidev0.x. Default 1 for I²C, 0 for SPI.</summary>
    public int? Bus { get; set; }

    /// <summary>Address on the I²C bus, such as 0x44; default: the one its kind usually has. For SPI the chip select, default 0.</summary>
    public string? Address { get; set; }

    /// <summary>Which inputs of a converter are read; default all.</summary>
    public List<int> Channels { get; set; } = [];

    /// <summary>GPIO line of a switch.</summary>
    public int? Pin { get; set; }

    /// <summary>A switch that connects its line to ground is on when the line is low. Default true, with the pull-up on.</summary>
    public bool ActiveLow { get; set; } = true;

    /// <summary>Volts at a converter's full scale; default that of its kind. Ohms of the shunt of a current sensor are <see cref="ShuntOhms"/>.</summary>
    public double? ReferenceVolts { get; set; }

    /// <summary>Default 0.1.</summary>
    public double ShuntOhms { get; set; } = 0.1;

    /// <summary>How often it is read, 0.1 s to 1 d. Default 10 s.</summary>
    public TimeSpan Every { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>The address as a number; null where there is none.</summary>
    internal int? AddressNumber => Address is not { Length: > 0 } text ? null
        : int.TryParse(text.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? text[2..] : text,
            text.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? NumberStyles.AllowHexSpecifier : NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number : -1;

    internal void Check(string key)
    {
        if (!SensorKinds.All.TryGetValue(Kind, out var kind))
        {
            throw new ArgumentException($"{key}:Kind '{Kind}' is not known; use one of {string.Join(", ", SensorKinds.All.Keys.Order(StringComparer.Ordinal))}");
        }
        if (kind.Open is null)
        {
            throw new ArgumentException($"{key}:Kind {Kind} needs the drivers of Iot.Device.Bindings, which this build does not have; build the agent with -p:DeviceBindings=true");
        }
        if (Every < EveryMin || Every > EveryMax)
        {
            throw new ArgumentException($"{key}:Every is {Every}; use 00:00:00.1 to 1.00:00:00");
        }
        if (AddressNumber is { } address && (address < 0 || (kind.Bus == SensorBus.I2c && address is < 0x08 or > 0x77)))
        {
            throw new ArgumentException($"{key}:Address '{Address}' is no address of an I²C device (0x08 to 0x77), nor a chip select");
        }
        if (kind.Bus == SensorBus.Gpio && Pin is not >= 0)
        {
            throw new ArgumentException($"{key}:Pin is missing: the GPIO line of the switch");
        }
        if (Channels.FirstOrDefault(c => c < 0 || c >= kind.Channels, -1) is >= 0 and var channel)
        {
            throw new ArgumentException($"{key}:Channels has {channel}; a {Kind} has {(kind.Channels == 0 ? "none" : $"0 to {kind.Channels - 1}")}");
        }
        if (ReferenceVolts is <= 0 or > 100 || ShuntOhms is <= 0 or > 1000)
        {
            throw new ArgumentException($"{key}: ReferenceVolts is to be above 0 V and at most 100 V, ShuntOhms above 0 Ω and at most 1000 Ω");
        }
    }
}
