using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Text;

namespace Foretier.Tests.Benchmarks.Links;

/// <summary>A network interface whose packets this process takes and gives, one a read and one a write. It stays ours when it is moved to another namespace.</summary>
internal sealed class TunDevice : IDisposable
{
    private const nuint SetInterface = 0x400454ca;
    private const short TunWithoutHeader = 0x1001;
    private readonly FileStream _device;

    public TunDevice(string name)
    {
        _device = new("/dev/net/tun", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);
        // struct ifreq: the name in 16 bytes, then flags.
        var request = new byte[40];
        Encoding.ASCII.GetBytes(name, request);
        BitConverter.TryWriteBytes(request.AsSpan(16), TunWithoutHeader);
        if (Control(_device.SafeFileHandle.DangerousGetHandle().ToInt32(), SetInterface, request) < 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError(), $"the interface {name} cannot be made (as root, in a namespace of its own?)");
        }
    }

    /// <summary>Waits for the next packet.</summary>
    /// <exception cref="IOException">The interface is down.</exception>
    public int Read(Span<byte> packet) => _device.Read(packet);

    /// <exception cref="IOException">The interface is down.</exception>
    public void Write(ReadOnlySpan<byte> packet) => _device.Write(packet);

    public void Dispose() => _device.Dispose();

    [DllImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Control(int file, nuint request, byte[] argument);
}
