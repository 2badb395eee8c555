using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Foretier.Tests.Integration.Ingest;

namespace Foretier.Tests.Integration.Prometheus;

/// <summary>
/// A real Prometheus in front that reads through <c>remote_read</c> and has all of PromQL: what it makes of our samples is what our own part of
/// PromQL must make of them, for the same expressions at the same times.
/// </summary>
public sealed class PrometheusTests(LiveAgent agent) : IClassFixture<LiveAgent>, IDisposable
{
    private const string Program = "prometheus";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly string[] Expressions =
    [
        "m_energy", "rate(m_energy[5m])", "sum by (device) (rate(m_energy[10m]))", "sum(increase(m_energy[7m]))", "avg without (device) (m_temperature)",
        "quantile_over_time(0.9, m_temperature[15m])", "quantile(0.5, m_temperature)", "max_over_time(m_temperature[4m] offset 10m)", "stddev_over_time(m_temperature[30m])",
        "delta(m_temperature[9m])", "irate(m_energy[3m])", "changes(m_temperature[10m])", "resets(m_energy[1h])", "count_over_time(m_temperature{device!=\"d1\"}[6m])",
        "min_over_time(m_temperature{device=~\"d[12]\"}[5m]) * 2 - 1", "m_temperature > 20.5", "topk(1, m_temperature)", "m_temperature / m_temperature", "round(m_temperature) == bool 21",
        "sum_over_time(m_temperature[8m]) / count_over_time(m_temperature[8m])", "stddev(m_temperature)", "-m_temperature ^ 2", "last_over_time(m_rare[50m])", "m_rare",
    ];

    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-prometheus-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [ToolFact(Program, "prometheus")]
    public async Task Prometheus_reads_our_samples_and_our_part_of_promql_gives_what_it_gives()
    {
        var end = DateTimeOffset.UtcNow.ToUnixTimeSeconds() - 60;
        await WriteAsync(end);
        var port = LiveAgent.FreePort();
        using var prometheus = await StartAsync(port);
        using var http = new HttpClient { BaseAddress = new($"http://127.0.0.1:{port}") };
        try
        {
            await ReadyAsync(http);
            foreach (var expression in Expressions)
            {
                var query = $"api/v1/query_range?query={Uri.EscapeDataString(expression)}&start={end - 5400}&end={end}&step=97";
                var theirs = PointsOf(await GetAsync(http, query));
                var ours = PointsOf(await GetAsync(agent.Http, "prometheus/" + query));
                Assert.True(theirs.Count > 0, $"{expression}: nothing came through Prometheus");
                Assert.True(theirs.Keys.ToHashSet().SetEquals(ours.Keys), $"{expression}: {theirs.Count} points through Prometheus, {ours.Count} of ours");
                foreach (var (key, value) in theirs)
                {
                    Assert.True(value.Equals(ours[key]) || Math.Abs(value - ours[key]) <= 1e-9 * Math.Max(1, Math.Abs(value)), $"{expression} {key}: {value} through Prometheus, {ours[key]} of ours");
                }
            }
            // What remote_read cannot serve: browsing, which Grafana asks of us directly.
            var devices = await GetAsync(agent.Http, "prometheus/api/v1/label/device/values");
            Assert.Equal("""["d1","d2","d3"]""", devices.GetProperty("data").GetRawText());
        }
        finally
        {
            prometheus.Kill();
            await prometheus.WaitForExitAsync();
        }
    }

    /// <summary>Two hours: a counter with resets, a gauge with a gap, and a series slower than five minutes, as a Telegraf would send them.</summary>
    private async Task WriteAsync(long end)
    {
        var random = new Random(5);
        var lines = new StringBuilder();
        foreach (var (device, every) in new[] { ("d1", 15), ("d2", 20), ("d3", 60) })
        {
            var (energy, temperature) = (1000.0 * every, 20.0);
            for (var t = end - 7200; t <= end; t += every)
            {
                energy = random.Next(150) == 0 ? random.Next(5) : energy + random.Next(40) / 10.0;
                temperature += (random.Next(21) - 10) / 20.0;
                if (device != "d2" || t < end - 3600 || t > end - 2400)
                {
                    lines.Append(CultureInfo.InvariantCulture, $"m,host={device} energy={energy},temperature={temperature}");
                    lines.Append(t % 1200 < every ? ",rare=1 " : " ").Append(t).Append('\n');
                }
            }
        }
        using var request = new HttpRequestMessage(HttpMethod.Post, "api/v2/write?precision=s") { Content = new StringContent(lines.ToString()) };
        request.Headers.Authorization = new AuthenticationHeaderValue("Token", $"acme/*:{LiveAgent.Secret}");
        using var written = await agent.Http.SendAsync(request);
        Assert.True(written.IsSuccessStatusCode, await written.Content.ReadAsStringAsync());
    }

    private async Task<Process> StartAsync(int port)
    {
        var config = Path.Combine(_folder, "prometheus.yml");
        await File.WriteAllTextAsync(config, $"""
            remote_read:
              - url: {agent.Http.BaseAddress}api/v1/prometheus/read
                read_recent: true
                filter_external_labels: false
                authorization:
                  credentials: {LiveAgent.Key}

            """);
        var prometheus = Process.Start(new ProcessStartInfo(Program, [$"--config.file={config}", $"--storage.tsdb.path={Path.Combine(_folder, "data")}", $"--web.listen-address=127.0.0.1:{port}", "--log.level=error"])
        { RedirectStandardError = true, RedirectStandardOutput = true })!;
        _ = prometheus.StandardError.ReadToEndAsync();
        _ = prometheus.StandardOutput.ReadToEndAsync();
        return prometheus;
    }

    private static async Task ReadyAsync(HttpClient http)
    {
        for (var started = Stopwatch.StartNew(); ; await Task.Delay(100))
        {
            try
            {
                if ((await http.GetAsync(new Uri("-/ready", UriKind.Relative))).IsSuccessStatusCode)
                {
                    return;
                }
            }
            catch (HttpRequestException)
            {
                // Not listening yet.
            }
            Assert.True(started.Elapsed < Patience, "Prometheus is not ready");
        }
    }

    private static async Task<JsonElement> GetAsync(HttpClient http, string path)
    {
        using var response = await http.GetAsync(new Uri(path, UriKind.Relative));
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, $"{path}: {text}");
        var answer = JsonElement.Parse(text);
        Assert.False(answer.TryGetProperty("warnings", out var warnings), $"{path}: {warnings}");
        return answer;
    }

    private static Dictionary<(string Labels, double Time), double> PointsOf(JsonElement answer) => answer.GetProperty("data").GetProperty("result").EnumerateArray()
        .SelectMany(series => series.GetProperty("values").EnumerateArray().Select(point =>
            (Key: (string.Join(',', series.GetProperty("metric").EnumerateObject().OrderBy(label => label.Name, StringComparer.Ordinal).Select(label => $"{label.Name}={label.Value}")), point[0].GetDouble()), Value: NumberOf(point[1].GetString()!))))
        .ToDictionary(point => point.Key, point => point.Value);

    private static double NumberOf(string text) => text switch
    {
        "+Inf" => double.PositiveInfinity,
        "-Inf" => double.NegativeInfinity,
        _ => double.Parse(text, CultureInfo.InvariantCulture),
    };
}
