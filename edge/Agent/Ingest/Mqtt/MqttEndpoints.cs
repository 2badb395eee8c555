using System.Net;
using System.Security.Authentication;
using Foretier.Node.Serve;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Foretier.Agent.Ingest.Mqtt;

/// <summary>Where Kestrel listens for MQTT: a plain port, one with TLS, one for WebSockets, and /mqtt of the agent's HTTP address.</summary>
public static class MqttEndpoints
{
    /// <summary>Where WebSockets connect to.</summary>
    public const string WebSocketPath = "/mqtt";

    private const string SubProtocol = "mqtt";

    /// <summary>
    /// Adds the ports of the options; <see cref="MqttIngest.OnConnectedAsync"/> serves them. A taken port is the <see cref="IOException"/> of
    /// Kestrel's start.
    /// </summary>
    /// <param name="ingest">Asked at each connection: it may be made after this.</param>
    /// <exception cref="MqttCertificateException">The certificate cannot be read or made.</exception>
    public static void Listen(this KestrelServerOptions kestrel, MqttOptions options, Func<MqttIngest> ingest)
    {
        Task Serve(ConnectionContext connection) => ingest().OnConnectedAsync(connection);
        ConnectionDelegate Guard(ConnectionDelegate next) => connection => ingest().Admits(connection) ? next(connection) : Task.CompletedTask;
        if (options.Port >= 0)
        {
            kestrel.Listen(IPAddress.Parse(options.Address), options.Port, listen =>
            {
                listen.Use(Guard);
                listen.Run(Serve);
            });
        }
        var certificate = options.Tls is null ? null : ServerCertificate.Open(options.Tls);
        if (options.Tls is { } tls)
        {
            kestrel.Listen(IPAddress.Parse(tls.Address), tls.Port, listen =>
            {
                // Before TLS: a handshake is what costs.
                listen.Use(Guard);
                listen.UseHttps(https => Secure(https, options, certificate!));
                listen.Run(Serve);
            });
        }
        if (options.WebSocketPort >= 0)
        {
            kestrel.Listen(IPAddress.Parse(options.Tls?.Address ?? options.Address), options.WebSocketPort, listen =>
            {
                listen.Protocols = HttpProtocols.Http1;
                listen.Use(Guard);
                if (certificate is not null)
                {
                    listen.UseHttps(https => Secure(https, options, certificate));
                }
                listen.Use(next => connection =>
                {
                    connection.Features.Set(MqttOnly.Instance);
                    return next(connection);
                });
            });
        }
    }

    /// <summary>
    /// What a socket may hold for a connection that is not read from, or does not read: with the 1 MB that Kestrel allows by default, a
    /// thousand stuck connections would hold 1 GB. Each keeps 4 KB to read into while it is idle: to ask the system first whether there is something to read
    /// would cost one call more for each message.
    /// </summary>
    public static void BoundSockets(SocketTransportOptions sockets)
    {
        sockets.MaxReadBufferSize = 128 * 1024;
        sockets.MaxWriteBufferSize = 64 * 1024;
        sockets.WaitForDataBeforeAllocatingBuffer = false;
    }

    /// <summary>MQTT over WebSockets (sub-protocol mqtt) at <see cref="WebSocketPath"/>. Call before other endpoints are mapped.</summary>
    public static void MapMqtt(this WebApplication app, MqttOptions options, MqttIngest ingest)
    {
        app.UseWhen(http => http.Request.Path.StartsWithSegments(WebSocketPath), mqtt => mqtt.UseWebSockets(new() { KeepAliveInterval = TimeSpan.Zero }));
        app.Use((http, next) => http.Features.Get<MqttOnly>() is not null && http.Request.Path != WebSocketPath
            ? Problem.Of(StatusCodes.Status404NotFound, "not_found", $"this port is for MQTT over WebSockets, at {WebSocketPath}").ExecuteAsync(http)
            : next(http));
        app.Map(WebSocketPath, async (HttpContext http) =>
        {
            if (!http.WebSockets.IsWebSocketRequest || !http.WebSockets.WebSocketRequestedProtocols.Contains(SubProtocol))
            {
                return Problem.Of(StatusCodes.Status400BadRequest, "bad_request", "this is for MQTT over WebSockets: ask for the sub-protocol 'mqtt'");
            }
            if (!IsProtected(http, options))
            {
                return Problem.Of(StatusCodes.Status403Forbidden, "forbidden", "without TLS secrets would travel readable: use wss "
                    + "(Mqtt:Tls and Mqtt:WebSocketPort of the agent), or set Mqtt:PlainBeyondLoopback if the network is trusted");
            }
            // The port of its own has asked already, before TLS.
            if (http.Features.Get<MqttOnly>() is null && http.Connection.RemoteIpAddress is { } from && !ingest.Admits(from))
            {
                return Problem.Of(StatusCodes.Status429TooManyRequests, "too_many_connections",
                    "this address opened too many connections in a short time (Mqtt:ConnectsBurst, Mqtt:ConnectsRefill): keep one open, and try again later");
            }
            using var socket = await http.WebSockets.AcceptWebSocketAsync(SubProtocol);
            await using var connection = new WebSocketConnection(socket, http);
            await connection.ServeAsync(ingest.OnConnectedAsync);
            return Results.Empty;
        });
    }

    /// <summary>The rule of the plain port, for WebSockets: whoever listens on whichever address, secrets do not cross a network in clear.</summary>
    internal static bool IsProtected(HttpContext http, MqttOptions options) =>
        http.Request.IsHttps || options.PlainBeyondLoopback || (http.Connection.RemoteIpAddress is { } from && IPAddress.IsLoopback(from));

    private static void Secure(HttpsConnectionAdapterOptions https, MqttOptions options, ServerCertificate certificate)
    {
        https.ServerCertificate = certificate.Certificate;
        https.ServerCertificateChain = certificate.Chain;
        https.SslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13;
        https.HandshakeTimeout = options.ConnectTimeout;
        https.ClientCertificateMode = options.Tls!.ClientCertificates switch
        {
            ClientCertificates.Required => ClientCertificateMode.RequireCertificate,
            ClientCertificates.Optional => ClientCertificateMode.AllowCertificate,
            _ => ClientCertificateMode.NoCertificate,
        };
        // The handshake proves that the client has the key. Whom the certificate stands for is looked up at the log-in, which can say why not.
        https.ClientCertificateValidation = (_, _, _) => true;
    }

    /// <summary>Marks connections to a port that serves nothing but MQTT.</summary>
    private sealed class MqttOnly
    {
        public static MqttOnly Instance { get; } = new();
    }
}
