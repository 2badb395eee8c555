using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.WebSockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Foretier.Agent.Ingest.Mqtt;

/// <summary>
/// A WebSocket as a connection like those of the MQTT ports. MQTT packets may span frames and share them [MQTT-6.0.0-2], so the frames of
/// both ways are just bytes.
/// </summary>
internal sealed class WebSocketConnection : DefaultConnectionContext
{
    private static readonly PipeOptions Pipes = new(pauseWriterThreshold: 64 * 1024, resumeWriterThreshold: 32 * 1024, useSynchronizationContext: false);
    private static readonly TimeSpan CloseLimit = TimeSpan.FromSeconds(2);

    private readonly WebSocket _socket;
    private readonly HttpContext _http;
    private readonly Pipe _in = new(Pipes);
    private readonly Pipe _out = new(Pipes);
    private readonly CancellationTokenSource _end = new();

    public WebSocketConnection(WebSocket socket, HttpContext http)
        : base(http.Connection.Id)
    {
        (_socket, _http) = (socket, http);
        Transport = new Duplex(_in.Reader, _out.Writer);
        Application = new Duplex(_out.Reader, _in.Writer);
        RemoteEndPoint = new IPEndPoint(http.Connection.RemoteIpAddress ?? IPAddress.None, http.Connection.RemotePort);
        LocalEndPoint = new IPEndPoint(http.Connection.LocalIpAddress ?? IPAddress.None, http.Connection.LocalPort);
        ConnectionClosed = http.RequestAborted;
        if (http.Features.Get<ITlsConnectionFeature>() is { } tls && http.Request.IsHttps)
        {
            Features.Set(tls);
        }
        if (http.Features.Get<IConnectionLifetimeNotificationFeature>() is { } lifetime)
        {
            Features.Set(lifetime);
        }
    }

    /// <summary>Runs <paramref name="serve"/> on this connection, and closes the WebSocket when it is done.</summary>
    public async Task ServeAsync(Func<ConnectionContext, Task> serve)
    {
        var receiving = ReceiveAsync();
        var sending = SendAsync();
        try
        {
            await serve(this);
        }
        finally
        {
            // What was written last is still sent; a client that does not take it is left.
            await Task.WhenAny(sending, Task.Delay(CloseLimit));
            await _end.CancelAsync();
            _http.Abort();
            await Task.WhenAll(receiving, sending);
            _end.Dispose();
        }
    }

    public override void Abort(ConnectionAbortedException abortReason)
    {
        _in.Writer.CancelPendingFlush();
        _out.Reader.CancelPendingRead();
        _http.Abort();
    }

    private async Task ReceiveAsync()
    {
        var writer = _in.Writer;
        try
        {
            while (true)
            {
                var received = await _socket.ReceiveAsync(writer.GetMemory(4096), _end.Token);
                if (received.MessageType != WebSocketMessageType.Binary)
                {
                    // Closed, or text, which MQTT does not allow [MQTT-6.0.0-1].
                    break;
                }
                writer.Advance(received.Count);
                var flushed = await writer.FlushAsync(_end.Token);
                if (flushed.IsCompleted || flushed.IsCanceled)
                {
                    break;
                }
            }
        }
        catch (Exception gone) when (IsGone(gone))
        {
        }
        await writer.CompleteAsync();
    }

    private async Task SendAsync()
    {
        var reader = _out.Reader;
        try
        {
            while (true)
            {
                var read = await reader.ReadAsync(_end.Token);
                foreach (var part in read.Buffer)
                {
                    await _socket.SendAsync(part, WebSocketMessageType.Binary, endOfMessage: true, _end.Token);
                }
                reader.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted || read.IsCanceled)
                {
                    break;
                }
            }
            await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, _end.Token);
        }
        catch (Exception gone) when (IsGone(gone))
        {
        }
        await reader.CompleteAsync();
    }

    private static bool IsGone(Exception e) =>
        e is WebSocketException or IOException or OperationCanceledException or ConnectionAbortedException or ObjectDisposedException;

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
