using System.Device.I2c;

namespace Foretier.Tests.Unit.Sensors;

/// <summary>An I²C bus on which some addresses answer, with what a test says. Bytes that a driver writes choose what is read next.</summary>
internal sealed class FakeI2c
{
    private readonly Dictionary<int, Func<byte[], byte[]>> _devices = [];

    public int Open { get; private set; }

    public bool IsBroken { get; set; }

    /// <param name="reply">What is to be read after these bytes were written.</param>
    public void Put(int address, Func<byte[], byte[]> reply) => _devices[address] = reply;

    public void Remove(int address) => _devices.Remove(address);

    public I2cDevice Device(int bus, int address)
    {
        Open++;
        return new Line(this, bus, address);
    }

    private sealed class Line(FakeI2c fake, int bus, int address) : I2cDevice
    {
        private byte[]? _reply;

        public override I2cConnectionSettings ConnectionSettings { get; } = new(bus, address);

        public override void Read(Span<byte> buffer)
        {
            var answer = Answer();
            var reply = _reply ?? answer([]);
            buffer.Clear();
            reply.AsSpan(0, Math.Min(reply.Length, buffer.Length)).CopyTo(buffer);
        }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            _reply = Answer()(buffer.ToArray());
        }

        public override void WriteRead(ReadOnlySpan<byte> writeBuffer, Span<byte> readBuffer)
        {
            Write(writeBuffer);
            Read(readBuffer);
        }

        protected override void Dispose(bool disposing)
        {
            fake.Open--;
            base.Dispose(disposing);
        }

        private Func<byte[], byte[]> Answer() => !fake.IsBroken && fake._devices.TryGetValue(address, out var reply) ? reply
            : throw new IOException("Error 121 performing I2C data transfer.");
    }
}
