using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using Foretier.Core.Samples;
using Foretier.Tests.Benchmarks.Ingest;
using Foretier.Tests.Benchmarks.Segments;

namespace Foretier.Tests.Benchmarks.Query;

/// <summary>
/// The same questions over the same samples to Foretier's REST and to the peers that are installed, in turn: CPU of the server a query, what a
/// request costs by itself taken off on each side, and p99. Answers are compared before anything is timed. Judged is, as with the peers, the
/// one process that holds the samples: the edge, and the gateway. What the router and its links add is told beside it.
/// </summary>
internal static class QueryBench
{
    private const int Rounds = 4;
    private const int SeriesAsked = 10;
    private const double ShareMax = 0.5;
    private const long Minute = 60_000, Hour = 60 * Minute, Day = 24 * Hour;
    private static readonly TimeSpan RoundTime = TimeSpan.FromSeconds(0.5);

    /// <summary>What answers a question is compiled anew beside the answers of its first ten seconds; the peers were compiled before they were started.</summary>
    internal static readonly TimeSpan UntilCompiled = TimeSpan.FromSeconds(10);

    /// <returns>True where every target is met.</returns>
    public static async Task<bool> RunAsync()
    {
        var targets = new Targets();
        var home = DataSet.Load("opensmarthome", "opensmarthome_readings.csv.gz");
        if (home is null)
        {
            Console.WriteLine("published readings are not here (FORETIER_DATA names their folder): only the fleet is asked for");
        }
        foreach (var set in new[] { home, DataSet.Fleet("fleet", 1_000, 3_600, 0) }.OfType<DataSet>())
        {
            await CompareAsync(targets, set);
        }
        return targets.AllMet;
    }

