using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Foretier.Tests.Integration.MainJob;

/// <summary>Stands between a client and an HTTP server, and misbehaves as told. New behaviour holds for connections made from then on; old ones are cut.</summary>
public sealed class FaultyRelay : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Uri _server;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;
    private CancellationTokenSource _cut = new();
    private Fault _fault;

    public FaultyRelay(Uri server)
    {
        _server = server;
        _listener.Start();
        _loop = AcceptAsync();
    }

    public enum Fault
    {
        None,

        /// <summary>16 KB each 50 ms, either way.</summary>
        Slow,

        /// <summary>503 SlowDown to everything.</summary>
        Overloaded,

        /// <summary>Requests are cut off after 20 KB.</summary>
        Cut,

        /// <summary>Takes connections and never answers.</summary>
        Silent,
    }

    public Uri Address => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");

    public void Become(Fault fault)
    {
        _fault = fault;
        var old = Interlocked.Exchange(ref _cut, new());
        old.Cancel();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _cut.CancelAsync();
        _listener.Stop();
        await Task.WhenAny(_loop);
        _listener.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            var client = await _listener.AcceptTcpClientAsync(_stop.Token);
            _ = RelayAsync(client, _fault, _cut.Token);
        }
    }

    private async Task RelayAsync(TcpClient client, Fault fault, CancellationToken cut)
    {
        using var _ = client;
        try
        {
            var near = client.GetStream();
            switch (fault)
            {
                case Fault.Silent:
                    await Task.Delay(Timeout.InfiniteTimeSpan, cut);
                    return;
                case Fault.Overloaded:
                    const string body = "<Error><Code>SlowDown</Code></Error>";
                    await near.ReadAtLeastAsync(new byte[64 << 10], 1, throwOnEndOfStream: false, cut);
                    await near.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 503 Slow Down\r\nConnection: close\r\nContent-Length: {body.Length}\r\n\r\n{body}"), cut);
                    return;
            }
            using var server = new TcpClient();
            await server.ConnectAsync(IPAddress.Loopback, _server.Port, cut);
            var far = server.GetStream();
            await Task.WhenAny(CopyAsync(near, far, fault, fault == Fault.Cut ? 20_000 : long.MaxValue, cut), CopyAsync(far, near, fault, long.MaxValue, cut));
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
        {
            // Either side has gone: so does the other.
        }
    }

    private static async Task CopyAsync(NetworkStream from, NetworkStream to, Fault fault, long bytesMax, CancellationToken cut)
    {
        var buffer = new byte[16 << 10];
        for (var sent = 0L; sent < bytesMax;)
        {
            var read = await from.ReadAsync(buffer, cut);
            if (read == 0)
            {
                return;
            }
            if (fault == Fault.Slow)
            {
                await Task.Delay(50, cut);
            }
            await to.WriteAsync(buffer.AsMemory(0, read), cut);
            sent += read;
        }
    }
}
