using System.Device.Gpio;
using System.Device.I2c;
using System.Device.Spi;

namespace Foretier.Agent.Sensors;

/// <summary>The buses of the board. What they open belongs to the sensor that asked for it.</summary>
/// <param name="I2c">A device by bus and address.</param>
/// <param name="Spi">A device by bus and chip select.</param>
/// <param name="Gpio">The lines.</param>
internal sealed record Board(Func<int, int, I2cDevice> I2c, Func<int, int, SpiDevice> Spi, Func<GpioController> Gpio)
{
    /// <summary>1 MHz and mode 0 is what the converters known here all take.</summary>
    private const int SpiHertz = 1_000_000;

    public static readonly Board Real = new(
        (bus, address) => I2cDevice.Create(new(bus, address)),
        (bus, line) => SpiDevice.Create(new(bus, line) { ClockFrequency = SpiHertz, Mode = SpiMode.Mode0 }),
        () => new GpioController());
}
