using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;
using Xunit.Abstractions;

namespace Foretier.Tests.Integration;

/// <summary>A whole installation on this machine, started as a user would: <c>foretier up</c> on free ports in a folder of its own.</summary>
public sealed class Installation : IAsyncDisposable
{
    private static readonly TimeSpan StartMax = TimeSpan.FromSeconds(60);
    private readonly ITestOutputHelper _output;
    private Process? _up;

    public Installation(ITestOutputHelper output)
    {
        _output = output;
        Folder = Directory.CreateTempSubdirectory("foretier-e2e-").FullName;
        (MqttPort, HttpPort) = (FreePort(), FreePort());
        Archive = ArchiveByDefault;
    }

    public string Folder { get; }

    /// <summary>A folder, or the bucket of FORETIER_E2E_ARCHIVE (scripts/e2e --archive s3), below a prefix of its own.</summary>
    public string Archive { get; init; }

    private string ArchiveByDefault => Environment.GetEnvironmentVariable("FORETIER_E2E_ARCHIVE") is { Length: > 0 } place
        ? place.Replace("{prefix}", Path.GetFileName(Folder).ToLowerInvariant(), StringComparison.Ordinal) : Path.Combine(Folder, "archive");
    public int MqttPort { get; }
    public int HttpPort { get; }
    public string DataFolder => Path.Combine(Folder, "data");
    public JsonElement Ready { get; private set; }
    public HttpClient Http { get; private set; } = new();

    public async Task StartAsync()
    {
        _up = Process.Start(new ProcessStartInfo(Repository.Cli,
            ["up", "--data", DataFolder, "--mqtt-port", $"{MqttPort}", "--http-port", $"{HttpPort}", "--archive", Archive, "--json"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        _up.ErrorDataReceived += (_, line) => Log(line.Data);
        _up.BeginErrorReadLine();
        var line = await _up.StandardOutput.ReadLineAsync().WaitAsync(StartMax)
            ?? throw new InvalidOperationException($"foretier up ended with {_up.ExitCode} before it was ready");
        Ready = JsonDocument.Parse(line).RootElement;
        Http = new HttpClient { BaseAddress = new Uri(Ready.GetProperty("router").GetString()!), Timeout = TimeSpan.FromMinutes(2) };
        Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Ready.GetProperty("apiKey").GetString());
    }

    public async Task StopAsync()
    {
        if (_up is { HasExited: false })
        {
            _up.Send("INT");
            await _up.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30));
        }
    }

    /// <summary>Runs a foretier command against this installation.</summary>
    public async Task<(int Exit, string Output, string Error)> RunAsync(params string[] args)
    {
        var process = Begin(args);
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(8));
        return (process.ExitCode, await output, await error);
    }

    public Process Begin(params string[] args) => Process.Start(new ProcessStartInfo(Repository.Cli, [.. args, "--data", DataFolder])
    {
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    })!;

    public async Task<JsonElement> GetAsync(string path)
    {
        using var response = await Http.GetAsync(path);
        var text = await response.Content.ReadAsStringAsync();
        return response.IsSuccessStatusCode ? JsonDocument.Parse(text).RootElement
            : throw new InvalidOperationException($"{path}: {(int)response.StatusCode} {text}");
    }

    /// <summary>kill -9 of agent, gateway or router as it runs now.</summary>
    public void Kill(string node)
    {
        using var run = JsonDocument.Parse(File.ReadAllText(Path.Combine(DataFolder, "run.json")));
        var pid = run.RootElement.GetProperty("pids").GetProperty(node).GetInt32();
        Log($"kill -9 {node} ({pid})");
        try
        {
            Process.GetProcessById(pid).Kill();
        }
        catch (ArgumentException)
        {
            Log($"{node} was gone already");
        }
    }

    /// <summary>Polls until it is so, at most a minute.</summary>
    public static async Task EventuallyAsync(string what, Func<Task<bool>> isSo)
    {
        for (var deadline = Stopwatch.StartNew(); ; await Task.Delay(100))
        {
            try
            {
                if (await isSo())
                {
                    return;
                }
            }
            catch (Exception error) when (error is HttpRequestException or InvalidOperationException or TaskCanceledException
                && deadline.Elapsed < TimeSpan.FromMinutes(1))
            {
                // Not yet reachable.
            }
            Assert.True(deadline.Elapsed < TimeSpan.FromMinutes(1), $"not within a minute: {what}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await StopAsync();
        }
        finally
        {
            _up?.Kill(entireProcessTree: true);
            Http.Dispose();
            Directory.Delete(Folder, recursive: true);
        }
    }

    private void Log(string? line)
    {
        if (line is null)
        {
            return;
        }
        try
        {
            _output.WriteLine(line);
        }
        catch (InvalidOperationException)
        {
            // The test is over; nobody reads on.
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
