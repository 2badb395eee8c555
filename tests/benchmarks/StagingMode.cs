using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Foretier.Client.Mqtt;
using Foretier.Tests.Benchmarks.Ingest;
using Foretier.Tests.Unit.Archive;

namespace Foretier.Tests.Benchmarks;

/// <summary>A report over archived months, asked week after week on a clock that runs fast: with copies made ahead on the gateway, and without.</summary>
internal static class StagingMode
{
    private const string Usage = """
        usage: scripts/staging [--weeks N] [--rate N] [--days N] [--delay MS]
          Starts agent, gateway and router on a clock that runs --rate times as fast (default 5000: a week in two minutes) before an S3 server that takes --delay ms
          (default 80) longer for each request, imports --days days (default 60) of 20 series, a sample a minute each, moves them to the archive, and asks --weeks times
          (default 4), a week apart, for each day's mean and maximum. The same once more with STAGE__BYTESMAX=0. The router keeps next to nothing of what it has read of
          the archive (ARCHIVECACHEBYTES): within a week other questions would have pushed it out. Readers are found without the model, which takes longer to start
          than an hour is here. Prints how long each first answer took and from which tier it came, and what the scorecard says was moved and used.
        Exit code 1 where an answer differs from the first, that of the third week or a later one is not quicker than the first week's, or nothing that was moved was used.
        """;

    private const int Devices = 20, PointsPerMessage = 360;
    private static readonly DateTimeOffset _begin = new(2026, 6, 1, 7, 0, 0, TimeSpan.Zero);

