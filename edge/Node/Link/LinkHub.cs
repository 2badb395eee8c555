using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Net.WebSockets;
using Foretier.Core.Samples;
using Foretier.Node.Hosting;
using Foretier.Node.Keys;
using Foretier.Node.Serve;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Foretier.Node.Link;

/// <summary>
/// The upper end of the links: the nodes below that have dialled in, each with an HttpClient whose requests go down its link as HTTP/2
/// (multiplexed, flow-controlled, with cancellation and pings, by the framework).
/// </summary>
public sealed class LinkHub(ILogger<LinkHub> log, LinkOptions? options = null)
{
    public const string Path = "/link";
    public const string NodeHeader = "Foretier-Node";

    private readonly ConcurrentDictionary<string, LinkedNode> _nodes = new();
    private readonly LinkOptions _options = options ?? new();

    /// <summary>Called for each node that dials in, with a token that ends with its link.</summary>
    public event Action<LinkedNode>? Opened;

    public IReadOnlyCollection<LinkedNode> Nodes => [.. _nodes.Values];

    public LinkedNode? Find(string node) => _nodes.GetValueOrDefault(node);

    /// <summary>Accepts links at /link; they show the link token and their name.</summary>
    public void Map(WebApplication app)
    {
        var token = app.Services.GetRequiredService<LinkToken>();
        var lifetime = app.Services.GetRequiredService<IHostApplicationLifetime>();
        app.UseWebSockets();
        app.MapGet(Path, async (HttpContext http) =>
        {
            if (!token.Matches(http.Request.Headers.Authorization))
            {
                return Problem.Of(StatusCodes.Status401Unauthorized, "unauthorized", "a link needs the link token (FORETIER__LINK__TOKEN) of this site");
            }
            var name = http.Request.Headers[NodeHeader].ToString();
            if (!http.WebSockets.IsWebSocketRequest || !SeriesKey.IsValidPart(name))
            {
                return Problem.Of(StatusCodes.Status400BadRequest, "bad_link", $"a link is a WebSocket with a {NodeHeader} header");
            }
            using var socket = await http.WebSockets.AcceptWebSocketAsync().ConfigureAwait(false);
            await ServeAsync(name, socket, lifetime.ApplicationStopping).ConfigureAwait(false);
            return Results.Empty;
        });
    }

    private async Task ServeAsync(string name, WebSocket socket, CancellationToken stopping)
    {
        await using var node = new LinkedNode(name, WebSocketStream.Create(socket, WebSocketMessageType.Binary, TimeSpan.FromMilliseconds(200)), _options);
        if (_nodes.TryGetValue(name, out var former))
        {
            // The newer link wins: the older one is most likely half-open.
            former.End();
        }
        _nodes[name] = node;
        log.LogInformation("Link from {Node} is up", name);
        using var stop = stopping.Register(node.End);
        Opened?.Invoke(node);
        await node.WhenEnded.ConfigureAwait(false);
        _nodes.TryRemove(new(name, node));
        log.LogInformation("Link from {Node} ended", name);
    }
}

/// <summary>A node below, reached through the link it opened.</summary>
public sealed class LinkedNode : IAsyncDisposable
{
    private readonly WatchedStream _stream;
    private readonly HttpMessageHandler _handler;
    private readonly CancellationTokenSource _ended = new();
    private readonly TaskCompletionSource _whenEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _taken;

    internal LinkedNode(string name, Stream stream, LinkOptions options)
    {
        Name = name;
        _stream = new WatchedStream(stream, Pulse = new(Clock), End);
        Http = new HttpClient(_handler = new AnsweredHandler(name, Pulse, new SocketsHttpHandler
        {
            ConnectCallback = (_, _) => Interlocked.Exchange(ref _taken, 1) == 0
                ? ValueTask.FromResult<Stream>(_stream)
                : throw new IOException($"the link of {name} has ended"),
            EnableMultipleHttp2Connections = false,
            PooledConnectionLifetime = Timeout.InfiniteTimeSpan,
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
            // Finds half-open links: a node that does not answer a ping is gone.
            KeepAlivePingDelay = options.PingEvery,
            KeepAlivePingTimeout = options.PingTimeout,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.Always,
            AutomaticDecompression = DecompressionMethods.None,
            // Most answers come without waiting for leave to go on; and nobody who does not read gets more than this sent.
            InitialHttp2StreamWindowSize = 1 << 20,
            UseProxy = false,
            AllowAutoRedirect = false,
        }), disposeHandler: false)
        {
            BaseAddress = new Uri($"http://{Uri.EscapeDataString(name).ToLowerInvariant().Replace("%", "-", StringComparison.Ordinal)}.link/"),
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Timeout = Timeout.InfiniteTimeSpan,
        };
        Http.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("foretier", "1"));
    }

    public string Name { get; }
    public HttpClient Http { get; }

    /// <summary>Waiting for a link is done in real time, however fast the data's may run.</summary>
    internal TimeProvider Clock { get; } = TimeProvider.System;

    /// <summary>Whether the other end says anything.</summary>
    internal LinkPulse Pulse { get; }

    /// <summary>A request for <see cref="Http"/>'s SendAsync, which does not take over the client's version by itself.</summary>
    public HttpRequestMessage Request(HttpMethod method, string path, HttpContent? content = null) =>
        new(method, path) { Version = Http.DefaultRequestVersion, VersionPolicy = Http.DefaultVersionPolicy, Content = content };

    /// <summary>Cancelled when the link ends.</summary>
    public CancellationToken Ended => _ended.Token;
    public Task WhenEnded => _whenEnded.Task;

    internal void End()
    {
        if (_whenEnded.TrySetResult())
        {
            _ended.Cancel();
            Http.CancelPendingRequests();
        }
    }

    public async ValueTask DisposeAsync()
    {
        End();
        await _stream.DisposeAsync().ConfigureAwait(false);
        _handler.Dispose();
    }

    /// <summary>
    /// Tells what has been delivered. Who found the link just before it ended, and asks just after, is told as if it had ended meanwhile: the client outlives what it works with.
    /// </summary>
    private sealed class AnsweredHandler(string name, LinkPulse pulse, HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            try
            {
                var before = pulse.SentBytes;
                var response = await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
                // Who says yes has read all of it; who refuses may have looked at its beginning alone.
                pulse.Delivered(before + (response.IsSuccessStatusCode ? request.Content?.Headers.ContentLength ?? 0 : 0));
                return response;
            }
            catch (ObjectDisposedException ended)
            {
                throw new HttpRequestException($"the link of {name} has ended", ended);
            }
        }
    }

    /// <summary>Tells when the other side says something, and when it is gone: the only one who reads the link is the HTTP/2 client, and it keeps the news to itself.</summary>
    private sealed class WatchedStream(Stream inner, LinkPulse pulse, Action ended) : Stream
    {
        public override bool CanRead => true;
        public override bool CanWrite => true;
        public override bool CanSeek => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            try
            {
                var read = await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
                if (read > 0)
                {
                    pulse.Heard();
                }
                else if (buffer.Length > 0)
                {
                    ended();
                }
                return read;
            }
            catch
            {
                ended();
                throw;
            }
        }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            try
            {
                pulse.Sent(buffer.Length);
                await inner.WriteAsync(buffer, cancellationToken).ConfigureAwait(false);
            }
            catch
            {
                ended();
                throw;
            }
        }

        public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);
        public override void Flush() => inner.Flush();
        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                ended();
                inner.Dispose();
            }
            base.Dispose(disposing);
        }
    }
}
