using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
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

        /// <summary>
        /// What waits in the system to be sent delays pings and small answers behind it: no more than a few seconds of a slow uplink (1 Mbit/s), and
        /// still 6 Mbit/s over a satellite (600 ms).
        /// </summary>
        private const int SendBufferBytes = 256 << 10;

        private static readonly HttpMessageInvoker Dialling = new(new SocketsHttpHandler { ConnectCallback = ConnectAsync });

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
                socket.Options.SetRequestHeader("Authorization", $"Bearer {endpoint.Options.Token}");
                // The one above finds a half-open link by its own pings. Without these this end would wait for requests for ever.
                socket.Options.KeepAliveInterval = endpoint.Options.PingEvery;
                socket.Options.KeepAliveTimeout = endpoint.Options.PingTimeout;
                socket.Options.SetRequestHeader(LinkHub.NodeHeader, endpoint.Node);
                var uri = new UriBuilder(endpoint.Upstream) { Path = LinkHub.Path, Scheme = endpoint.Upstream.Scheme == "https" ? "wss" : "ws" };
                await socket.ConnectAsync(uri.Uri, Dialling, timeout.Token).ConfigureAwait(false);
                return WebSocketStream.Create(socket, WebSocketMessageType.Binary, TimeSpan.FromMilliseconds(200));
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }

        private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancel)
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, SendBufferSize = SendBufferBytes };
            try
            {
                await socket.ConnectAsync(context.DnsEndPoint, cancel).ConfigureAwait(false);
                return new NetworkStream(socket, ownsSocket: true);
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
        private const int BufferBytes = 64 << 10;

        private readonly Stream _stream;
        private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public LinkConnection(Stream stream, LinkEndPoint endpoint)
            : base($"link-{endpoint.Node}-{endpoint.Upstream.Authority}")
        {
            _stream = stream;
            // Each buffer becomes a message of the WebSocket, with its own calls into the system at both ends.
            Transport = new Duplex(PipeReader.Create(stream, new(bufferSize: BufferBytes, leaveOpen: true)), PipeWriter.Create(stream, new(minimumBufferSize: BufferBytes, leaveOpen: true)));
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
