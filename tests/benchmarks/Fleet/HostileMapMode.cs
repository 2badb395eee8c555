using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Tests.Benchmarks.Ingest;
using Foretier.Tests.Benchmarks.Links;
using Foretier.Tests.Differential;
using Foretier.Tests.Map;
using Host = Foretier.Tests.Benchmarks.Links.Host;

namespace Foretier.Tests.Benchmarks.Fleet;

/// <summary>A running edge, gateway and router under load, whose partition map is damaged, turned upside down, held back and taken away, wherever it is kept and on its way.</summary>
internal sealed class HostileMapMode : IAsyncDisposable
{
    private const string Usage = """
        usage: scripts/hostile-map [--seconds N] [--devices N] [--seed N]
          Starts etcd, a router, a gateway and an edge. --devices devices (default 4) publish 20 readings a second each at QoS 1, of now and of earlier days, which are flushed, shipped and archived
          every few seconds; router, gateway and edge are asked all the time what is known. Meanwhile, for --seconds each (default 15): the map in etcd is damaged, turned upside down, made up,
          deleted, put back to what it was before, marked as half written, and etcd is stopped; another edge dials the gateway and lies; the edge is killed and started again on a map,
          a volume history and an access log that are made up, damaged, gone, or old. Every answer has to have all that was acknowledged up to its watermark, once and with its value; where the
          edge is away, or the machine so busy that somebody took more than 8 s, it may name what it lacks. At the end count and digest of every series, from disk and from the archive, and the ledgers.
          Prints of each attack how often what the router was told of the edge differed from what the edge says, and what answers took: a wrong map may cost time, and nothing else.
        Exit code 1 where any of it does not hold (the folder with the logs is kept and named then), 2 for bad usage.
        """;

    private const string Secret = "a secret of this run only", Edge = "edge-1";
    private const int HistoryDays = 3;

    /// <summary>
    /// Who takes longer comes near the deadline of a fetch (10 s): no map does that, a machine without a core to spare does. Whoever was asked at that time, or within the second for which
    /// a node that missed its deadline is not asked again, may then say what it lacks.
    /// </summary>
    private static readonly TimeSpan StarvedAfter = TimeSpan.FromSeconds(8), StarvationLasts = TimeSpan.FromSeconds(2);

    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-hostile-").FullName;
    private readonly int _seconds, _devices, _seed;
    private readonly Random _random;
    private readonly EtcdFigures _figures = new();
    private readonly ConcurrentQueue<string> _wrong = new();
    private readonly ConcurrentQueue<(TimeSpan Began, TimeSpan Ended, string Place)> _starved = new();
    private readonly ConcurrentQueue<(TimeSpan Began, TimeSpan Ended, string What)> _lacking = new();
    private readonly CancellationTokenSource _done = new();
    private readonly Stopwatch _elapsed = Stopwatch.StartNew();
    private RunningEtcd _etcd = null!;
    private Host _router = null!, _gateway = null!, _edge = null!;
    private AttackPhase _phase = new("calm", mayLack: false);

    private HostileMapMode(int seconds, int devices, int seed) => (_seconds, _devices, _seed, _random) = (seconds, devices, seed, new(seed));

