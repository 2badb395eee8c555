using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.RegularExpressions;
using Foretier.Core.Samples;
using Foretier.Tests.Benchmarks.Segments;
using Foretier.Tests.Unit.Archive;

namespace Foretier.Tests.Benchmarks.Query;

/// <summary>
/// What the router adds: dashboard queries (8 series, last 6 hours, 1m avg) through it and to the gateway directly, many at once, beside the peers;
/// reads of the gateway for what nobody asked before; and a month from an archive behind a slow S3 service.
/// </summary>
internal static class RouterBench
{
    private const int SeriesCount = 32, Days = 30, SecondsApart = 60, PanelSeries = 8, ClientsAtOnce = 4;
    private const long Minute = 60_000, Hour = 60 * Minute, Day = 24 * Hour;
    private const string Bucket = "bench";
    private static readonly TimeSpan WarmUp = QueryBench.UntilCompiled, RoundTime = TimeSpan.FromSeconds(2), S3Delay = TimeSpan.FromMilliseconds(80);

    /// <returns>True where every target is met.</returns>
    public static async Task<bool> RunAsync()
    {
        var targets = new Targets();
        var set = Panels();
        using var s3 = new FakeS3(Bucket);
        await using var site = await Site.StartAsync($"s3://{Bucket}?endpoint={s3.Endpoint.GetLeftPart(UriPartial.Authority)}", ("AWS_ACCESS_KEY_ID", "bench"), ("AWS_SECRET_ACCESS_KEY", "bench-secret"));
        string Of(string name) => site.Ready.GetProperty(name).GetString()!;
        await QueryBench.FillAsync(new(Of("agent")), $"{Of("user")}:{Of("secret")}", set);
        await MoveAsync(site, "hdd");

        Contestant Node(string role, params string[] working) => Contestant.Foretier(role, new(Of(role)), Of("apiKey"), [.. working.Select(site.PidOf)]);
        using (var gateway = Node("gateway", "gateway"))
        using (var router = Node("router", "router", "gateway"))
        {
            await ColdAsync(targets, site, gateway, set);
            var panels = PanelsOf(set);
            var figures = Measure([gateway, router], panels);
            foreach (var (one, figure) in figures)
            {
                Tell(one.Name, figure);
            }
            targets.AtMost("    router over gateway: p50", figures[router].Percentile(0.5) - figures[gateway].Percentile(0.5), 1, "ms");
            Crowd(targets, () => Node("router", "router", "gateway"), panels);
            Peers(set, panels, router, figures[router]);
        }
        await MoveAsync(site, "archive");
        await ArchiveAsync(targets, site, s3, set);
        return targets.AllMet;
    }

    private static DataSet Panels()
    {
        var start = new DateTimeOffset(2024, 1, 1, 0, 0, 0, TimeSpan.Zero).ToUnixTimeMilliseconds() * Instant.Millisecond;
        var random = new Random(7);
        return new("panels", [.. Enumerable.Range(0, SeriesCount).Select(s =>
        {
            var (samples, value) = (new SampleColumns(), 20.0);
            for (var i = 0; i < Days * 86_400 / SecondsApart; i++)
            {
                value += random.NextDouble() - 0.5;
                samples.Add(start + i * SecondsApart * Instant.Second, Math.Round(value, 2));
            }
            return ($"dev{s:0000}", samples);
        })]);
    }

    private static List<BenchQuestion> PanelsOf(DataSet set)
    {
        var to = EndOf(set);
        return [.. Enumerable.Range(0, SeriesCount / PanelSeries).Select(p =>
            new BenchQuestion([.. set.Series.Skip(p * PanelSeries).Take(PanelSeries).Select(s => s.Series)], to - 6 * Hour, to, Minute, "avg"))];
    }

    private static long EndOf(DataSet set) => set.Series.Max(s => s.Samples.LastTime) / Instant.Millisecond / Day * Day + Day;

    /// <summary>What the gateway reads of its data files for series that nobody has asked before, one and a panel of them; it counts that itself.</summary>
    private static async Task ColdAsync(Targets targets, Site site, Contestant gateway, DataSet set)
    {
        foreach (var (what, series, day) in new[] { ("a series", 1, 4), ("8 series", PanelSeries, 6) })
        {
            var before = await DiskAsync(site);
            gateway.Ask(new([.. set.Series.Skip(10).Take(series).Select(s => s.Series)], EndOf(set) - day * Day, EndOf(set) - (day - 1) * Day, Hour, "avg"));
            var after = await DiskAsync(site);
            targets.AtMost($"gateway, a day of {what} nobody asked before: reads of its disk a series", (after.Reads - before.Reads) / series, 2, "");
            targets.AtMost("    bytes of them over those of the segments and rollups", (after.Bytes - before.Bytes) / (after.Needed - before.Needed), 1.1, "×");
        }
    }

    private static async Task<(double Reads, double Bytes, double Needed)> DiskAsync(Site site)
    {
        var text = await site.Http.GetStringAsync(new Uri(new(site.Ready.GetProperty("gateway").GetString()!), "metrics"));
        double Of(string name) => double.Parse(Regex.Match(text, $@"^{name}(?:\{{.*\}})? (\S+)", RegexOptions.Multiline).Groups[1].Value, CultureInfo.InvariantCulture);
        return (Of("foretier_disk_reads_total"), Of("foretier_disk_read_bytes_total"), Of("foretier_disk_needed_bytes_total"));
    }

    private static Dictionary<Contestant, Figures> Measure(List<Contestant> all, List<BenchQuestion> questions)
    {
        all.ForEach(one => one.Time(questions, WarmUp));
        var figures = all.ToDictionary(one => one, _ => new Figures(0, []));
        for (var round = 0; round < 3; round++)
        {
            all.ForEach(one => figures[one] = figures[one].And(one.Time(questions, RoundTime)));
        }
        return figures;
    }

