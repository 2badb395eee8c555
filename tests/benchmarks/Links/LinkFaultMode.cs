using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;

namespace Foretier.Tests.Benchmarks.Links;

/// <summary>A fleet on hosts of its own whose network and parts fail in turn, while it is published to and asked.</summary>
internal sealed class LinkFaultMode(string folder, int seed, int scale, string? only) : IDisposable
{
    private const string Usage = """
        usage: scripts/link-faults [--seed N] [--scale PERCENT] [--only WORD]
          Starts etcd x3, two routers, a gateway and two edges, each in a network namespace of its own, joined by cables whose packets a program of
          ours carries, delays and loses. A device publishes to each edge at QoS 1 all the time, readings of now and of earlier days; windows are flushed,
          shipped and archived every few seconds. In the order of the seed (default 1), which also says whose uplink it is: uplink cut for 2 s and for 2 min,
          satellite (600 ms, 2 % of the packets lost), 256 kbit/s, half-open (packets vanish) one way and both, flapping; gateway and a router
          killed and paused; the etcd leader killed and paused. Meanwhile routers, gateway and edges are asked: every answer must have all that was
          acknowledged up to its watermark, once and with its value, or name the ranges it lacks; answers that the fault does not touch must be whole.
          After each fault answers must be whole again, everything shipped and everyone well, without a restart. At the end count and digest of
          every series through every router and gateway, from the gateway's disk and from the archive, and the ledgers.
          --scale 30   faults of 30 % of their length;  --only etcd   only those with this word in their name
          About 10 minutes. As root, on Linux with /dev/net/tun; needs iproute2, util-linux and etcd-server.
        Exit code 1 where any of it does not hold (the folder with the logs is kept and named then), 2 for bad usage, 5 where a program is missing.
        """;

    private const string Secret = "a secret of this run only";
    private const int HistoryDays = 3;

    private readonly Fleet _fleet = new(folder, seed);
    private readonly ConcurrentQueue<string> _wrong = new();
    private readonly CancellationTokenSource _done = new();
    private readonly Stopwatch _elapsed = Stopwatch.StartNew();
    private Phase _phase = new("calm", (_, _) => false);

    /// <summary>From one change of what goes wrong to the next.</summary>
    private sealed class Phase(string name, Func<Host, int, bool> touches)
    {
        private readonly int[] _outcomes = new int[3];
        private double _slowest;

        public string Name => name;
        public bool Touches(Questioner asker) => touches(asker.Place, asker.Device.Number);

        public void Count(Outcome outcome, TimeSpan took)
        {
            lock (_outcomes)
            {
                _outcomes[(int)outcome]++;
                _slowest = Math.Max(_slowest, took.TotalSeconds);
            }
        }

        public override string ToString()
        {
            lock (_outcomes)
            {
                return string.Create(CultureInfo.InvariantCulture, $"answers {_outcomes[0]} whole, {_outcomes[1]} partial, {_outcomes[2]} none, slowest {_slowest:0.0} s");
            }
        }
    }