    public static async Task<int> RunAsync(IReadOnlyList<string> args)
    {
        var options = new Dictionary<string, int> { ["--seconds"] = 15, ["--devices"] = 4, ["--seed"] = 1 };
        for (var i = 0; i < args.Count; i += 2)
        {
            if (i + 1 == args.Count || !options.ContainsKey(args[i]) || !int.TryParse(args[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number < 1)
            {
                Console.Error.WriteLine(Usage);
                return args[i] is "--help" or "-h" ? 0 : 2;
            }
            options[args[i]] = number;
        }
        var mode = new HostileMapMode(options["--seconds"], options["--devices"], options["--seed"]);
        try
        {
            await using (mode)
            {
                await mode.RunAsync();
            }
        }
        catch (Exception error) when (error is InvalidOperationException or TimeoutException or HttpRequestException or WrongAnswerException)
        {
            mode.Wrong(error.Message);
        }
        if (mode._wrong.IsEmpty)
        {
            Directory.Delete(mode._folder, recursive: true);
            return 0;
        }
        Console.WriteLine($"{mode._wrong.Count} things were wrong; logs and data: {mode._folder}");
        return 1;
    }

    public async ValueTask DisposeAsync()
    {
        await _done.CancelAsync();
        _edge?.Dispose();
        _gateway?.Dispose();
        _router?.Dispose();
        if (_etcd is not null)
        {
            await _etcd.DisposeAsync();
        }
        _figures.Dispose();
        _done.Dispose();
    }

    private string Member => _etcd.Addresses[0];

    private async Task RunAsync()
    {
        _etcd = await RunningEtcd.StartAsync();
        var (routerPort, gatewayPort, edgePort, mqttPort, archive) = (Broker.FreePort(), Broker.FreePort(), Broker.FreePort(), Broker.FreePort(), Path.Combine(_folder, "archive"));
        _router = Node("router-1", "Router", routerPort, ("ARCHIVE", archive), ("ETCD__ENDPOINTS", _etcd.Endpoints), ("ETCD__DEADLINESECONDS", "2"));
        _gateway = Node("gateway-1", "Gateway", gatewayPort, ("SITE", "site-1"), ("ARCHIVE", archive), ("MODELS__DIRECTORY", "none"), ("UPSTREAM", $"http://127.0.0.1:{routerPort}"));
        _edge = Node(Edge, "Agent", edgePort, ("UPSTREAM", $"http://127.0.0.1:{gatewayPort}"), ("MQTT__PORT", $"{mqttPort}"), ("MODELS__DIRECTORY", "none"), ("ALLOCATE__NEWCOMERDELAY", "00:00:01"),
            ("HOT__QUIETAGE", "00:00:02"), ("HOT__FLUSHAGE", "00:00:03"), ("HOT__PACEDFLUSHBYTESPERDAY", "100000000000"), ("HOT__THINCOMMITBYTESPERDAY", "100000000000"));
        await Task.WhenAll(_router.StartAsync(), _gateway.StartAsync(), _edge.StartAsync());
        await Patience.UntilAsync("the router reaches the edge", async () =>
        {
            using var made = await _router.Http.PutAsJsonAsync("api/v1/devices/acme/*", new { secret = Secret });
            return made.IsSuccessStatusCode && (await _router.GetAsync("api/v1/ledger")).GetProperty("nodes").GetArrayLength() == 2;
        });
        List<SteadyDevice> devices = [.. Enumerable.Range(1, _devices).Select(number => new SteadyDevice(number, HistoryDays))];
        foreach (var device in devices)
        {
            await device.StartAsync("127.0.0.1", Secret, mqttPort);
        }
        List<Questioner> askers = [.. devices.SelectMany(device => new[] { new Questioner(_router, device, true, _seed + device.Number), new Questioner(_gateway, device, true, _seed - device.Number), new Questioner(_edge, device, false, _seed) })];
        await Patience.UntilAsync("every series is known everywhere, and the map has them", async () => devices.TrueForAll(device => device.Acknowledged > 8) && await AreWholeAsync(askers, 0)
            && await EntriesAsync(_edge) is { Count: > 0 } own && own.SetEquals(await EntriesAsync(_router)));
        var before = await _figures.MapsAsync(Member);
        List<string> series = [.. devices.SelectMany(device => new[] { "m0", "m1", "m2", "h" }.Select(measurement => $"{device.Name}/{measurement}"))];
        var lies = new HostileMap(_seed, series, Window.DayOf(Instant.From(DateTime.UtcNow)).Start - HistoryDays * Instant.Day, HistoryDays + 2);
        var map = new SpoiltMap(Edge, Path.Combine(_folder, Edge, "map"), Path.Combine(_folder, "good"), lies, series, _random);
        map.KeepFiles();
        var asking = askers.Select(AskAsync).Append(LookAsync()).ToList();

        Console.WriteLine("what was done                 router's differed   whole partial  none    p50 ms   p95 ms   max ms");
        await BefallAsync("nothing", askers, () => Task.CompletedTask);
        await BefallAsync("etcd: damaged", askers, () => _figures.PutAsync(Member, map.Damaged(before, withHeads: false)));
        await BefallAsync("etcd: damaged, heads too", askers, () => _figures.PutAsync(Member, map.Damaged(before, withHeads: true)));
        await BefallAsync("etcd: upside down", askers, () => _figures.PutAsync(Member, map.UpsideDown(before)));
        await BefallAsync("etcd: made up", askers, () => _figures.PutAsync(Member, map.MadeUp()));
        await BefallAsync("etcd: deleted", askers, () => _figures.DeleteMapsAsync(Member, Edge + "/"));
        await BefallAsync("etcd: as it was long ago", askers, () => _figures.PutAsync(Member, before));
        await BefallAsync("etcd: half written, far ahead", askers, () => _figures.PutAsync(Member, [map.Head(isBeingWritten: _random.Next(2) == 0)]));
        await BefallAsync("etcd: silent", askers, Once(() => _etcd.Pause(Member)), () => Task.Run(() => _etcd.Resume(Member)));
        await BefallAsync("etcd: gone", askers, Once(() => _etcd.Kill(Member)), () => _etcd.RestartAsync(Member));
        var (liar, told) = ((Liar?)null, 0L);
        async Task LieAsync()
        {
            if (liar is null or { IsSilenced: true })
            {
                if (liar is not null)
                {
                    told += liar.Told;
                    await liar.DisposeAsync();
                }
                liar = await Liar.StartAsync(_folder, gatewayPort, _random.Next(), series, Window.DayOf(Instant.From(DateTime.UtcNow)).Start - Instant.Day);
            }
        }
        await BefallAsync("another edge lies", askers, LieAsync);
        await BefallAsync("edge: everything made up", askers, () => RestartAsync(map.MakeFilesUp), mayLack: true);
        await BefallAsync("edge: everything damaged", askers, () => RestartAsync(map.DamageFiles), mayLack: true);
        await BefallAsync("edge: everything gone", askers, () => RestartAsync(map.DeleteFiles), mayLack: true);
        await BefallAsync("edge: everything as it was", askers, () => RestartAsync(map.PutFilesBack), mayLack: true);
        await BefallAsync("all of that", askers, async () =>
        {
            await LieAsync();
            await _figures.PutAsync(Member, map.MadeUp());
            await _figures.PutAsync(Member, map.Damaged(before, withHeads: true));
            if (_random.Next(20) == 0)
            {
                await RestartAsync(map.MakeFilesUp);
            }
        }, mayLack: true);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{told + liar!.Told:N0} lies were told over the link"));
        await liar.DisposeAsync();
        await _done.CancelAsync();
        await Task.WhenAll(asking);
        JudgeLacking();
        await AccountAsync(askers, devices);
        foreach (var device in devices)
        {
            await device.DisposeAsync();
        }
    }

    private Task BefallAsync(string name, List<Questioner> askers, Func<Task> attack, bool mayLack) => BefallAsync(name, askers, attack, null, mayLack);

    /// <summary>Does it ten times a second; a restart every five.</summary>
    private async Task BefallAsync(string name, List<Questioner> askers, Func<Task> attack, Func<Task>? afterwards = null, bool mayLack = false)
    {
        using var moving = await _gateway.Http.PostAsJsonAsync("api/v1/tier/move", new { to = "archive", before = DateTimeOffset.UtcNow.AddDays(-1).ToUnixTimeMilliseconds(), wait = false });
        _phase = new(name, mayLack);
        for (var began = Stopwatch.StartNew(); began.Elapsed < TimeSpan.FromSeconds(_seconds); await Task.Delay(mayLack && name != "all of that" ? 5_000 : 100))
        {
            try
            {
                await attack();
            }
            catch (HttpRequestException) when (afterwards is not null)
            {
                // etcd is away.
            }
        }
        if (afterwards is not null)
        {
            await afterwards();
        }
        var over = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        var whole = await Patience.UntilAsync($"{name}: every answer is whole, and fresh", () => AreWholeAsync(askers, over));
        var phase = _phase;
        _phase = new($"after {name}", mayLack: false);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{phase}   fresh after {whole.TotalSeconds:0.0} s"));
    }

    private static Func<Task> Once(Action act)
    {
        var isDone = false;
        return () =>
        {
            if (!isDone)
            {
                isDone = true;
                act();
            }
            return Task.CompletedTask;
        };
    }

    private async Task RestartAsync(Action between)
    {
        _edge.Kill();
        between();
        await _edge.StartAsync();
    }

    /// <summary>Asks as long as the campaign lasts, as often as a dashboard does.</summary>
    private async Task AskAsync(Questioner asker)
    {
        for (; !_done.IsCancellationRequested; await Task.Delay(300))
        {
            var (phase, began) = (_phase, _elapsed.Elapsed);
            try
            {
                var outcome = await WatchedAsync(asker, asker.AskAsync);
                var ended = _elapsed.Elapsed;
                phase.Count(outcome, ended - began);
                if (outcome != Outcome.Whole && phase == _phase && !phase.MayLack)
                {
                    _lacking.Enqueue((began, ended, $"{phase.Name}: {asker.Place.Name} about {asker.Device.Name}: {outcome}, though the map alone is wrong"));
                }
            }
            catch (WrongAnswerException wrong)
            {
                Wrong($"{phase.Name}: {wrong.Message}");
            }
        }
    }

    /// <summary>Notes whether somebody took too long.</summary>
    private async Task<T> WatchedAsync<T>(Questioner asker, Func<Task<T>> ask)
    {
        var began = _elapsed.Elapsed;
        try
        {
            return await ask();
        }
        finally
        {
            var ended = _elapsed.Elapsed;
            if (ended - began > StarvedAfter)
            {
                _starved.Enqueue((began, ended, asker.Place.Name));
            }
        }
    }

    /// <summary>Once nobody asks any more: who took long is known only in the end.</summary>
    private void JudgeLacking()
    {
        var excused = 0;
        foreach (var lacking in _lacking)
        {
            if (_starved.Any(starved => lacking.Ended >= starved.Began && lacking.Began <= starved.Ended + StarvationLasts))
            {
                excused++;
                continue;
            }
            Wrong(string.Create(CultureInfo.InvariantCulture, $"{lacking.What}, {lacking.Began.TotalSeconds:0.0} to {lacking.Ended.TotalSeconds:0.0} s after the start"));
        }
        if (excused > 0)
        {
            var places = string.Join(", ", _starved.CountBy(starved => starved.Place).Select(count => $"{count.Value} of {count.Key}"));
            Console.WriteLine($"{excused} answers said what they lack while others took more than {StarvedAfter.TotalSeconds:0} s ({places}): the machine is too busy for its map to be told apart from it");
        }
    }

    /// <summary>Compares what the router was told of the edge with what the edge says.</summary>
    private async Task LookAsync()
    {
        for (; !_done.IsCancellationRequested; await Task.Delay(500))
        {
            var phase = _phase;
            try
            {
                phase.Looked(!(await EntriesAsync(_edge)).SetEquals(await EntriesAsync(_router)));
            }
            catch (Exception error) when (error is HttpRequestException or TaskCanceledException && phase.MayLack)
            {
                // The edge is away.
            }
        }
    }

    private static async Task<HashSet<string>> EntriesAsync(Host place) =>
        [.. (await place.GetAsync($"api/v1/map?edge={Edge}")).GetProperty("entries").EnumerateArray().Select(entry => entry.GetRawText())];

    private async Task<bool> AreWholeAsync(List<Questioner> askers, long time) => (await Task.WhenAll(askers.Select(asker => IsWholeAsync(asker, time)))).All(whole => whole);

    private async Task<bool> IsWholeAsync(Questioner asker, long time)
    {
        try
        {
            return await WatchedAsync(asker, () => asker.HasAllAsync(time));
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

    private async Task AccountAsync(List<Questioner> askers, List<SteadyDevice> devices)
    {
        foreach (var device in devices)
        {
            await device.FinishAsync();
            if (device.Refused is { } refused)
            {
                Wrong(refused);
            }
        }
        var sent = devices.Sum(device => device.Sent);
        await Patience.UntilAsync("everything is at the gateway", async () => Of(await _gateway.GetAsync("api/v1/ledger"), Edge, "released") == sent);
        await CompareAsync(askers, "hdd and archive");
        using var moving = await _gateway.Http.PostAsJsonAsync("api/v1/tier/move", new { to = "archive", before = DateTimeOffset.UtcNow.AddDays(1).ToUnixTimeMilliseconds(), wait = true });
        moving.EnsureSuccessStatusCode();
        await CompareAsync(askers.Where(asker => asker.Place != _edge), "archive");
        var ledger = await _router.GetAsync("api/v1/ledger");
        // (What an edge that was killed had not acknowledged comes again.)
        if (!ledger.GetProperty("balanced").GetBoolean() || Of(ledger, Edge, "unique") != sent || Of(ledger, "gateway-1", "lost") != 0)
        {
            Wrong($"the ledgers do not fit {sent} readings: {ledger}");
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{devices.Sum(device => device.Acknowledged):N0} readings acknowledged of {sent:N0} sent in {_elapsed.Elapsed.TotalSeconds:0} s: {(_wrong.IsEmpty ? "every one is there once, on disk and in the archive; every answer was right; the ledgers balance" : $"{_wrong.Count} things were wrong")}"));
    }

    private async Task CompareAsync(IEnumerable<Questioner> askers, string tiers)
    {
        foreach (var asker in askers)
        {
            foreach (var series in asker.Device.Of(SteadyDevice.Live, 0, long.MaxValue, int.MaxValue).Concat(asker.Place == _edge ? [] : asker.Device.Of(SteadyDevice.History, 0, long.MaxValue, int.MaxValue)).GroupBy(reading => reading.Measurement))
            {
                var sent = series.OrderBy(reading => reading.Time).Select(reading => (reading.Time, (double)reading.Value)).ToList();
                var there = await asker.AllAsync(series.Key);
                if (there.Count != sent.Count || SteadyDevice.Digest(there) != SteadyDevice.Digest(sent))
                {
                    Wrong($"{tiers}: {asker.Device.Name}/{series.Key} through {asker.Place.Name}: {there.Count} readings, {sent.Count} were sent, and their digests differ");
                }
            }
        }
    }

    private static long Of(JsonElement ledger, string node, string name) =>
        ledger.GetProperty("nodes").EnumerateArray().FirstOrDefault(one => one.GetProperty("node").GetString() == node) is { ValueKind: JsonValueKind.Object } found ? found.GetProperty(name).GetInt64() : -1;

    private Host Node(string name, string project, int port, params (string Key, string Value)[] settings) => new(name, "127.0.0.1", port, () =>
    {
        var start = new ProcessStartInfo("sh", ["-c", "exec \"$0\" >>\"$LOG\" 2>&1", LoneNode.Built(project)]);
        start.Environment["LOG"] = Path.Combine(_folder, name + ".log");
        foreach (var (key, value) in ((string Key, string Value)[])[("NODE", name), ("DATA", Path.Combine(_folder, name)), ("HTTP", $"http://127.0.0.1:{port}"), .. LoneNode.Secrets, .. settings])
        {
            start.Environment["FORETIER__" + key] = value;
        }
        return Process.Start(start)!;
    });

    private void Wrong(string what)
    {
        _wrong.Enqueue(what);
        if (_wrong.Count <= 20)
        {
            Console.WriteLine($"WRONG {what}");
        }
    }
}
