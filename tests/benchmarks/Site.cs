using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;
using Foretier.Client.Mqtt;
using Foretier.Tests.Benchmarks.Ingest;

namespace Foretier.Tests.Benchmarks;

/// <summary>A whole installation of its own for one benchmark: <c>foretier up</c> in a temporary folder on free ports.</summary>
internal sealed class Site : IAsyncDisposable
{
    private readonly Process _up;
    private readonly int _mqttPort;

    private Site(Process up, string folder, int mqttPort, JsonElement ready)
    {
        (_up, Folder, _mqttPort, Ready) = (up, folder, mqttPort, ready);
        Http = new HttpClient { BaseAddress = new Uri(ready.GetProperty("router").GetString()!), Timeout = TimeSpan.FromMinutes(5) };
        Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", ready.GetProperty("apiKey").GetString());
    }

    public JsonElement Ready { get; }
    public HttpClient Http { get; }
    public string Folder { get; }

    /// <param name="settings">Of its nodes, as <c>HOT__SEALAGE</c>.</param>
    public static Task<Site> StartAsync(params (string Key, string Value)[] settings) => StartAsync(null, [.. settings.Select(s => ("FORETIER__" + s.Key, s.Value))]);

    /// <param name="archive">A folder or s3://…; null: a folder of its own.</param>
    /// <param name="environment">Of its nodes.</param>
    public static async Task<Site> StartAsync(string? archive, params (string Key, string Value)[] environment)
    {
        var root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "Edge.sln")))
        {
            root = Path.GetDirectoryName(root) ?? throw new InvalidOperationException("no Edge.sln above the benchmark");
        }
        var folder = Directory.CreateTempSubdirectory("foretier-bench-").FullName;
        var (mqtt, http) = (Broker.FreePort(), Broker.FreePort());
        var start = new ProcessStartInfo(Path.Combine(root, "cloud/Cli/bin/Release/net10.0/foretier"),
            ["up", "--data", folder, "--mqtt-port", $"{mqtt}", "--http-port", $"{http}", "--json", .. archive is null ? Array.Empty<string>() : ["--archive", archive]])
        {
            RedirectStandardOutput = true,
        };
        foreach (var (key, value) in environment)
        {
            start.Environment[key] = value;
        }
        var up = Process.Start(start)!;
        var line = await up.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("foretier up did not start");
        return new(up, folder, mqtt, JsonDocument.Parse(line).RootElement);
    }

    public MqttPublisherOptions Mqtt(string clientId, int window) => new()
    {
        Host = "127.0.0.1",
        Port = _mqttPort,
        User = Ready.GetProperty("user").GetString(),
        Secret = Ready.GetProperty("secret").GetString(),
        ClientId = clientId,
        Window = window,
    };

    public async Task<JsonElement> GetAsync(string path) => JsonDocument.Parse(await Http.GetStringAsync(path)).RootElement;

    public int PidOf(string node) => Ready.GetProperty("pids").GetProperty(node).GetInt32();

    /// <summary>Ends a node; it is started again by itself.</summary>
    public void Restart(string node)
    {
        using var process = Process.GetProcessById(PidOf(node));
        process.Kill();
        process.WaitForExit();
    }

    /// <summary>Resident memory of a node now, MB.</summary>
    public double Resident(string node)
    {
        var status = File.ReadLines($"/proc/{PidOf(node)}/status");
        return double.Parse(status.First(l => l.StartsWith("VmRSS", StringComparison.Ordinal)).Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1],
            CultureInfo.InvariantCulture) / 1024;
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        _up.Send("INT");
        await _up.WaitForExitAsync();
        _up.Dispose();
        Directory.Delete(Folder, recursive: true);
    }
}
