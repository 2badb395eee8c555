using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Foretier.Client.Mqtt;

namespace Foretier.Tests.Benchmarks.Ingest;

/// <summary>A server under load, in a process of its own.</summary>
internal class Broker(Process process, int port, string? user, string? secret) : IDisposable
{
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(30);

    public int Pid => process.Id;
    public Process Process => process;
    public int Port => port;
    /// <summary>Where an agent answers questions; 0 for others.</summary>
    public int HttpPort { get; init; }
    public string? User => user;
    public string? Secret => secret;

    /// <summary>For a publisher with the right of all devices.</summary>
    public MqttPublisherOptions Mqtt(string clientId, int window) => new() { Host = "127.0.0.1", Port = port, User = user, Secret = secret, ClientId = clientId, Window = window };

    public virtual void Dispose()
    {
        if (!process.HasExited)
        {
            process.Send("TERM");
            process.WaitForExit();
        }
        process.Dispose();
        GC.SuppressFinalize(this);
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    public static async Task AnswersAsync(int port)
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(IPAddress.Loopback, port);
                return;
            }
            catch (SocketException) when (Stopwatch.GetElapsedTime(started) < StartPatience)
            {
                await Task.Delay(50);
            }
        }
    }
}

/// <summary>mosquitto, the yardstick: no persistence, no passwords, no limits on what may wait.</summary>
internal static class Mosquitto
{
    /// <returns>Null where it is not installed.</returns>
    public static async Task<Broker?> StartAsync(string folder)
    {
        var executable = new[] { "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto" }.FirstOrDefault(File.Exists);
        if (executable is null)
        {
            return null;
        }
        var port = Broker.FreePort();
        var file = Path.Combine(folder, "mosquitto.conf");
        await File.WriteAllTextAsync(file, $"""
            listener {port} 127.0.0.1
            allow_anonymous true
            persistence false
            max_inflight_messages 0
            max_queued_messages 0
            log_type none

            """);
        var process = Process.Start(new ProcessStartInfo(executable, ["-c", file]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        await Broker.AnswersAsync(port);
        return new(process, port, null, null);
    }
}

/// <summary>The edge agent alone, with its default settings: no gateway above it, as on a box without an uplink.</summary>
internal static class LoneAgent
{
    private const string SecretOfAll = "a secret of this run only";

    public static Task<Broker> StartAsync(string data, params (string Key, string Value)[] settings) => StartAsync(LoneNode.Built("Agent"), data, settings);

    /// <summary>As it is published for a box: what a user runs, to whom memory and processor are promised.</summary>
    public static Task<Broker> StartPublishedAsync(string data, params (string Key, string Value)[] settings) => StartAsync(PublishedAgent.Program, data, settings);

    private static async Task<Broker> StartAsync(string program, string data, (string Key, string Value)[] settings)
    {
        var (mqtt, http) = (Broker.FreePort(), Broker.FreePort());
        var process = await LoneNode.StartProgramAsync(program, http, [("NODE", "edge-1"), ("DATA", Path.Combine(data, "agent")), ("MQTT__PORT", $"{mqtt}"), .. settings]);
        await Broker.AnswersAsync(mqtt);
        var agent = new Broker(process, mqtt, "acme/*", SecretOfAll) { HttpPort = http };
        using var client = LoneNode.Client(agent);
        using var made = await client.PutAsJsonAsync("api/v1/devices/acme/*", new { secret = SecretOfAll });
        made.EnsureSuccessStatusCode();
        return agent;
    }
}

/// <summary>One executable of the product, started by itself.</summary>
internal static class LoneNode
{
    public const string Key = "ft_benchmark-key-of-this-run-only-0123456789";

    public static Task<Process> StartAsync(string project, int http, IEnumerable<(string Key, string Value)> settings) => StartProgramAsync(Built(project), http, settings);

    /// <summary>Settings with which nodes of this run let each other, and <see cref="Key"/>, in.</summary>
    public static IReadOnlyList<(string Key, string Value)> Secrets { get; } =
        [("LINK__TOKEN", "link-token-of-this-run-only-0123456789"), ("KEYS__BOOTSTRAP", Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Key))))];

    /// <summary>When an agent collects, as its image says.</summary>
    public static (string Key, string Value) AgentHeap => ("DOTNET_GCgen0size", "300000");

    /// <summary>Where the build of this repository put the executable of a project.</summary>
    public static string Built(string project) =>
        Path.Combine(Root(), $"{(project == "Router" ? "cloud" : "edge")}/{project}/bin/Release/net10.0/Foretier.{project}");

    public static async Task<Process> StartProgramAsync(string program, int http, IEnumerable<(string Key, string Value)> settings)
    {
        var start = new ProcessStartInfo(program)
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        foreach (var (key, value) in ((string Key, string Value)[])[
            ("HTTP", $"http://127.0.0.1:{http}"), ("PARENTPID", $"{Environment.ProcessId}"), .. Secrets, .. settings])
        {
            start.Environment["FORETIER__" + key] = value;
        }
        if (Path.GetFileName(program) == "Foretier.Agent")
        {
            start.Environment[AgentHeap.Key] = AgentHeap.Value;
        }
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, line) => Console.Error.Write(line.Data is null ? "" : line.Data + "\n");
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        await Broker.AnswersAsync(http);
        return process;
    }

    /// <summary>Asks the node with the key of this run.</summary>
    public static HttpClient Client(Broker node)
    {
        var client = new HttpClient { BaseAddress = new($"http://127.0.0.1:{node.HttpPort}") };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
        return client;
    }

    public static string Root()
    {
        var root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "Edge.sln")))
        {
            root = Path.GetDirectoryName(root) ?? throw new InvalidOperationException("no Edge.sln above the benchmark");
        }
        return root;
    }
}
