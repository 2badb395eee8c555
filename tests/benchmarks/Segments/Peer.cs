using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using Foretier.Core.Samples;

namespace Foretier.Tests.Benchmarks.Segments;

/// <summary>A time-series server from its package, started on a folder and a port of its own, filled, told to merge, and weighed.</summary>
internal abstract class Peer(string name, string executable)
{
    private const int LinesPerRequest = 20_000;
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan QuietMax = TimeSpan.FromSeconds(25);

    public static IReadOnlyList<Peer> All { get; } = [new VictoriaMetrics(), new InfluxDb()];

    public string Name { get; } = name;

    /// <summary>Where its program is; null where it is not installed.</summary>
    public string? Find() => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Append("/usr/sbin").Append("/usr/bin")
        .Select(folder => Path.Combine(folder, executable)).FirstOrDefault(File.Exists);

    /// <summary>Bytes of data files a sample, after the merge.</summary>
    public double BytesOf(DataSet set)
    {
        var folder = Directory.CreateTempSubdirectory("foretier-peer-").FullName;
        try
        {
            using var http = new HttpClient { Timeout = TimeSpan.FromMinutes(2) };
            var server = Start(folder, http, coldSoon: false);
            try
            {
                Prepare(http);
                foreach (var lines in Lines(set))
                {
                    Post(http, WritePath, lines);
                }
                Settle(http, folder, ref server);
            }
            finally
            {
                Stop(server);
            }
            var data = new Regex(DataFiles);
            return Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Where(f => data.IsMatch(Path.GetRelativePath(folder, f)))
                .Sum(f => new FileInfo(f).Length) / (double)set.Count;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    protected abstract string WritePath { get; }

    /// <summary>What of its folder is data.</summary>
    protected abstract string DataFiles { get; }

    protected abstract string Ping { get; }

    protected abstract IEnumerable<string> Arguments(string folder, int port, bool coldSoon);

    protected abstract void Prepare(HttpClient http);

    protected abstract void Settle(HttpClient http, string folder, ref Process server);

    protected Process Start(string folder, HttpClient http, bool coldSoon)
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        var port = ((IPEndPoint)probe.LocalEndpoint).Port;
        probe.Stop();
        var start = new ProcessStartInfo(Find()!, Arguments(folder, port, coldSoon)) { RedirectStandardError = true, RedirectStandardOutput = true };
        var server = Process.Start(start)!;
        server.OutputDataReceived += (_, _) => { };
        server.ErrorDataReceived += (_, _) => { };
        server.BeginOutputReadLine();
        server.BeginErrorReadLine();
        Root = new Uri($"http://127.0.0.1:{port}");
        for (var tries = 0; ; tries++)
        {
            try
            {
                using var answer = http.Send(new(HttpMethod.Get, new Uri(Root, Ping)));
                return server;
            }
            catch (HttpRequestException) when (tries < 300 && !server.HasExited)
            {
                Thread.Sleep(100);
            }
        }
    }

    protected static void Stop(Process server)
    {
        if (!server.HasExited)
        {
            Process.Start("kill", ["-TERM", $"{server.Id}"]).WaitForExit();
            server.WaitForExit();
        }
    }

    protected void Post(HttpClient http, string path, string body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(Root, path)) { Content = new StringContent(body, Encoding.UTF8) };
        using var answer = http.Send(request);
        answer.EnsureSuccessStatusCode();
    }

    /// <summary>Until its files have stood still for a while.</summary>
    protected static void WaitQuiet(string folder)
    {
        var (last, since) = ("", Stopwatch.StartNew());
        for (var all = Stopwatch.StartNew(); all.Elapsed < QuietMax && since.Elapsed < Quiet;)
        {
            Thread.Sleep(300);
            var now = Listing(folder);
            if (now != last)
            {
                (last, since) = (now, Stopwatch.StartNew());
            }
        }
    }

    private Uri Root { get; set; } = new("http://127.0.0.1");

    // Files come and go while they are listed.
    private static string Listing(string folder)
    {
        try
        {
            return string.Join('\n', Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order().Select(f => $"{f} {new FileInfo(f).Length}"));
        }
        catch (IOException)
        {
            return "changing";
        }
    }

    private static IEnumerable<string> Lines(DataSet set)
    {
        var text = new StringBuilder();
        var count = 0;
        foreach (var (series, samples) in set.Series)
        {
            for (var i = 0; i < samples.Count; i++)
            {
                text.Append(CultureInfo.InvariantCulture, $"m,s={series} v={samples.Values[i]:R} {samples.Times[i] / Instant.Millisecond}\n");
                if (++count % LinesPerRequest == 0)
                {
                    yield return text.ToString();
                    text.Clear();
                }
            }
        }
        yield return text.ToString();
    }

    private sealed class VictoriaMetrics() : Peer("VictoriaMetrics", "victoria-metrics")
    {
        protected override string WritePath => "/write?precision=ms";
        protected override string DataFiles => "^data/";
        protected override string Ping => "/health";

        protected override IEnumerable<string> Arguments(string folder, int port, bool coldSoon) =>
            [$"-storageDataPath={folder}", "-retentionPeriod=20y", $"-httpListenAddr=127.0.0.1:{port}", "-loggerLevel=WARN"];

        protected override void Prepare(HttpClient http)
        {
        }

        protected override void Settle(HttpClient http, string folder, ref Process server)
        {
            Post(http, "/internal/force_flush", "");
            for (var merge = 0; merge < 2; merge++)
            {
                Post(http, "/internal/force_merge", "");
                WaitQuiet(folder);
            }
        }
    }

    private sealed class InfluxDb() : Peer("InfluxDB", "influxd")
    {
        protected override string WritePath => "/write?db=b&precision=ms";
        protected override string DataFiles => @"\.tsm$";
        protected override string Ping => "/ping";

        protected override IEnumerable<string> Arguments(string folder, int port, bool coldSoon)
        {
            var file = Path.Combine(folder, "influxdb.conf");
            var cold = coldSoon ? "cache-snapshot-write-cold-duration = \"1s\"\ncompact-full-write-cold-duration = \"1s\"\n" : "";
            File.WriteAllText(file, $"""
                reporting-disabled = true
                bind-address = "127.0.0.1:0"
                [meta]
                dir = "{folder}/meta"
                [data]
                dir = "{folder}/data"
                wal-dir = "{folder}/wal"
                query-log-enabled = false
                {cold}
                [retention]
                enabled = false
                [monitor]
                store-enabled = false
                [http]
                bind-address = "127.0.0.1:{port}"
                log-enabled = false
                """);
            return ["run", "-config", file];
        }

        protected override void Prepare(HttpClient http) => Post(http, "/query?q=CREATE%20DATABASE%20b", "");

        /// <summary>Started again, it takes what is a second old for cold: a snapshot and a full compaction follow.</summary>
        protected override void Settle(HttpClient http, string folder, ref Process server)
        {
            Stop(server);
            server = Start(folder, http, coldSoon: true);
            Thread.Sleep(2_000);
            WaitQuiet(folder);
        }
    }
}
