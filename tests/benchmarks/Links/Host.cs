using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text.Json;
using Foretier.Tests.Benchmarks.Ingest;

namespace Foretier.Tests.Benchmarks.Links;

/// <summary>A program of the fleet on a host of its own, that can be killed, paused and started again on its data.</summary>
internal sealed class Host(string name, string address, int port, Func<Process> start) : IDisposable
{
    public const int HttpPort = 8080;
    public const int MqttPort = 1883;
    private static readonly TimeSpan StartPatience = TimeSpan.FromMinutes(2);
    private Process? _process;

    public string Name => name;
    public string Address => address;

    /// <summary>Whether anybody can be expected to answer there.</summary>
    public bool IsUp { get; private set; }

    /// <summary>Longer than any answer may take.</summary>
    public HttpClient Http { get; } = Client(address, port);

    public async Task StartAsync()
    {
        _process?.Dispose();
        _process = start();
        for (var waited = Stopwatch.StartNew(); ; await Task.Delay(100))
        {
            try
            {
                using var socket = new System.Net.Sockets.TcpClient();
                await socket.ConnectAsync(address, port);
                break;
            }
            catch (System.Net.Sockets.SocketException) when (waited.Elapsed < StartPatience && !_process.HasExited)
            {
                // Not yet.
            }
        }
        IsUp = true;
    }

    /// <summary>SIGKILL.</summary>
    public void Kill()
    {
        IsUp = false;
        _process!.Kill();
        _process.WaitForExit();
    }

    /// <summary>SIGSTOP: it keeps its connections and answers nothing.</summary>
    public void Pause()
    {
        IsUp = false;
        _process!.Send("STOP");
    }

    public void Resume()
    {
        _process!.Send("CONT");
        IsUp = true;
    }

    public bool HasEnded => IsUp && _process!.HasExited;

    public async Task<JsonElement> GetAsync(string path) => JsonDocument.Parse(await Http.GetStringAsync(path)).RootElement;

    public void Dispose()
    {
        if (_process is { HasExited: false })
        {
            _process.Send("CONT");
            _process.Send("TERM");
            if (!_process.WaitForExit(TimeSpan.FromSeconds(20)))
            {
                Kill();
            }
        }
        _process?.Dispose();
        Http.Dispose();
    }

    private static HttpClient Client(string address, int port)
    {
        var client = new HttpClient { BaseAddress = new($"http://{address}:{port}"), Timeout = TimeSpan.FromMinutes(2) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", LoneNode.Key);
        return client;
    }
}