    private static void Tell(string name, Figures figure) => Targets.Tell($"dashboard query, hot: {name}", string.Create(CultureInfo.InvariantCulture,
        $"p50 {figure.Percentile(0.5):0.00}, p99 {figure.Percentile(0.99):0.00} ms, CPU {figure.CpuEach:0.00} ms, {figure.Times.Count} asked"));

    /// <summary>Several clients at once, which share the machine with what they ask.</summary>
    private static void Crowd(Targets targets, Func<Contestant> client, List<BenchQuestion> panels)
    {
        var clients = Enumerable.Range(0, ClientsAtOnce).Select(_ => client()).ToList();
        var took = Stopwatch.StartNew();
        var figures = new Figures[clients.Count];
        var threads = clients.Select((one, i) => new Thread(() => figures[i] = one.Time(panels, TimeSpan.FromSeconds(8)))).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        var seconds = took.Elapsed.TotalSeconds;
        var all = new Figures(figures.Max(f => f.Cpu), [.. figures.SelectMany(f => f.Times)]);
        targets.AtLeast($"dashboard queries, {ClientsAtOnce} at once, on the cores they share with their clients", all.Times.Count / seconds, 500, "/s");
        targets.AtMost("    p99", all.Percentile(0.99), 25, "ms");
        Targets.Tell("    CPU of router and gateway", string.Create(CultureInfo.InvariantCulture, $"{all.CpuEach:0.00} ms a query"));
        clients.ForEach(one => one.Dispose());
    }

    private static void Peers(DataSet set, List<BenchQuestion> panels, Contestant router, Figures ours)
    {
        foreach (var peer in Peer.All)
        {
            if (peer.Find() is null)
            {
                Targets.Tell(peer.Name, "not installed");
                continue;
            }
            using var server = peer.Serve(set);
            using var other = Contestant.Of(peer, server);
            QueryBench.Check([router, other], panels);
            var figure = Measure([other], panels)[other];
            Tell(peer.Name, figure);
            Targets.Tell($"    router / {peer.Name}", string.Create(CultureInfo.InvariantCulture,
                $"p50 {ours.Percentile(0.5) / figure.Percentile(0.5):0.00}, p99 {ours.Percentile(0.99) / figure.Percentile(0.99):0.00}, CPU {ours.CpuEach / figure.CpuEach:0.00}"));
        }
    }

    private static async Task ArchiveAsync(Targets targets, Site site, FakeS3 s3, DataSet set)
    {
        var to = EndOf(set);
        string PathOf(int series) => string.Create(CultureInfo.InvariantCulture,
            $"api/v1/query?series=acme/{set.Series[series].Series}/m.v&from={to - Days * Day}&to={to}&fn=avg&step=1h");
        async Task<(double Milliseconds, int Requests, long Bytes)> AskAsync(int series)
        {
            var (asked, sent, began) = (s3.Requests.Count, s3.BytesSent, Stopwatch.GetTimestamp());
            var answer = await site.GetAsync(PathOf(series));
            var took = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
            if (answer.GetProperty("results")[0].GetProperty("points").GetArrayLength() != Days * 24 || answer.GetProperty("meta").GetProperty("partial").GetBoolean())
            {
                throw new InvalidOperationException("not the whole month: " + answer.GetProperty("meta").GetRawText());
            }
            return (took, s3.Requests.Count - asked, s3.BytesSent - sent);
        }
        // Code and connections warm, then a router that has read nothing yet of the files: another series has others.
        await AskAsync(0);
        site.Restart("router");
        await QuietAsync(site);
        await Task.Delay(2_000);
        s3.Delay = S3Delay;
        var cold = await AskAsync(SeriesCount - 1);
        s3.Delay = TimeSpan.Zero;
        targets.AtMost("a month by the hour from the archive, 80 ms more a request: rounds of requests", cold.Milliseconds / S3Delay.TotalMilliseconds, 4, "× 80 ms in all (3 rounds, and the work)");
        Targets.Tell("    requests", string.Create(CultureInfo.InvariantCulture, $"{cold.Requests}, {cold.Bytes / 1e3:0.0} kB, {cold.Milliseconds:0} ms"));
        var again = new List<double>();
        for (var i = 0; i < 30; i++)
        {
            again.Add((await AskAsync(SeriesCount - 1)).Milliseconds);
        }
        targets.AtMost("    asked again, from the router's cache: median", again.Order().ElementAt(again.Count / 2), 10, "ms");
    }

    /// <summary>Until a router that was started again has heard of all that it knew of: before that its answers say what they may lack.</summary>
    private static async Task QuietAsync(Site site)
    {
        for (var tries = 0; ; tries++)
        {
            try
            {
                var tiers = await site.GetAsync("api/v1/tier");
                var isArchiveKnown = tiers.GetProperty("tiers").EnumerateArray().Any(t => t.GetProperty("tier").GetString() == "archive");
                if (isArchiveKnown && !(await site.GetAsync("healthz")).GetProperty("problems").EnumerateArray().Any(p => p.GetString()!.EndsWith("is not connected", StringComparison.Ordinal)))
                {
                    return;
                }
            }
            catch (HttpRequestException) when (tries < 300)
            {
                // Not up again yet.
            }
            await Task.Delay(100);
        }
    }

    private static async Task MoveAsync(Site site, string to)
    {
        using var moved = await site.Http.PostAsJsonAsync("api/v1/tier/move", new { to, wait = true });
        moved.EnsureSuccessStatusCode();
        await Task.Delay(2_000);
    }
}
