using System.IO.Pipelines;
using System.Net;
using System.Net.WebSockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace Foretier.Node.Link;

/// <summary>
/// The lower end of a link: Kestrel "listens" by dialling a WebSocket to the node above and serves HTTP/2 on it, so that a site needs no inbound port
/// and every endpoint is there over the link as it is over the network. One connection at a time; it is dialled again when it ends.
/// </summary>
internal sealed class LinkDialer(TimeProvider clock, ILogger<LinkDialer> log) : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    public bool CanBind(EndPoint endpoint) => endpoint is LinkEndPoint;

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult<IConnectionListener>(new Listener((LinkEndPoint)endpoint, clock, log));

    private sealed class Listener(LinkEndPoint endpoint, TimeProvider clock, ILogger log) : IConnectionListener
    {
        private static readonly TimeSpan DelayMin = TimeSpan.FromMilliseconds(100);
        private static readonly TimeSpan DelayMax = TimeSpan.FromSeconds(5);
        private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

        private readonly CancellationTokenSource _stop = new();
        private LinkConnection? _current;

        public EndPoint EndPoint => endpoint;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token, cancellationToken);
            try
            {
                if (_current is not null)
                {
                    await _current.Ended.WaitAsync(stop.Token).ConfigureAwait(false);
                    log.LogInformation("Link to {Upstream} ended; dialling again", endpoint.Upstream);
                }
                var delay = DelayMin;
                for (var failures = 0; ; failures++)
                {
                    try
                    {
                        var stream = await DialAsync(stop.Token).ConfigureAwait(false);
                        log.LogInformation("Link to {Upstream} is up", endpoint.Upstream);
                        return _current = new LinkConnection(stream, endpoint);
                    }
                    catch (Exception error) when (error is WebSocketException or HttpRequestException or IOException
                        || (error is OperationCanceledException && !stop.IsCancellationRequested))
                    {
                        if (failures == 0)
                        {
                            log.LogWarning("Link to {Upstream} cannot be opened, trying on: {Reason}", endpoint.Upstream, error.Message);
                        }
                        await Task.Delay(delay, clock, stop.Token).ConfigureAwait(false);
                        delay = delay * 2 < DelayMax ? delay * 2 : DelayMax;
                    }
                }
            }
            catch (OperationCanceledException)
            {
                return null;
            }
        }

        private async Task<Stream> DialAsync(CancellationToken cancel)
        {
            using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            timeout.CancelAfter(ConnectTimeout);
            var socket = new ClientWebSocket();
            try
            {
                socket.Options.SetRequestHeader("Authorization", $"Bearer {endpoint.Token}");
                socket.Options.SetRequestHeader(LinkHub.NodeHeader, endpoint.Node);
                var uri = new UriBuilder(endpoint.Upstream) { Path = LinkHub.Path, Scheme = endpoint.Upstream.Scheme == "https" ? "wss" : "ws" };
                await socket.ConnectAsync(uri.Uri, timeout.Token).ConfigureAwait(false);
                return WebSocketStream.Create(socket, WebSocketMessageType.Binary, TimeSpan.FromMilliseconds(200));
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }

        public async ValueTask UnbindAsync(CancellationToken cancellationToken = default) => await _stop.CancelAsync().ConfigureAwait(false);

        public ValueTask DisposeAsync()
        {
            _stop.Dispose();
            return ValueTask.CompletedTask;
        }
    }

    /// <summary>What Kestrel sees of a link: a duplex pipe over the WebSocket.</summary>
    private sealed class LinkConnection : DefaultConnectionContext
    {
        private readonly Stream _stream;
        private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public LinkConnection(Stream stream, LinkEndPoint endpoint)
            : base($"link-{endpoint.Node}-{endpoint.Upstream.Authority}")
        {
            _stream = stream;
            Transport = new Duplex(PipeReader.Create(stream, new(leaveOpen: true)), PipeWriter.Create(stream, new(leaveOpen: true)));
            LocalEndPoint = endpoint;
            RemoteEndPoint = endpoint;
            Features.Set(new LinkFeature(endpoint.Upstream));
            ConnectionClosed.Register(() => stream.Dispose());
        }

        public Task Ended => _ended.Task;

        public override void Abort(ConnectionAbortedException abortReason)
        {
            _stream.Dispose();
            base.Abort(abortReason);
        }

        public override async ValueTask DisposeAsync()
        {
            await _stream.DisposeAsync().ConfigureAwait(false);
            await base.DisposeAsync().ConfigureAwait(false);
            _ended.TrySetResult();
        }

        private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;
    }
}
