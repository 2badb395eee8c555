using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Foretier.Core.Samples;

namespace Foretier.Tests.Benchmarks.Segments;

/// <summary>A time-series server from its package, started on a folder and a port of its own, filled, told to merge, and weighed or asked.</summary>
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
        using var server = Serve(set);
        server.Stop();
        var data = new Regex(DataFiles);
        return Directory.EnumerateFiles(server.Folder, "*", SearchOption.AllDirectories).Where(f => data.IsMatch(Path.GetRelativePath(server.Folder, f)))
            .Sum(f => new FileInfo(f).Length) / (double)set.Count;
    }

    /// <summary>Starts it with these samples in it, merged.</summary>
    public PeerServer Serve(DataSet set)
    {
        var server = new PeerServer(Directory.CreateTempSubdirectory("foretier-peer-").FullName);
        try
        {
            Start(server, coldSoon: false);
            Prepare(server);
            foreach (var lines in LinesOf(set, "s"))
            {
                server.Post(WritePath, lines);
            }
            Settle(server);
            return server;
        }
        catch
        {
            server.Dispose();
            throw;
        }
    }

    /// <summary>Does nothing: what a request costs by itself.</summary>
    public abstract string Ping { get; }

    /// <summary>The address of a question.</summary>
    public abstract string PathOf(Query.BenchQuestion question);

    /// <summary>The answer's values, by series (empty where all are put together) and start of the step, ms.</summary>
    public abstract Dictionary<(string Series, long Start), double> ValuesOf(JsonElement answer, Query.BenchQuestion question);

    protected abstract string WritePath { get; }

    /// <summary>What of its folder is data.</summary>
    protected abstract string DataFiles { get; }

    protected abstract IEnumerable<string> Arguments(string folder, int port, bool coldSoon);

    protected abstract void Prepare(PeerServer server);

    protected abstract void Settle(PeerServer server);

    protected void Start(PeerServer server, bool coldSoon)
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        var port = ((IPEndPoint)probe.LocalEndpoint).Port;
        probe.Stop();
        server.Start(new(Find()!, Arguments(server.Folder, port, coldSoon)), new($"http://127.0.0.1:{port}"), Ping);
    }

    /// <summary>Until its files have stood still for a while.</summary>
    public static void WaitQuiet(string folder)
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

    /// <summary>Influx lines, some thousands at a time.</summary>
    /// <param name="tag">What names the series.</param>
    public static IEnumerable<string> LinesOf(DataSet set, string tag)
    {
        var text = new StringBuilder();
        var count = 0;
        foreach (var (series, samples) in set.Series)
        {
            for (var i = 0; i < samples.Count; i++)
            {
                text.Append(CultureInfo.InvariantCulture, $"m,{tag}={series} v={samples.Values[i]:R} {samples.Times[i] / Instant.Millisecond}\n");
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
        public override string Ping => "/health";

        protected override IEnumerable<string> Arguments(string folder, int port, bool coldSoon) =>
            [$"-storageDataPath={folder}", "-retentionPeriod=20y", $"-httpListenAddr=127.0.0.1:{port}", "-loggerLevel=WARN"];

        protected override void Prepare(PeerServer server)
        {
        }

        protected override void Settle(PeerServer server)
        {
            server.Post("/internal/force_flush", "");
            for (var merge = 0; merge < 2; merge++)
            {
                server.Post("/internal/force_merge", "");
                WaitQuiet(server.Folder);
            }
        }

        // Its windows are (t - w, t]: a millisecond earlier they are [t - w, t) of whole milliseconds. Its cache of results would answer, not it.
        public override string PathOf(Query.BenchQuestion question)
        {
            var of = question.Series.Count == 0 ? "m_v" : $"m_v{{s=~\"{string.Join('|', question.Series)}\"}}";
            var seconds = question.Step > 0 ? question.Step / 1000 : (question.To - question.From) / 1000;
            var over = $"{(question.Function == "avg" ? "avg" : "max")}_over_time({of}[{seconds}s])";
            return question.Step == 0 ? $"/api/v1/query?nocache=1&time={Seconds(question.To - 1)}&query={Uri.EscapeDataString($"max({over})")}"
                : $"/api/v1/query_range?nocache=1&start={Seconds(question.From + question.Step - 1)}&end={Seconds(question.To - 1)}&step={seconds}s&query={Uri.EscapeDataString(over)}";
        }

        public override Dictionary<(string Series, long Start), double> ValuesOf(JsonElement answer, Query.BenchQuestion question)
        {
            var values = new Dictionary<(string, long), double>();
            foreach (var result in answer.GetProperty("data").GetProperty("result").EnumerateArray())
            {
                var series = result.GetProperty("metric").TryGetProperty("s", out var name) ? name.GetString()! : "";
                foreach (var point in result.TryGetProperty("values", out var many) ? many.EnumerateArray() : Enumerable.Repeat(result.GetProperty("value"), 1))
                {
                    var end = (long)Math.Round(point[0].GetDouble() * 1000) + 1;
                    values[(series, question.Step == 0 ? question.From : end - question.Step)] = double.Parse(point[1].GetString()!, CultureInfo.InvariantCulture);
                }
            }
            return values;
        }

        private static string Seconds(long milliseconds) => (milliseconds / 1000m).ToString(CultureInfo.InvariantCulture);
    }

    private sealed class InfluxDb() : Peer("InfluxDB", "influxd")
    {
        protected override string WritePath => "/write?db=b&precision=ms";
        protected override string DataFiles => @"\.tsm$";
        public override string Ping => "/ping";

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

        protected override void Prepare(PeerServer server) => server.Post("/query?q=CREATE%20DATABASE%20b", "");

        /// <summary>Started again, it takes what is a second old for cold: a snapshot and a full compaction follow.</summary>
        protected override void Settle(PeerServer server)
        {
            server.Stop();
            Start(server, coldSoon: true);
            Thread.Sleep(2_000);
            WaitQuiet(server.Folder);
        }

        public override string PathOf(Query.BenchQuestion question)
        {
            var where = $"time>={question.From}ms AND time<{question.To}ms"
                + (question.Series.Count == 0 ? "" : $" AND ({string.Join(" OR ", question.Series.Select(s => $"s='{s}'"))})");
            var text = $"SELECT {(question.Function == "avg" ? "mean" : "max")}(v) FROM m WHERE {where}"
                + (question.Step == 0 ? "" : $" GROUP BY time({question.Step / 1000}s), s fill(none)");
            return $"/query?db=b&epoch=ms&q={Uri.EscapeDataString(text)}";
        }

        public override Dictionary<(string Series, long Start), double> ValuesOf(JsonElement answer, Query.BenchQuestion question)
        {
            var values = new Dictionary<(string, long), double>();
            foreach (var result in answer.GetProperty("results")[0].GetProperty("series").EnumerateArray())
            {
                var series = result.TryGetProperty("tags", out var tags) ? tags.GetProperty("s").GetString()! : "";
                foreach (var point in result.GetProperty("values").EnumerateArray())
                {
                    values[(series, question.Step == 0 ? question.From : point[0].GetInt64())] = point[1].GetDouble();
                }
            }
            return values;
        }
    }
}