    public static async Task<int> RunAsync(IReadOnlyList<string> args)
    {
        var (seed, scale, only) = (1, 100, (string?)null);
        for (var i = 0; i < args.Count; i += 2)
        {
            var value = i + 1 < args.Count ? args[i + 1] : "";
            var isNumber = int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number);
            switch (args[i])
            {
                case "--seed" when isNumber:
                    seed = number;
                    break;
                case "--scale" when isNumber && number is > 0 and <= 1000:
                    scale = number;
                    break;
                case "--only" when value.Length > 0:
                    only = value;
                    break;
                default:
                    Console.Error.WriteLine(Usage);
                    return args[i] is "--help" or "-h" ? 0 : 2;
            }
        }
        var folder = Directory.CreateTempSubdirectory("foretier-links-").FullName;
        try
        {
            var mode = new LinkFaultMode(folder, seed, scale, only);
            using (mode)
            {
                await mode.RunAsync();
            }
            // (What stops writes down where it was: the folder goes after it.)
            foreach (var wrong in mode._wrong.Take(20))
            {
                Console.WriteLine($"WRONG {wrong}");
            }
            if (mode._wrong.IsEmpty)
            {
                Directory.Delete(folder, recursive: true);
                return 0;
            }
        }
        catch (Exception error) when (error is InvalidOperationException or TimeoutException or HttpRequestException or WrongAnswerException)
        {
            Console.WriteLine($"FAILED: {error.Message}");
        }
        Console.WriteLine($"logs and data: {folder}");
        return 1;
    }

    private async Task RunAsync()
    {
        await _fleet.StartAsync(Secret);
        Say("up: etcd x3, 2 routers, a gateway, 2 edges, each on a host of its own");
        await using var one = new SteadyDevice(1, HistoryDays);
        await using var two = new SteadyDevice(2, HistoryDays);
        SteadyDevice[] devices = [one, two];
        foreach (var device in devices)
        {
            await device.StartAsync(_fleet.Edges[device.Number - 1].Address, Secret);
        }
        var above = _fleet.Routers.Append(_fleet.Gateway);
        List<Questioner> askers = [.. above.SelectMany(place => devices.Select(device => new Questioner(place, device, true, seed + device.Number))),
            .. devices.Select(device => new Questioner(_fleet.Edges[device.Number - 1], device, false, seed))];
        await Patience.UntilAsync("every series is known everywhere", async () => devices.All(device => device.Acknowledged > 8)
            && await AreWholeAsync(askers, 0));
        var asking = askers.Select(AskAsync).ToList();
        await SettledAsync(askers, devices);
        Say($"calm: {_phase}");

        foreach (var fault in Faults.Of(_fleet, new Random(seed), scale).Where(fault => only is null || fault.Name.Contains(only, StringComparison.Ordinal)))
        {
            await BefallAsync(fault, askers, devices);
        }
        await _done.CancelAsync();
        await Task.WhenAll(asking);
        await AccountAsync(askers, devices);
    }

    private async Task BefallAsync(Fault fault, List<Questioner> askers, SteadyDevice[] devices)
    {
        await MoveAsync(false);
        _phase = new(fault.Name, fault.Touches);
        var began = Stopwatch.StartNew();
        await fault.RunAsync();
        var lasted = began.Elapsed;
        var over = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        var recovered = await Patience.UntilAsync($"{fault.Name}: every answer is whole again, and fresh", () => AreWholeAsync(askers, over));
        var during = _phase;
        _phase = new($"after {fault.Name}", (_, _) => false);
        var settled = recovered + await SettledAsync(askers, devices);
        Say(string.Create(CultureInfo.InvariantCulture, $"{fault.Name}: {lasted.TotalSeconds:0} s; {during}; whole again after {recovered.TotalSeconds:0.0} s, shipped and well after {settled.TotalSeconds:0.0} s"));
    }

    /// <summary>Everything acknowledged by now is at the gateway, and nobody has anything to complain of.</summary>
    private async Task<TimeSpan> SettledAsync(List<Questioner> askers, SteadyDevice[] devices)
    {
        var acknowledged = devices.ToDictionary(device => device, device => device.Acknowledged);
        var shipped = await Patience.UntilAsync("all readings so far are at the gateway", async () =>
        {
            var ledger = await _fleet.Gateway.GetAsync("api/v1/ledger");
            return devices.All(device => Number(Node(ledger, $"edge-{device.Number}"), "released") >= acknowledged[device]);
        });
        var complaints = "";
        try
        {
            return shipped + await Patience.UntilAsync("everyone is well", async () =>
            {
                complaints = "";
                foreach (var place in askers.Select(asker => asker.Place).Distinct())
                {
                    var health = await place.GetAsync("healthz");
                    complaints += health.GetProperty("status").GetString() == "ok" ? "" : $"{place.Name}: {health.GetProperty("problems")} ";
                }
                return complaints.Length == 0;
            });
        }
        catch (TimeoutException late)
        {
            throw new TimeoutException($"{late.Message}; {complaints}");
        }
    }

    /// <summary>Asks as long as the campaign lasts, about as often as a dashboard does.</summary>
    private async Task AskAsync(Questioner asker)
    {
        for (; !_done.IsCancellationRequested; await Task.Delay(400))
        {
            if (!asker.Place.IsUp)
            {
                continue;
            }
            var phase = _phase;
            var watch = Stopwatch.StartNew();
            try
            {
                var outcome = await asker.AskAsync();
                phase.Count(outcome, watch.Elapsed);
                if (outcome != Outcome.Whole && phase == _phase && !phase.Touches(asker))
                {
                    Wrong($"{phase.Name}: {asker.Place.Name} about {asker.Device.Name}: {outcome}, though nothing is wrong for it");
                }
            }
            catch (WrongAnswerException wrong)
            {
                Wrong($"{phase.Name}: {wrong.Message}");
            }
        }
    }

    private async Task<bool> AreWholeAsync(List<Questioner> askers, long time) => (await Task.WhenAll(askers.Select(asker => IsWholeAsync(asker, time)))).All(whole => whole);

    private async Task<bool> IsWholeAsync(Questioner asker, long time)
    {
        try
        {
            return asker.Place.IsUp && await asker.HasAllAsync(time);
        }
        catch (WrongAnswerException) when (_phase.Name == "calm")
        {
            // Series that are not known yet.
            return false;
        }
        catch (WrongAnswerException wrong)
        {
            Wrong($"{_phase.Name}: {wrong.Message}");
            return false;
        }
    }

    /// <summary>Earlier days go to the archive; what comes of them later follows with the next move.</summary>
    private async Task MoveAsync(bool all)
    {
        var before = DateTimeOffset.UtcNow.AddDays(all ? 1 : -1).ToUnixTimeMilliseconds();
        using var moving = await _fleet.Gateway.Http.PostAsJsonAsync("api/v1/tier/move", new { to = "archive", before, wait = all });
        if (!moving.IsSuccessStatusCode)
        {
            Wrong($"{_phase.Name}: tier/move: {await moving.Content.ReadAsStringAsync()}");
        }
    }

    /// <summary>Count and digest of every series, from every tier, and the ledgers.</summary>
    private async Task AccountAsync(List<Questioner> askers, SteadyDevice[] devices)
    {
        foreach (var device in devices)
        {
            await device.FinishAsync();
            if (device.Refused is { } refused)
            {
                Wrong(refused);
            }
        }
        await SettledAsync(askers, devices);
        await CompareAsync(askers, "hdd and archive");
        await MoveAsync(true);
        await CompareAsync(askers.Where(asker => !_fleet.Edges.Contains(asker.Place)), "archive");
        foreach (var place in _fleet.Routers.Append(_fleet.Gateway))
        {
            var ledger = await place.GetAsync("api/v1/ledger");
            var isRight = ledger.GetProperty("balanced").GetBoolean() && devices.All(device =>
            {
                var edge = Node(ledger, $"edge-{device.Number}");
                return Number(edge, "received") == device.Sent && Number(edge, "unique") == device.Sent && Number(edge, "released") == device.Sent;
            });
            // (The gateway counts a sample that comes again with a block that has grown, its first copy being archived already, as one more.)
            isRight &= Number(Node(ledger, "gateway-1"), "unique") >= devices.Sum(device => device.Sent) && Number(Node(ledger, "gateway-1"), "lost") == 0;
            if (!isRight)
            {
                Wrong($"the ledgers at {place.Name} do not fit {string.Join(" and ", devices.Select(device => device.Sent))} readings: {ledger}");
            }
        }
        Say($"{devices.Sum(device => device.Acknowledged)} readings acknowledged of {devices.Sum(device => device.Sent)} sent: {(_wrong.IsEmpty ? "every one is there once, on disk and in the archive; every answer was right; the ledgers balance" : $"{_wrong.Count} things were wrong")}");
    }

    private async Task CompareAsync(IEnumerable<Questioner> askers, string tiers)
    {
        foreach (var asker in askers)
        {
            foreach (var series in asker.Device.Of(SteadyDevice.Live, 0, long.MaxValue, int.MaxValue).Concat(_fleet.Edges.Contains(asker.Place) ? [] : asker.Device.Of(SteadyDevice.History, 0, long.MaxValue, int.MaxValue))
                .GroupBy(reading => reading.Measurement))
            {
                var sent = series.OrderBy(reading => reading.Time).Select(reading => (reading.Time, (double)reading.Value)).ToList();
                var there = await asker.AllAsync(series.Key);
                if (there.Count != sent.Count || SteadyDevice.Digest(there) != SteadyDevice.Digest(sent))
                {
                    Wrong($"{tiers}: {asker.Device.Name}/{series.Key} through {asker.Place.Name}: {there.Count} readings with digest {SteadyDevice.Digest(there)}; {sent.Count} with {SteadyDevice.Digest(sent)} were sent");
                }
            }
        }
    }

    /// <returns>-1 where the node did not answer.</returns>
    private static long Number(JsonElement ledger, string name) => ledger.ValueKind == JsonValueKind.Object ? ledger.GetProperty(name).GetInt64() : -1;

    private static JsonElement Node(JsonElement ledger, string node) => ledger.GetProperty("nodes").EnumerateArray().FirstOrDefault(one => one.GetProperty("node").GetString() == node);

    private void Wrong(string what)
    {
        _wrong.Enqueue(what);
        if (_wrong.Count <= 20)
        {
            Say($"WRONG {what}");
        }
    }

    private void Say(string what) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{_elapsed.Elapsed.TotalSeconds,6:0} s  {what}"));

    public void Dispose()
    {
        _fleet.Dispose();
        _done.Dispose();
    }
}
