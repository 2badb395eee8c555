using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Hosting;

namespace Foretier.Node.Hosting;

/// <summary>
/// Tells systemd (or podman, which passes it on) through the socket that it named in NOTIFY_SOCKET when the node serves and when it stops.
/// An update waits for the first, and goes back where it does not come.
/// </summary>
internal static class ServiceManager
{
    public const string Variable = "NOTIFY_SOCKET";

    public static void Follow(IHostApplicationLifetime lifetime)
    {
        if (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } path)
        {
            lifetime.ApplicationStarted.Register(() => Say(path, "READY=1"));
            lifetime.ApplicationStopping.Register(() => Say(path, "STOPPING=1"));
        }
    }

    internal static void Say(string path, string state)
    {
        // An @ stands for the zero byte of Linux's abstract names.
        var end = new UnixDomainSocketEndPoint(path[0] == '@' ? "\0" + path[1..] : path);
        using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        socket.SendTo(Encoding.UTF8.GetBytes(state), end);
    }
}