    private static async Task CompareAsync(Targets targets, DataSet set)
    {
        // Files at rest on every side: windows sealed here, parts merged there.
        var folder = Directory.CreateTempSubdirectory("foretier-bench-").FullName;
        var peers = new List<(Peer Peer, PeerServer Server)>();
        try
        {
            using var agent = await LoneAgent.StartAsync(folder, ("HOT__SEALAGE", "00:00:02"));
            await FillAsync(new($"http://127.0.0.1:{agent.HttpPort}"), $"{agent.User}:{agent.Secret}", set);
            await using var site = await Site.StartAsync();
            string Of(string name) => site.Ready.GetProperty(name).GetString()!;
            await FillAsync(new(Of("agent")), $"{Of("user")}:{Of("secret")}", set);
            foreach (var peer in Peer.All)
            {
                if (peer.Find() is null)
                {
                    Targets.Tell($"{set.Name}: {peer.Name}", "not installed");
                    continue;
                }
                peers.Add((peer, peer.Serve(set)));
            }
            Peer.WaitQuiet(folder);
            var others = peers.ConvertAll(p => Contestant.Of(p.Peer, p.Server));
            using var edge = Contestant.Foretier("edge", new($"http://127.0.0.1:{agent.HttpPort}"), LoneNode.Key, [agent.Pid], UntilCompiled);
            using var router = Contestant.Foretier("router, data on the edge", new(Of("router")), Of("apiKey"), [site.PidOf("agent"), site.PidOf("gateway"), site.PidOf("router")]);
            Compare(targets, set, [edge], [router], others);
            using var moved = await site.Http.PostAsJsonAsync("api/v1/tier/move", new { to = "hdd", wait = true });
            moved.EnsureSuccessStatusCode();
            await Task.Delay(2_000);
            using var disk = Contestant.Foretier("router, data on the gateway", new(Of("router")), Of("apiKey"), [site.PidOf("gateway"), site.PidOf("router")]);
            using var gateway = Contestant.Foretier("gateway", new(Of("gateway")), Of("apiKey"), [site.PidOf("gateway")], UntilCompiled);
            Compare(targets, set, [gateway], [disk], others);
            others.ForEach(o => o.Dispose());
        }
        finally
        {
            peers.ForEach(p => p.Server.Dispose());
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Compare(Targets targets, DataSet set, List<Contestant> judged, List<Contestant> told, List<Contestant> others)
    {
        List<Contestant> all = [.. judged, .. told, .. others];
        foreach (var (name, questions) in QuestionsOf(set))
        {
            var figures = Asked(all, questions);
            foreach (var one in all)
            {
                var (figure, floor) = figures[one];
                Targets.Tell($"{set.Name}: {name}: {one.Name}", string.Create(CultureInfo.InvariantCulture,
                    $"CPU {figure.CpuEach - floor.CpuEach:0.000} ms (+ {floor.CpuEach:0.000}), p50 {figure.Percentile(0.5):0.00}, p99 {figure.Percentile(0.99):0.00} ms, {figure.Times.Count} asked"));
            }
            if (others.Count == 0)
            {
                continue;
            }
            double Cpu(Contestant of) => Math.Max(0.001, figures[of].Asked.CpuEach - figures[of].Floor.CpuEach);
            foreach (var one in told)
            {
                Targets.Tell($"    {one.Name} / the best: CPU", string.Create(CultureInfo.InvariantCulture, $"{Cpu(one) / others.Min(Cpu):0.00}"));
            }
            foreach (var one in judged)
            {
                targets.AtMost($"    {one.Name} / the best: CPU", Cpu(one) / others.Min(Cpu), ShareMax, "");
                targets.AtMost($"    {one.Name} / the best: p99", figures[one].Asked.Percentile(0.99) / others.Min(o => figures[o].Asked.Percentile(0.99)), 1, "");
            }
        }
    }

    private static Dictionary<Contestant, (Figures Asked, Figures Floor)> Asked(List<Contestant> all, List<BenchQuestion> questions)
    {
        Check(all, questions);
        return Measure(all, questions);
    }

    /// <summary>
    /// All in turn, round by round, and what a request costs by itself in between, when its code is as warm as that of the questions: what else the machine does, and how
    /// fast it is, meets each of them.
    /// </summary>
    private static Dictionary<Contestant, (Figures Asked, Figures Floor)> Measure(List<Contestant> all, List<BenchQuestion> questions)
    {
        all.ForEach(one => one.Time(questions, one.WarmUp));
        all.ForEach(one => one.Time(null, RoundTime));
        var figures = all.ToDictionary(one => one, _ => (Asked: new Figures(0, []), Floor: new Figures(0, [])));
        for (var round = 0; round < Rounds; round++)
        {
            all.ForEach(one => figures[one] = (figures[one].Asked.And(one.Time(questions, RoundTime)), figures[one].Floor.And(one.Time(null, RoundTime / 2))));
        }
        return figures;
    }

    /// <summary>Of each kind some, of other series each.</summary>
    private static IEnumerable<(string Name, List<BenchQuestion> Questions)> QuestionsOf(DataSet set)
    {
        var names = set.Series.Select(s => s.Series).ToList();
        var ends = set.Series.Select(s => s.Samples.LastTime / Instant.Millisecond).ToList();
        long first = set.Series.Min(s => s.Samples.FirstTime) / Instant.Millisecond, last = ends.Max();
        yield return ("1 series, last hour, 1m avg", [.. Enumerable.Range(0, 50).Select(i => i * 7 % names.Count)
            .Select(i => new BenchQuestion([names[i]], Up(ends[i], Minute) - Hour, Up(ends[i], Minute), Minute, "avg"))]);
        var to = Up(last, Hour);
        yield return ($"{SeriesAsked} series, 30 days, 1h max", [.. Enumerable.Range(0, 10)
            .Select(i => new BenchQuestion([.. Enumerable.Range(0, SeriesAsked).Select(k => names[(i * 7 + k) % names.Count])], to - 30 * Day, to, Hour, "max"))]);
        yield return ($"all {names.Count} series, max", [new([], Down(first, Hour), to, 0, "max")]);
    }

    private static long Up(long time, long step) => Down(time, step) + step;

    private static long Down(long time, long step) => time / step * step;

    internal static void Check(List<Contestant> all, List<BenchQuestion> questions)
    {
        foreach (var question in questions)
        {
            var expected = all[0].Ask(question);
            foreach (var other in all.Skip(1))
            {
                var values = other.Ask(question);
                if (expected.Count == 0 || values.Count != expected.Count || expected.Any(e => !values.TryGetValue(e.Key, out var value)
                    || Math.Abs(value - e.Value) > 1e-9 * Math.Max(1, Math.Abs(e.Value))))
                {
                    throw new InvalidOperationException($"{other.Name} answers {question} differently: {values.Count} values, {all[0].Name} {expected.Count}");
                }
            }
        }
    }

    /// <summary>Over HTTP, as lines, in the order of time: the edge files by the day.</summary>
    internal static async Task FillAsync(Uri agent, string credentials, DataSet set)
    {
        using var http = new HttpClient { BaseAddress = agent, Timeout = TimeSpan.FromMinutes(2) };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Token", credentials);
        foreach (var lines in Peer.LinesOf(set, "host"))
        {
            for (var tries = 0; ; tries++)
            {
                using var answer = await http.PostAsync("write?precision=ms", new StringContent(lines, Encoding.UTF8));
                if (answer.IsSuccessStatusCode)
                {
                    break;
                }
                if ((int)answer.StatusCode != 503 || tries > 100)
                {
                    throw new InvalidOperationException($"{(int)answer.StatusCode}: {await answer.Content.ReadAsStringAsync()}");
                }
                await Task.Delay(500);
            }
        }
    }
}
