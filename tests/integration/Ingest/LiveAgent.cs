using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Foretier.Tests.Integration.Ingest;

/// <summary>
/// An edge agent in a process of its own, set up as an operator would: plain, TLS and HTTP ports, a device acme/boiler-1 and a
/// concentrator acme/*. Started once for all tests of a class, which each use series of their own.
/// </summary>
public sealed class LiveAgent : IAsyncLifetime, IDisposable
{
    public const string Secret = "a secret of these tests only";
    internal const string Key = "ft_integration-key-of-these-tests-only-0123456789";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-peers-").FullName;
    private readonly StringBuilder _log = new();
    private Process? _process;

    public int MqttPort { get; } = FreePort();
    public int TlsPort { get; } = FreePort();
    public int HttpPort { get; } = FreePort();

    /// <summary>The copy of the agent's own certificate that devices are given.</summary>
    public string CertificateFile => Path.Combine(_folder, "agent", "mqtt-tls.crt");

    public HttpClient Http { get; } = new();

    public async Task InitializeAsync()
    {
        var start = new ProcessStartInfo(Path.Combine(Repository.Root, "edge", "Agent", "bin", Repository.Configuration, "net10.0", "Foretier.Agent"))
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        foreach (var (key, value) in ((string Key, string Value)[])[
            ("NODE", "edge-1"), ("DATA", Path.Combine(_folder, "agent")), ("HTTP", $"http://127.0.0.1:{HttpPort}"),
            ("MQTT__PORT", $"{MqttPort}"), ("MQTT__TLS__PORT", $"{TlsPort}"), ("MQTT__TLS__ADDRESS", "127.0.0.1"),
            ("LINK__TOKEN", "link-token-of-these-tests-only-0123456789"), ("PARENTPID", $"{Environment.ProcessId}"),
            ("KEYS__BOOTSTRAP", Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Key))))])
        {
            start.Environment["FORETIER__" + key] = value;
        }
        _process = Process.Start(start)!;
        _process.OutputDataReceived += Note;
        _process.ErrorDataReceived += Note;
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        Http.BaseAddress = new($"http://127.0.0.1:{HttpPort}");
        Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
        await UntilAsync("the agent is ready", async () => (await Http.GetAsync(new Uri("readyz", UriKind.Relative))).IsSuccessStatusCode);
        foreach (var name in new[] { "boiler-1", "*" })
        {
            using var made = await Http.PutAsJsonAsync($"api/v1/devices/acme/{name}", new { secret = Secret });
            made.EnsureSuccessStatusCode();
        }
    }

    /// <summary>The values of a series in the order of their times, as text.</summary>
    public async Task<string> ValuesAsync(string series)
    {
        using var response = await Http.GetAsync(new Uri($"api/v1/query?series={Uri.EscapeDataString(series)}&from=-1d&fn=raw", UriKind.Relative));
        if (!response.IsSuccessStatusCode)
        {
            return $"{(int)response.StatusCode}";
        }
        using var answer = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        return string.Join(' ', answer.RootElement.GetProperty("results").EnumerateArray()
            .SelectMany(r => r.GetProperty("points").EnumerateArray()).Select(p => p[1].ToString()));
    }

    /// <summary>Polls until the series has these values: what QoS 0 brings is acknowledged by nothing else.</summary>
    public async Task HasAsync(string series, string values)
    {
        var last = "";
        await UntilAsync(() => $"{series} is '{values}'; it is '{last}'", async () => (last = await ValuesAsync(series)) == values);
    }

    public Task DisposeAsync()
    {
        Dispose();
        return Task.CompletedTask;
    }

    public void Dispose()
    {
        if (_process is { HasExited: false })
        {
            _process.Kill();
            _process.WaitForExit();
        }
        _process?.Dispose();
        _process = null;
        Http.Dispose();
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private Task UntilAsync(string what, Func<Task<bool>> isSo) => UntilAsync(() => what, isSo);

    private async Task UntilAsync(Func<string> what, Func<Task<bool>> isSo)
    {
        for (var started = Stopwatch.StartNew(); ; await Task.Delay(50))
        {
            try
            {
                if (await isSo())
                {
                    return;
                }
            }
            catch (HttpRequestException) when (_process is { HasExited: false })
            {
                // Not listening yet.
            }
            Assert.True(started.Elapsed < Patience, $"not so after {Patience}: {what()}\n{Log()}");
        }
    }

    private void Note(object sender, DataReceivedEventArgs line)
    {
        lock (_log)
        {
            _log.AppendLine(line.Data);
        }
    }

    private string Log()
    {
        lock (_log)
        {
            return _log.ToString();
        }
    }
}
