using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;
using Foretier.Client.Mqtt;

namespace Foretier.Tests.Benchmarks;

/// <summary>A whole installation of its own for one benchmark: <c>foretier up</c> in a temporary folder on ports that are rarely used.</summary>
internal sealed class Site : IAsyncDisposable
{
    private const int MqttPort = 18_830;
    private readonly string _folder;
    private readonly Process _up;

    private Site(Process up, string folder, JsonElement ready)
    {
        (_up, _folder, Ready) = (up, folder, ready);
        Http = new HttpClient { BaseAddress = new Uri(ready.GetProperty("router").GetString()!), Timeout = TimeSpan.FromMinutes(5) };
        Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", ready.GetProperty("apiKey").GetString());
    }

    public JsonElement Ready { get; }
    public HttpClient Http { get; }

    public static async Task<Site> StartAsync()
    {
        var root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "Edge.sln")))
        {
            root = Path.GetDirectoryName(root) ?? throw new InvalidOperationException("no Edge.sln above the benchmark");
        }
        var folder = Directory.CreateTempSubdirectory("foretier-bench-").FullName;
        var up = Process.Start(new ProcessStartInfo(Path.Combine(root, "cloud/Cli/bin/Release/net10.0/foretier"),
            ["up", "--data", folder, "--mqtt-port", $"{MqttPort}", "--http-port", "18080", "--json"])
        {
            RedirectStandardOutput = true,
        })!;
        var line = await up.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("foretier up did not start");
        return new(up, folder, JsonDocument.Parse(line).RootElement);
    }

    public MqttPublisherOptions Mqtt(string clientId, int window) => new()
    {
        Host = "127.0.0.1",
        Port = MqttPort,
        User = Ready.GetProperty("user").GetString(),
        Secret = Ready.GetProperty("secret").GetString(),
        ClientId = clientId,
        Window = window,
    };

    public async Task<JsonElement> GetAsync(string path) => JsonDocument.Parse(await Http.GetStringAsync(path)).RootElement;

    /// <summary>Resident memory of a node now, MB.</summary>
    public double Resident(string node)
    {
        var status = File.ReadLines($"/proc/{Ready.GetProperty("pids").GetProperty(node).GetInt32()}/status");
        return double.Parse(status.First(l => l.StartsWith("VmRSS", StringComparison.Ordinal)).Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1],
            CultureInfo.InvariantCulture) / 1024;
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        Process.Start("kill", ["-INT", $"{_up.Id}"])!.WaitForExit();
        await _up.WaitForExitAsync();
        _up.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
