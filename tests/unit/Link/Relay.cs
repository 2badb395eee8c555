using System.Net;
using System.Net.Sockets;

namespace Foretier.Tests.Unit.Link;

/// <summary>Passes bytes on; from a moment on those of the connections there are then go nowhere, and nobody is told.</summary>
internal sealed class Relay : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly int _target;

    // Else the collector closes those that nobody waits for any more, and both ends are told.
    private readonly List<TcpClient> _open = [];
    private CancellationTokenSource _frozen = new();

    public Relay(int target)
    {
        _target = target;
        _listener.Start();
        _ = AcceptAsync();
    }

    /// <summary>What a connection passes on, each way; 0: all that comes.</summary>
    public int BytesPerSecond { get; set; }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;
    public int Connections { get; private set; }

    public void Freeze()
    {
        var now = _frozen;
        _frozen = new();
        now.Cancel();
    }

    public void Dispose()
    {
        _listener.Dispose();
        _frozen.Cancel();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var (lower, upper) = (await _listener.AcceptTcpClientAsync(), new TcpClient());
                await upper.ConnectAsync(IPAddress.Loopback, _target);
                Connections++;
                _open.AddRange([lower, upper]);
                upper.ReceiveBufferSize = lower.ReceiveBufferSize = 32 << 10;
                _ = PassAsync(lower.GetStream(), upper.GetStream(), _frozen.Token);
                _ = PassAsync(upper.GetStream(), lower.GetStream(), _frozen.Token);
            }
        }
        catch (Exception closed) when (closed is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task PassAsync(NetworkStream from, NetworkStream to, CancellationToken frozen)
    {
        try
        {
            var buffer = new byte[16 << 10];
            for (int read; (read = await from.ReadAsync(buffer, frozen)) > 0;)
            {
                await to.WriteAsync(buffer.AsMemory(0, read), frozen);
                if (BytesPerSecond > 0)
                {
                    await Task.Delay(TimeSpan.FromSeconds(read / (double)BytesPerSecond), frozen);
                }
            }
            to.Socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception ended) when (ended is IOException or OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // Frozen, both sockets stay open; else one side has gone.
        }
    }
}
