using System.Net;
using System.Net.Sockets;
using Foretier.Node.Hosting;

namespace Foretier.Tests.Unit.Link;

/// <summary>One link carries everything: no stream on it may stand in the way of the others, and its end must be noticed on both sides.</summary>
public class LinkFlowTests
{
    [Fact]
    public async Task Answers_that_nobody_reads_and_large_transfers_leave_room_for_questions()
    {
        await using var bed = new LinkBed();
        var router = await bed.StartAsync("router", null);
        var gateway = await bed.StartAsync("gateway", router.Url);
        var edge = await bed.StartAsync("edge", gateway.Url);
        edge.Hold(LinkBed.Day, [(LinkBed.Day.Start + 1, 1.5)]);
        await router.AnswerAsync("acme/d/m", points: 1);
        var link = router.Hub.Find("gateway")!;

        // Eight whose reader has gone to sleep, over both links, and one that is read as fast as it comes.
        var asleep = new List<HttpResponseMessage>();
        for (var i = 0; i < 8; i++)
        {
            asleep.Add(await link.Http.GetAsync("internal/v1/nodes/edge/internal/v1/stream", HttpCompletionOption.ResponseHeadersRead));
        }
        using var busy = await link.Http.GetAsync("internal/v1/stream", HttpCompletionOption.ResponseHeadersRead);
        using var enough = new CancellationTokenSource();
        var reading = Task.Run(async () =>
        {
            var buffer = new byte[64 << 10];
            await using var body = await busy.Content.ReadAsStreamAsync();
            while (!enough.IsCancellationRequested && await body.ReadAsync(buffer) > 0)
            {
            }
        });
        for (var i = 0; i < 20; i++)
        {
            Assert.False((await router.AnswerAsync("acme/d/m", points: 1)).IsPartial);
        }
        // Whoever sends to a sleeper waits: what is under way is bounded.
        var sent = edge.Streamed;
        await router.AnswerAsync("acme/d/m", points: 1);
        Assert.InRange(edge.Streamed, 1, sent + (1 << 20));
        Assert.InRange(edge.Streamed, 1, 8 * (4 << 20));
        await enough.CancelAsync();
        busy.Dispose();
        await Record.ExceptionAsync(() => reading);
        asleep.ForEach(response => response.Dispose());
    }

    [Fact]
    public async Task A_half_open_link_is_ended_above_and_dialled_anew_below()
    {
        await using var bed = new LinkBed(new LinkOptions { PingEvery = TimeSpan.FromSeconds(1), PingTimeout = TimeSpan.FromSeconds(4) });
        var router = await bed.StartAsync("router", null);
        using var relay = new Relay(new Uri(router.Url).Port);
        var edge = await bed.StartAsync("edge", $"http://127.0.0.1:{relay.Port}");
        edge.Hold(LinkBed.Day, [(LinkBed.Day.Start + 1, 1.5)]);
        await router.AnswerAsync("acme/d/m", points: 1);
        var first = router.Hub.Find("edge");

        relay.Freeze();

        Assert.True(SpinWait.SpinUntil(() => first!.Ended.IsCancellationRequested, 60_000), "the router still believes in it");
        Assert.True(SpinWait.SpinUntil(() => relay.Connections > 1, 60_000), "the edge still believes in it");
        Assert.False((await router.AnswerAsync("acme/d/m", points: 1)).IsPartial);
    }

    /// <summary>Passes bytes on; from a moment on those of the connections there are then go nowhere, and nobody is told.</summary>
    private sealed class Relay : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly int _target;
        private CancellationTokenSource _frozen = new();

        public Relay(int target)
        {
            _target = target;
            _listener.Start();
            _ = AcceptAsync();
        }

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
                    _ = PassAsync(lower.GetStream(), upper.GetStream(), _frozen.Token);
                    _ = PassAsync(upper.GetStream(), lower.GetStream(), _frozen.Token);
                }
            }
            catch (Exception closed) when (closed is SocketException or ObjectDisposedException)
            {
                // The test is over.
            }
        }

        private static async Task PassAsync(NetworkStream from, NetworkStream to, CancellationToken frozen)
        {
            try
            {
                await from.CopyToAsync(to, frozen);
                to.Socket.Shutdown(SocketShutdown.Send);
            }
            catch (Exception ended) when (ended is IOException or OperationCanceledException or SocketException or ObjectDisposedException)
            {
                // Frozen, both sockets stay open; else one side has gone.
            }
        }
    }
}