    public static async Task<int> RunAsync(IReadOnlyList<string> args)
    {
        var options = new Dictionary<string, int> { ["--weeks"] = 4, ["--rate"] = 5_000, ["--days"] = 60, ["--delay"] = 80 };
        for (var i = 0; i < args.Count; i += 2)
        {
            if (i + 1 == args.Count || !options.ContainsKey(args[i]) || !int.TryParse(args[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number < (args[i] == "--weeks" ? 3 : 1))
            {
                Console.Error.WriteLine(Usage);
                return args[i] is "--help" or "-h" ? 0 : 2;
            }
            options[args[i]] = number;
        }
        var (weeks, rate, days, delay) = (options["--weeks"], options["--rate"], options["--days"], TimeSpan.FromMilliseconds(options["--delay"]));
        Console.WriteLine($"{days} archived days of {Devices} series, asked in {weeks} weeks, a week in {7 * 86_400 / rate} s, {delay.TotalMilliseconds} ms more for each request to the archive");
        var on = await RunAsync(weeks, rate, days, delay, isOn: true);
        var off = await RunAsync(weeks, rate, days, delay, isOn: false);
        Console.WriteLine("week   staged ahead                          not");
        for (var week = 0; week < weeks; week++)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{week + 1,4}{on.Asked[week].Milliseconds,10:0.0} ms  {on.Asked[week].Tiers,-22}{off.Asked[week].Milliseconds,10:0.0} ms  {off.Asked[week].Tiers}"));
        }
        Console.WriteLine("scorecard: " + string.Join("; ", on.Moves.Select(line => string.Create(CultureInfo.InvariantCulture,
            $"{line.What}: {line.Made} made of {line.Moved / 1e6:0.00} MB read, {line.Bytes / 1e6:0.00} MB; {line.Used} used ({line.UsedBytes / 1e6:0.00} MB), {line.Wasted} wasted"))));
        var isSame = on.Asked.Concat(off.Asked).Select(one => one.Points).Distinct().Count() == 1;
        var ratio = on.Asked.Skip(2).Max(one => one.Milliseconds) / on.Asked[0].Milliseconds;
        var (moved, used) = (on.Moves.Sum(line => line.Moved), on.Moves.Sum(line => line.UsedBytes));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"answers {(isSame ? "equal" : "DIFFER")}; slowest from the third week on / first {ratio:0.00} (below 1); {moved / 1e6:0.00} MB read for copies, of which {used / 1e6:0.00} MB were used"));
        return isSame && ratio < 1 && moved > 0 && used > 0 ? 0 : 1;
    }

    private static async Task<Arm> RunAsync(int weeks, int rate, int days, TimeSpan delay, bool isOn)
    {
        var folder = Directory.CreateTempSubdirectory("foretier-staging-").FullName;
        try
        {
            using var s3 = new FakeS3("bench");
            return await RunAsync(folder, s3, weeks, rate, days, delay, isOn);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<Arm> RunAsync(string folder, FakeS3 s3, int weeks, int rate, int days, TimeSpan delay, bool isOn)
    {
        var (routerPort, gatewayPort) = (Broker.FreePort(), Broker.FreePort());
        // (Of the processes that are started from here; the server checks no signatures.)
        Environment.SetEnvironmentVariable("AWS_ACCESS_KEY_ID", "bench");
        Environment.SetEnvironmentVariable("AWS_SECRET_ACCESS_KEY", "bench-secret");
        (string, string) clock = ("CLOCK", FormattableString.Invariant($"{_begin:yyyy-MM-dd'T'HH:mm:ss'Z'}@{rate}")), models = ("MODELS__DIRECTORY", "none"),
            archive = ("ARCHIVE", $"s3://bench?endpoint={s3.Endpoint.GetLeftPart(UriPartial.Authority)}");
        using var router = new Broker(await LoneNode.StartAsync("Router", routerPort, [("NODE", "router-1"), ("DATA", Path.Combine(folder, "router")), ("ARCHIVECACHEBYTES", "100000"), archive, clock]), 0, null, null) { HttpPort = routerPort };
        using var gateway = new Broker(await LoneNode.StartAsync("Gateway", gatewayPort, [("NODE", "gateway-1"), ("DATA", Path.Combine(folder, "gateway")), ("SITE", "site-1"),
            ("UPSTREAM", $"http://127.0.0.1:{routerPort}"), ("STAGE__BYTESMAX", isOn ? "1000000000" : "0"), archive, clock, models]), 0, null, null);
        using var agent = await LoneAgent.StartAsync(folder, ("UPSTREAM", $"http://127.0.0.1:{gatewayPort}"), clock, models);
        using var http = LoneNode.Client(router);
        http.Timeout = TimeSpan.FromMinutes(5);
        async Task<JsonElement> GetAsync(string path) => JsonDocument.Parse(await http.GetStringAsync(path)).RootElement;
        var real = Stopwatch.StartNew();
        await PublishAsync(agent, days);
        foreach (var tier in new[] { "hdd", "archive" })
        {
            using var moved = await http.PostAsJsonAsync("api/v1/tier/move", new { to = tier, wait = true });
            moved.EnsureSuccessStatusCode();
        }
        var asked = new List<Asked>();
        string Day(int before) => _begin.Date.AddDays(-before).ToString("yyyy-MM-dd'T'00:00:00'Z'", CultureInfo.InvariantCulture);
        var path = $"api/v1/query?series=acme/*/t&from={Day(days)}&to={Day(0)}&step=1d&fn=avg,max";
        s3.Delay = delay;
        // The programs are warm, and know what the archive costs: another day's samples were asked for before.
        for (var i = 0; i < 3; i++)
        {
            await GetAsync($"api/v1/query?series=acme/dev0/t&from={Day(days + 1)}&to={Day(days)}&step=1d&fn=avg,max");
        }
        var week = TimeSpan.FromSeconds(7 * 86_400.0 / rate);
        var start = real.Elapsed;
        for (var i = 0; i < weeks; i++)
        {
            var wait = start + i * week - real.Elapsed;
            await Task.Delay(wait > TimeSpan.Zero ? wait : TimeSpan.Zero);
            var began = Stopwatch.GetTimestamp();
            var answer = await GetAsync(path);
            var took = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
            var tiers = string.Join('+', answer.GetProperty("meta").GetProperty("tiers").EnumerateArray().Select(tier => $"{tier.GetProperty("tier").GetString()}:{tier.GetProperty("resolution").GetString()}").Distinct());
            if (answer.GetProperty("meta").GetProperty("partial").GetBoolean())
            {
                throw new InvalidOperationException($"the answer of week {i + 1} is partial: {answer.GetProperty("meta")}");
            }
            asked.Add(new(took, tiers, PointsOf(answer)));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {(isOn ? "staged" : "not")}, week {i + 1}: {took:0.0} ms from {tiers}"));
        }
        var scorecard = await GetAsync("api/v1/scorecard?days=90");
        var moves = scorecard.GetProperty("nodes").EnumerateArray().Where(node => node.TryGetProperty("moves", out _)).SelectMany(node => node.GetProperty("moves").EnumerateArray())
            .Where(line => line.GetProperty("what").GetString() != "reserved").Select(line => new Move(line.GetProperty("what").GetString()!, line.GetProperty("made").GetInt64(),
                line.GetProperty("movedBytes").GetInt64(), line.GetProperty("bytes").GetInt64(), line.GetProperty("used").GetInt64(), line.GetProperty("usedBytes").GetInt64(), line.GetProperty("wasted").GetInt64())).ToList();
        return new(asked, moves);
    }

    /// <summary>Counts and maxima bit for bit, means to twelve digits.</summary>
    private static string PointsOf(JsonElement answer) => string.Join('\n', answer.GetProperty("results").EnumerateArray().Select(result => string.Join(' ',
        result.GetProperty("points").EnumerateArray().Select(point => string.Create(CultureInfo.InvariantCulture, $"{point[0].GetInt64()}={point[1].GetDouble():G12}")))));

    private static async Task PublishAsync(Broker agent, int days)
    {
        var random = new Random(1);
        await using var publisher = await MqttPublisher.ConnectAsync(agent.Mqtt("staging", 200), _ => { }, TimeProvider.System, CancellationToken.None);
        var first = _begin.Date.AddDays(-days - 1);
        for (var minute = 0; minute < (days + 1) * 1440; minute += PointsPerMessage)
        {
            for (var device = 0; device < Devices; device++)
            {
                var text = new StringBuilder("[");
                for (var i = 0; i < PointsPerMessage; i++)
                {
                    text.Append(i == 0 ? "" : ",").Append(CultureInfo.InvariantCulture,
                        $"[{new DateTimeOffset(first.AddMinutes(minute + i), TimeSpan.Zero).ToUnixTimeSeconds()},{Math.Round(20 + 5 * Math.Sin((minute + i) / 230.0) + random.NextDouble(), 2)}]");
                }
                await publisher.PublishAsync(Encoding.ASCII.GetBytes(FormattableString.Invariant($"v1/acme/dev{device}/t")), Encoding.ASCII.GetBytes(text.Append(']').ToString()), 0, CancellationToken.None);
            }
        }
        await publisher.DrainAsync(CancellationToken.None);
    }

    private sealed record Asked(double Milliseconds, string Tiers, string Points);

    private sealed record Move(string What, long Made, long Moved, long Bytes, long Used, long UsedBytes, long Wasted);

    private sealed record Arm(List<Asked> Asked, List<Move> Moves);
}
