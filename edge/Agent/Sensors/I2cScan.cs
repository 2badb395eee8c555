using System.Device.I2c;

namespace Foretier.Agent.Sensors;

/// <summary>Which addresses of an I²C bus answer.</summary>
internal static class I2cScan
{
    // The addresses before and after are reserved (I²C specification, 3.1.12).
    public const int First = 0x08;
    public const int Last = 0x77;

    /// <summary>Reads one byte from each, as <c>i2cdetect -r</c> does: what is written could change a device.</summary>
    /// <param name="open">As <see cref="Board.I2c"/>.</param>
    /// <exception cref="IOException">The bus itself cannot be opened.</exception>
    public static IReadOnlyList<int> Find(Func<int, int, I2cDevice> open, int bus)
    {
        var found = new List<int>();
        for (var address = First; address <= Last; address++)
        {
            using var device = open(bus, address);
            try
            {
                device.ReadByte();
                found.Add(address);
            }
            catch (IOException)
            {
                // Nobody there.
            }
        }
        return found;
    }

    public static bool Exists(int bus) => File.Exists($"/dev/i2c-{bus}");
}
