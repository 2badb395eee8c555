using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Foretier.Client.Mqtt;
using Foretier.Tests.Benchmarks.Ingest;

namespace Foretier.Tests.Benchmarks;

/// <summary>Kills the real agent over and over while it is published to, and compares what it has with what it acknowledged.</summary>
internal sealed class CrashMode(int kills, int seed, bool withGateway)
{
    private const string Usage = """
        usage: scripts/crash [--kills N] [--seed N] [--gateway]
          Starts the agent, publishes to it, kills it with SIGKILL after 0 to 1.5 s (default 200 times, seed 1), and starts it again on the same
          folder. Its journal is small, windows are flushed, sealed and scrubbed every few hundred ms, so that kills fall into all of that.
          With --gateway the agent ships to a gateway and has hardly any room of its own, so that kills fall into shipping, moving and the removal of
          shipped windows too; the gateway is killed every third time, and all is read back through it.
          Every ten kills, and at the end, all samples are read back: each acknowledged one must be there once with its value, nothing that
          was not sent may be, and the ledger must balance.
        Exit code 1 where that does not hold; the folder is kept then.
        """;

    private static readonly long Day = new DateTimeOffset(2026, 3, 1, 0, 0, 0, TimeSpan.Zero).ToUnixTimeMilliseconds();
    private readonly Random _random = new(seed);
    private readonly Dictionary<(int Series, long Time), long> _sent = [];
    private readonly HashSet<long> _acknowledged = [];
    private readonly int _gatewayPort = Broker.FreePort();
    private long _next;

