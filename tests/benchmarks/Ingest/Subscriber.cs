using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Foretier.Tests.Benchmarks.Ingest;

/// <summary>One subscriber of everything, at QoS 0, which costs the broker least. Counts deliveries by their bytes: all are of one size.</summary>
internal sealed class Subscriber : IAsyncDisposable
{
    private readonly Socket _socket;
    private readonly Task _run;
    private long _bytes;

    private Subscriber(Socket socket)
    {
        _socket = socket;
        _run = Task.Run(RunAsync);
    }

    public long Bytes => Interlocked.Read(ref _bytes);

    public static async Task<Subscriber> ConnectAsync(Broker broker)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, broker.Port);
        await socket.SendAsync((byte[])[0x10, 13, 0, 4, .. Encoding.UTF8.GetBytes("MQTT"), 4, 0x02, 0, 240, 0, 1, (byte)'s']);
        var answer = new byte[4];
        await socket.ReceiveAsync(answer);
        await socket.SendAsync((byte[])[0x82, 6, 0, 1, 0, 1, (byte)'#', 0]);
        var granted = new byte[5];
        await socket.ReceiveAsync(granted);
        return new(socket);
    }

    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        await _run;
    }

    private async Task RunAsync()
    {
        var buffer = new byte[256 * 1024];
        try
        {
            while (await _socket.ReceiveAsync(buffer) is var read and > 0)
            {
                Interlocked.Add(ref _bytes, read);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The run is over.
        }
    }
}
