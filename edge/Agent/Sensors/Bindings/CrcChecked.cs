using System.Device.I2c;

namespace Foretier.Agent.Sensors;

/// <summary>
/// A Sensirion device, whose every two bytes are followed by their CRC-8 (polynomial 0x31, from 0xFF). The driver checks it too, but goes on
/// with its last value where it is wrong, which would be an old sample under a new time.
/// </summary>
internal sealed class CrcChecked(I2cDevice device) : I2cDevice
{
    public override I2cConnectionSettings ConnectionSettings => device.ConnectionSettings;

    public override void Read(Span<byte> buffer)
    {
        device.Read(buffer);
        for (var at = 0; at + 3 <= buffer.Length; at += 3)
        {
            if (CrcOf(buffer.Slice(at, 2)) != buffer[at + 2])
            {
                throw new IOException("what it sent is damaged (its CRC is wrong)");
            }
        }
    }

    public override void Write(ReadOnlySpan<byte> buffer) => device.Write(buffer);

    public override void WriteRead(ReadOnlySpan<byte> writeBuffer, Span<byte> readBuffer)
    {
        Write(writeBuffer);
        Read(readBuffer);
    }

    internal static byte CrcOf(ReadOnlySpan<byte> bytes)
    {
        byte crc = 0xFF;
        foreach (var value in bytes)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++)
            {
                crc = (byte)((crc & 0x80) != 0 ? crc << 1 ^ 0x31 : crc << 1);
            }
        }
        return crc;
    }

    protected override void Dispose(bool disposing)
    {
        device.Dispose();
        base.Dispose(disposing);
    }
}
