using System.Net;
using System.Net.Sockets;

namespace Foretier.Cli.Up;

/// <summary>The ports of one start, all on 127.0.0.1. Those that nobody asked for are chosen once and kept while they are free.</summary>
/// <param name="Mqtt">Asked for; devices publish here.</param>
/// <param name="Router">Asked for; REST.</param>
/// <param name="MqttTls">Asked for, or none; the one that listens on every address.</param>
internal sealed record Ports(int Mqtt, int Router, int Agent, int Gateway, int? MqttTls = null)
{
    public string MqttAddress => $"127.0.0.1:{Mqtt}";

    public string HttpOf(string role) => $"http://127.0.0.1:{role switch { "agent" => Agent, "gateway" => Gateway, _ => Router }}";

    /// <exception cref="CommandException">A port that was asked for is taken, or two are the same.</exception>
    public static Ports Choose(DataFolder data, int mqtt, int http, int? mqttTls = null)
    {
        List<(int Port, string What, string Option)> asked = [(mqtt, "MQTT", "--mqtt-port"), (http, "REST", "--http-port")];
        if (mqttTls is { } tls)
        {
            asked.Add((tls, "MQTT over TLS", "--mqtt-tls-port"));
        }
        if (asked.GroupBy(a => a.Port).FirstOrDefault(g => g.Count() > 1) is { } same)
        {
            throw new CommandException(ExitCode.BadUsage, $"{string.Join(" and ", same.Select(a => a.Option))} are both {same.Key}", "Give them different numbers.");
        }
        foreach (var (port, what, option) in asked)
        {
            Claim(port, what, option);
        }
        var kept = DataFolder.Read<Ports>(data.PortsFile);
        HashSet<int> taken = [.. asked.Select(a => a.Port)];
        int Keep(int? port)
        {
            var chosen = port is { } p && !taken.Contains(p) && IsFree(p) ? p : Free(taken);
            taken.Add(chosen);
            return chosen;
        }
        var ports = new Ports(mqtt, http, Keep(kept?.Agent), Keep(kept?.Gateway), mqttTls);
        if (ports != kept)
        {
            DataFolder.Replace(data.PortsFile, ports);
        }
        return ports;
    }

    private static void Claim(int port, string what, string option)
    {
        if (Try(port) is { } reason)
        {
            throw new CommandException(ExitCode.NotHere, reason == SocketError.AccessDenied
                ? $"this user may not listen on port {port} ({what})" : $"port {port} ({what}) is taken by another program",
                $"Stop what listens there, or choose another port: foretier up {option} PORT");
        }
    }

    private static bool IsFree(int port) => Try(port) is null;

    private static SocketError? Try(int port)
    {
        using var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return null;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode;
        }
    }

    private static int Free(HashSet<int> taken)
    {
        while (true)
        {
            using var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            var port = ((IPEndPoint)listener.LocalEndpoint).Port;
            if (!taken.Contains(port))
            {
                return port;
            }
        }
    }
}