    public static async Task<int> RunAsync(IReadOnlyList<string> args)
    {
        var (kills, seed, withGateway) = (200, 1, false);
        for (var i = 0; i < args.Count; i += 2)
        {
            if (args[i] == "--gateway")
            {
                withGateway = true;
                i--;
                continue;
            }
            var value = i + 1 < args.Count ? args[i + 1] : "";
            if (!(args[i] == "--kills" && int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out kills) && kills > 0)
                && !(args[i] == "--seed" && int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out seed)))
            {
                Console.Error.WriteLine(Usage);
                return args[i] is "--help" or "-h" ? 0 : 2;
            }
        }
        var folder = Directory.CreateTempSubdirectory("foretier-crash-").FullName;
        Console.WriteLine($"{kills} kills, seed {seed}{(withGateway ? ", with a gateway" : "")}, in {folder}");
        var failure = await new CrashMode(kills, seed, withGateway).RunAsync(folder);
        if (failure is null)
        {
            Directory.Delete(folder, recursive: true);
            return 0;
        }
        Console.WriteLine($"FAILED: {failure}");
        return 1;
    }

    private async Task<string?> RunAsync(string folder)
    {
        var watch = Stopwatch.StartNew();
        Broker? gateway = null;
        try
        {
            for (var kill = 1; kill <= kills; kill++)
            {
                gateway ??= withGateway ? await StartGatewayAsync(folder) : null;
                using var agent = await StartAsync(folder);
                if (kill % 10 == 1 && await DifferenceAsync(gateway ?? agent) is { } difference)
                {
                    return difference;
                }
                await PublishAndKillAsync(agent, TimeSpan.FromMilliseconds(_random.Next(1500)));
                if (kill % 3 == 0 && gateway is not null)
                {
                    gateway.Process.Kill();
                    await gateway.Process.WaitForExitAsync();
                    gateway.Dispose();
                    gateway = null;
                }
                if (kill % 10 == 0)
                {
                    Console.WriteLine($"{kill,5} kills  {_acknowledged.Count,10:N0} acknowledged  {_sent.Count,10:N0} sent  {watch.Elapsed.TotalSeconds,6:F0} s");
                }
            }
            gateway ??= withGateway ? await StartGatewayAsync(folder) : null;
            using var last = await StartAsync(folder);
            if (await DifferenceAsync(gateway ?? last) is { } found)
            {
                return found;
            }
            Console.WriteLine($"{kills} kills, {_acknowledged.Count:N0} samples acknowledged, {_sent.Count:N0} sent: every acknowledged one is there once, the ledger balances; {watch.Elapsed.TotalSeconds:F0} s");
            Console.WriteLine($"held at the end: {await HeldAsync(gateway ?? last)}");
            return null;
        }
        finally
        {
            gateway?.Dispose();
        }
    }

    private Task<Broker> StartAsync(string folder) => LoneAgent.StartAsync(folder, [
        ("HOT__JOURNALFILEBYTES", "131072"), ("HOT__JOURNALFILES", "3"), ("HOT__QUIETAGE", "00:00:00.1"), ("HOT__FLUSHAGE", "00:00:00.3"),
        ("HOT__SEALAGE", "00:00:00.2"), ("HOT__SCRUBINTERVAL", "00:00:00.5"), ("HOT__RESERVEBYTES", "0"),
        .. withGateway ? [("UPSTREAM", $"http://127.0.0.1:{_gatewayPort}"), ("HOT__FLASHBYTESMAX", "3000000")] : Array.Empty<(string, string)>()]);

    private async Task<Broker> StartGatewayAsync(string folder) => new(
        await LoneNode.StartAsync("Gateway", _gatewayPort, [("NODE", "gateway-1"), ("DATA", Path.Combine(folder, "gateway"))]), _gatewayPort, null, null)
    {
        HttpPort = _gatewayPort,
    };

    private async Task PublishAndKillAsync(Broker agent, TimeSpan after)
    {
        await using var publisher = await MqttPublisher.ConnectAsync(agent.Mqtt("crash", 50) with { StartPatience = TimeSpan.FromSeconds(10) }, ack =>
        {
            if (!ack.IsRefused)
            {
                lock (_acknowledged)
                {
                    _acknowledged.Add(ack.Tag);
                }
            }
        }, TimeProvider.System, CancellationToken.None);
        using var over = new CancellationTokenSource();
        var publishing = PublishAsync(publisher, over.Token);
        await Task.Delay(after / 2);
        if (withGateway)
        {
            // What is over is to leave the edge, while more of it comes in. Not waited for: the kill falls into it.
            using var http = LoneNode.Client(agent);
            using var moving = await http.PostAsJsonAsync("api/v1/tier/move", new { to = "hdd", before = Day + _next / 4000 % 60 * 86_400_000, wait = false });
            moving.EnsureSuccessStatusCode();
        }
        await Task.Delay(after / 2);
        agent.Process.Kill();
        await agent.Process.WaitForExitAsync();
        await over.CancelAsync();
        try
        {
            await publishing;
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
        }
    }

    /// <summary>A few windows at a time, which change as time goes on, so that some are over, sealed, and get late samples.</summary>
    private async Task PublishAsync(MqttPublisher publisher, CancellationToken cancel)
    {
        while (!cancel.IsCancellationRequested)
        {
            var tag = ++_next;
            var series = (int)(tag % 7);
            // Unique by the tag; the day is mostly the current one of the campaign, sometimes an earlier one.
            var day = Math.Max(0, tag / 4000 - (_random.Next(10) == 0 ? _random.Next(4) : 0));
            var time = Day + day % 60 * 86_400_000 + tag % 80_000_000;
            _sent[(series, time)] = tag;
            await publisher.PublishAsync(Encoding.UTF8.GetBytes($"v1/acme/crash/m{series}"), Encoding.UTF8.GetBytes($$"""{"v":{{tag}},"t":{{time}}}"""), tag, cancel);
            if (tag % 20 == 0)
            {
                await Task.Delay(1, cancel);
            }
        }
    }

    private async Task<string?> DifferenceAsync(Broker asked)
    {
        using var http = LoneNode.Client(asked);
        var patience = Stopwatch.StartNew();
        var seen = new HashSet<long>();
        for (var series = 0; series < 7; series++)
        {
            for (var day = 0; day < 60 && day <= _next / 4000; day++)
            {
                var from = Day + day * 86_400_000L;
                using var response = await WholeAsync(http, patience, $"api/v1/query?series=acme/crash/m{series}&fn=raw&from={from}&to={from + 86_400_000}");
                if (response.StatusCode == System.Net.HttpStatusCode.NotFound)
                {
                    continue; // the series is not known: killed before its first sample
                }
                if (!response.IsSuccessStatusCode)
                {
                    return $"the query was answered with {(int)response.StatusCode}: {await response.Content.ReadAsStringAsync()}";
                }
                var answer = await JsonAsync(response);
                if (answer.GetProperty("meta").GetProperty("partial").GetBoolean())
                {
                    return $"an answer is partial: {answer.GetProperty("meta")}";
                }
                foreach (var point in answer.GetProperty("results").EnumerateArray().SelectMany(result => result.GetProperty("points").EnumerateArray()))
                {
                    var (time, value) = (point[0].GetInt64(), (long)point[1].GetDouble());
                    if (!_sent.TryGetValue((series, time), out var tag) || tag != value)
                    {
                        return $"m{series} at {time} has {value}, which was never sent";
                    }
                    if (!seen.Add(tag))
                    {
                        return $"m{series} at {time} is there twice";
                    }
                }
            }
        }
        lock (_acknowledged)
        {
            var lost = _acknowledged.Where(tag => !seen.Contains(tag)).ToList();
            if (lost.Count > 0)
            {
                return $"{lost.Count} acknowledged samples are missing, the first is number {lost[0]}";
            }
        }
        var ledgers = await http.GetFromJsonAsync<JsonElement>("api/v1/ledger");
        if (!ledgers.GetProperty("balanced").GetBoolean())
        {
            return $"the ledgers do not balance: {ledgers}";
        }
        var ledger = ledgers.GetProperty("nodes").EnumerateArray().First(node => node.GetProperty("node").GetString() == "edge-1");
        return ledger.GetProperty("lost").GetInt64() != 0 || ledger.GetProperty("unique").GetInt64() != seen.Count
            ? $"the ledger does not fit {seen.Count} samples: {ledger}" : null;
    }

    /// <summary>A gateway that was killed hears of its edge again within seconds; until then its answers rightly say that they are partial.</summary>
    private static async Task<HttpResponseMessage> WholeAsync(HttpClient http, Stopwatch patience, string question)
    {
        while (true)
        {
            var response = await http.GetAsync(question);
            if (patience.Elapsed > TimeSpan.FromSeconds(30) || !response.IsSuccessStatusCode
                || !(await JsonAsync(response)).GetProperty("meta").GetProperty("partial").GetBoolean())
            {
                return response;
            }
            response.Dispose();
            await Task.Delay(200);
        }
    }

    private static async Task<JsonElement> JsonAsync(HttpResponseMessage response) => JsonElement.Parse(await response.Content.ReadAsStringAsync());

    private static async Task<string> HeldAsync(Broker asked)
    {
        using var http = LoneNode.Client(asked);
        var tiers = (await http.GetFromJsonAsync<JsonElement>("api/v1/tier")).GetProperty("tiers").EnumerateArray();
        return string.Join(", ", tiers.Select(tier => $"{tier.GetProperty("tier")} of {tier.GetProperty("node")} {tier.GetProperty("samples").GetInt64():N0} samples in {tier.GetProperty("windows")} windows"));
    }
}
