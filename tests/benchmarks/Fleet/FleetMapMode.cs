using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Node.Hosting;
using Foretier.Predict.Models;
using Foretier.Tests.Benchmarks.Ingest;
using Foretier.Tests.Map;

namespace Foretier.Tests.Benchmarks.Fleet;

/// <summary>The partition map of a fleet: real forecasts, real links, a real etcd and router processes.</summary>
internal sealed class FleetMapMode : IAsyncDisposable
{
    private const string Usage = """
        usage: scripts/fleet-map [--edges N] [--series N] [--distinct N] [--hours N] [--members N] [--entries N] [--seed N]
          Simulates --edges edges (default 200) of --series series each (default 1000) against one etcd of --members members (default 3). --distinct of them (default 40) run the agent's
          own counting, forecasts (volume-lstm and access-ranker in this process), planner and map file over what seeded series of the kinds of data/ send and who asks for them; each of the
          others says what one of these says, with its own name and devices. Every edge answers over a link of its own; one router has the links, another only etcd's watch. Then: all maps, of
          nine days, into an empty etcd; --hours hours from a midnight on (default 24); a minute of nothing; changes one by one; etcd's leader killed (with three members or more); each router
          killed and started again. At the end the maps are put under more names into another etcd until there are --entries entries (default 200000; 0: not done), for one more router.
          Prints map size, bytes an hour over the links and into etcd, memory of routers a minute after they had much to take in and at most, times until all routers have what an edge has, what ten million series take by that, and what a router of
          those many entries really took. On two quiet cores forecasts are made of some 2,000 series a second.
        Exit code 0 where targets are met, 1 otherwise, 2 for bad usage.
        """;

    private const int WarmDays = 8, WarmHours = 1, ExtraHours = 12;
    private const double RouterMegabytesMax = 300, ValueBytesMax = 1 << 20, QuotaBytes = 2e9, PaperSeries = 10e6;
    /// <summary>Until a node gives back what taking in much took, and a little more.</summary>
    private static readonly TimeSpan Settling = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(15);

    private readonly Dictionary<string, int> _options;
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-fleet-").FullName;

    /// <summary>Edges write their state every hour, each to a disk of its own in truth: here to memory, where there is such a folder.</summary>
    private readonly string _edgeFolder = Directory.CreateDirectory(Path.Combine(Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), $"foretier-fleet-{Environment.ProcessId}")).FullName;
    private readonly LentModels _volume = new(ModelContract.VolumeLstm.Id), _ranker = new(ModelContract.AccessRanker.Id);
    private readonly EtcdFigures _figures = new();
    private readonly Targets _targets = new();
    private readonly long _begin = Instant.From(new DateTime(2026, 3, 2, 0, 0, 0, DateTimeKind.Utc));
    private readonly List<MadeEdge> _edges = [];

    /// <summary>Every edge of the fleet, and which one it says the same as.</summary>
    private readonly List<(string Name, MadeEdge Edge)> _fleet = [];
    private readonly List<Router> _routers = [];
    private RunningEtcd _etcd = null!;
    private CountingRelay? _relay;
    private List<EtcdPair> _maps = [];
    private double _perHourBody, _perHourEtcd, _herdSeconds, _linkProcessor, _idleBytes;

    private FleetMapMode(Dictionary<string, int> options) => _options = options;

    public static async Task<int> RunAsync(IReadOnlyList<string> args)
    {
        var options = new Dictionary<string, int> { ["--edges"] = 200, ["--series"] = 1_000, ["--distinct"] = 40, ["--hours"] = 24, ["--members"] = 3, ["--entries"] = 200_000, ["--seed"] = 1 };
        for (var i = 0; i < args.Count; i += 2)
        {
            if (i + 1 == args.Count || !options.ContainsKey(args[i]) || !int.TryParse(args[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                || (number < 1 && args[i] != "--entries"))
            {
                Console.Error.WriteLine(Usage);
                return args[i] is "--help" or "-h" ? 0 : 2;
            }
            options[args[i]] = number;
        }
        // A watcher of its settings for each of hundreds of nodes in this process is more than a user may have.
        Environment.SetEnvironmentVariable("DOTNET_hostBuilder__reloadConfigOnChange", "false");
        // Routers run as in their image and under 'foretier up'.
        Environment.SetEnvironmentVariable("DOTNET_GCgen0size", "2000000");
        Environment.SetEnvironmentVariable("DOTNET_GCGen1MaxBudget", "600000");
        await using var mode = new FleetMapMode(options);
        await mode.RunAsync();
        return mode._targets.AllMet ? 0 : 1;
    }

    public async ValueTask DisposeAsync()
    {
        await StopFleetAsync();
        await _volume.DisposeAsync();
        await _ranker.DisposeAsync();
        _figures.Dispose();
        Directory.Delete(_folder, recursive: true);
        Directory.Delete(_edgeFolder, recursive: true);
    }

    private int Edges => _options["--edges"];
    private int Series => _options["--series"];
    private int Hours => _options["--hours"];

    private async Task RunAsync()
    {
        await MakeAsync();
        await FillAsync();
        await SizeAsync();
        await HoursAsync();
        await QuietAsync();
        await ChangesAsync();
        await LeaderAsync();
        await RoutersAsync();
        _maps = await _figures.MapsAsync(_etcd.Addresses[0]);
        await StopFleetAsync();
        Paper();
        if (_options["--entries"] > 0)
        {
            await CopiesAsync();
        }
    }

    private async Task MakeAsync()
    {
        var took = Stopwatch.StartNew();
        var days = WarmDays + (Hours + ExtraHours) / 24 + 2;
        var made = new MadeEdge[Math.Min(Edges, _options["--distinct"])];
        await Parallel.ForEachAsync(Enumerable.Range(0, made.Length), TwoAtOnce, async (number, _) =>
        {
            made[number] = new(NameOf(number), _options["--seed"] * 100_000 + number, Series, _begin - WarmDays * Instant.Day, days, _edgeFolder, _volume.LendAsync, _ranker.LendAsync);
            for (var day = WarmDays; day > 0; day--)
            {
                await made[number].AdvanceAsync(_begin - day * Instant.Day);
            }
            for (var hour = WarmHours; hour > 0; hour--)
            {
                await made[number].AdvanceAsync(_begin - hour * Instant.Hour);
            }
        });
        _edges.AddRange(made);
        _fleet.AddRange(Enumerable.Range(0, Edges).Select(number => (NameOf(number), made[number % made.Length])));
        Console.WriteLine(Text($"{Edges} edges x {Series:N0} series, {made.Length} of them distinct, seed {_options["--seed"]}; {WarmDays + WarmHours} cycles of each before the first hour, {took.Elapsed.TotalSeconds:0} s"));
    }

    private async Task FillAsync()
    {
        _etcd = await RunningEtcd.StartAsync(_options["--members"]);
        _routers.Add(await Router.StartAsync("router-1", _folder, _etcd.Endpoints));
        _routers.Add(await Router.StartAsync("router-2", _folder, _etcd.Endpoints));
        Targets.Tell("routers without a map, MB resident", Text($"{_routers[0].Resident:0} and {_routers[1].Resident:0}"));
        _relay = new CountingRelay(_routers[0].Port);
        var began = Stopwatch.GetTimestamp();
        await Parallel.ForEachAsync(_fleet, TwoAtOnce, async (one, _) => await one.Edge.LinkAsync(one.Name, _edgeFolder, _relay.Port));
        var linked = Stopwatch.GetElapsedTime(began);
        await ShownAsync(_fleet);
        _herdSeconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        Targets.Tell("all edges dial, all maps into an empty etcd, both routers have them", Text($"{_herdSeconds:0.0} s, of which {linked.TotalSeconds:0.0} s to start the edges' own servers"));
        Targets.Tell("  bodies of that over the links", Text($"{_edges.Sum(edge => edge.Told) / 1e6:0.00} MB, {_edges.Sum(edge => edge.Told) / (double)Edges / Series:0.0} bytes a series"));
    }

    private async Task SizeAsync()
    {
        Targets.Tell("router with the links, router that only follows etcd, resident at most so far", Text($"{_routers[0].Peak:0} and {_routers[1].Peak:0} MB; what follows is a minute later"));
        await Task.Delay(Settling);
        _maps = await _figures.MapsAsync(_etcd.Addresses[0]);
        var (entries, groups) = (_maps.Where(IsEntry).ToList(), _maps.Where(IsGroup).ToList());
        Targets.Tell("map of the fleet", Text($"{entries.Count:N0} entries of {SizeOf(entries) / entries.Count:0} bytes with their keys, {groups.Count:N0} memberships of {SizeOf(groups) / groups.Count:0}, {SizeOf(_maps) / 1e6:0.00} MB"));
        Targets.Tell("  of an edge, of a series", Text($"{(double)entries.Count / Edges:0.0} entries, {SizeOf(_maps) / Edges / 1e3:0.0} KB; {SizeOf(_maps) / Edges / Series:0.0} bytes"));
        _targets.AtMost("largest value (etcd takes 1.5 MB)", _maps.Max(pair => pair.Value.Length), ValueBytesMax, "bytes");
        var (_, _, database) = await _figures.TrafficAsync(_etcd.Addresses.Take(1));
        _targets.AtMost("database of a member (its quota is 2 GB unless it is told otherwise)", database / 1e6, QuotaBytes / 1e6, "MB");
        Targets.Tell("  resident memory of a member", Text($"{_etcd.ResidentBytes / 1e6 / _etcd.Addresses.Count:0} MB"));
        _targets.AtMost("router with the links, resident", _routers[0].Resident, RouterMegabytesMax, "MB");
        _targets.AtMost("router that only follows etcd, resident", _routers[1].Resident, RouterMegabytesMax, "MB");
        Targets.Tell("  heap of both at their last collection", Text($"{await _routers[0].HeapAsync():0} and {await _routers[1].HeapAsync():0} MB"));
    }

    private async Task HoursAsync()
    {
        Console.WriteLine("  hour  edges changed   entries  removed  memberships   link bytes   into etcd   out of it  told after, ms (median, most)   s");
        List<(double Link, double Body, double Etcd)> sums = [];
        for (var hour = 0; hour < Hours; hour++)
        {
            var (carried, told, etcd, took) = (_relay!.Carried, _edges.Sum(edge => edge.Told), await _figures.TrafficAsync(_etcd.Addresses), Stopwatch.StartNew());
            var (changed, entries, removed, groups, waited) = (0, 0, 0, 0, new List<double>());
            await Parallel.ForEachAsync(_edges, TwoAtOnce, async (edge, _) =>
            {
                if (await edge.AdvanceAsync(_begin + hour * Instant.Hour) is not { } update)
                {
                    return;
                }
                // While others still forecast.
                var like = _fleet.Where(one => one.Edge == edge).ToList();
                var late = await ShownAsync(like);
                lock (waited)
                {
                    (changed, entries, removed, groups) = (changed + like.Count, entries + like.Count * update.Entries.Count, removed + like.Count * update.Removed.Count, groups + like.Count * update.Groups.Count);
                    waited.Add(late);
                }
            });
            await ShownAsync(_fleet);
            var now = await _figures.TrafficAsync(_etcd.Addresses);
            waited.Sort();
            var body = _edges.Sum(edge => edge.Told) - told;
            var (link, into) = (_relay.Carried.Up - carried.Up + _relay.Carried.Down - carried.Down, now.Received - etcd.Received);
            sums.Add((link, body, into));
            Console.WriteLine(Text($"  {hour,4}{changed,15:N0}{entries,10:N0}{removed,9:N0}{groups,13:N0}{body,13:N0}{into,12:N0}{now.Sent - etcd.Sent,12:N0}  {(waited.Count > 0 ? Text($"{waited[waited.Count / 2],10:0} {waited[^1],8:0}") : "-"),20}{took.Elapsed.TotalSeconds,14:0}"));
        }
        (_perHourBody, _perHourEtcd) = (sums.Average(sum => sum.Body), sums.Average(sum => sum.Etcd));
        Targets.Tell("an hour on average: bodies over all links, requests to etcd", Text($"{_perHourBody / 1e6:0.00} MB and {_perHourEtcd / 1e6:0.00} MB ({_perHourBody / Edges / 1e3:0.0} and {_perHourEtcd / Edges / 1e3:0.0} KB an edge; at midnight {sums[0].Body / 1e6:0.00} and {sums[0].Etcd / 1e6:0.00} MB)"));
        var (_, _, database) = await _figures.TrafficAsync(_etcd.Addresses.Take(1));
        _targets.AtMost("database of a member after these hours, nothing compacted", database / 1e6, QuotaBytes / 1e6, "MB");
        _targets.AtMost("router with the links, resident at most", _routers[0].Peak, RouterMegabytesMax, "MB");
        _targets.AtMost("router that only follows etcd, resident at most", _routers[1].Peak, RouterMegabytesMax, "MB");
        Targets.Tell("  heap of both at their last collection", Text($"{await _routers[0].HeapAsync():0} and {await _routers[1].HeapAsync():0} MB"));
    }

    private async Task QuietAsync()
    {
        // What a router does anyway is what the one without links does.
        double Spent() => _routers[0].Processor - _routers[1].Processor;
        var (carried, told, processor) = (_relay!.Carried, _edges.Sum(edge => edge.Told), Spent());
        var minute = Stopwatch.StartNew();
        await Task.Delay(TimeSpan.FromMinutes(1));
        var seconds = minute.Elapsed.TotalSeconds;
        _linkProcessor = (Spent() - processor) / seconds / Edges;
        _idleBytes = (_relay.Carried.Up - carried.Up + _relay.Carried.Down - carried.Down) / seconds * 3_600 / Edges;
        Targets.Tell("nothing new: a link in an hour", Text($"{_idleBytes / 1e3:0} KB, of which {(_edges.Sum(edge => edge.Told) - told) / seconds * 3.6 / Edges:0} KB bodies about the map; the rest asks for the catalog each second"));
        Targets.Tell("  processor of the router for that", Text($"{_linkProcessor * Edges * 100:0.0} % of a core for {Edges} links"));
    }

    private async Task ChangesAsync()
    {
        List<double> waited = [];
        for (var hour = Hours; hour < Hours + ExtraHours / 3 && waited.Count < 30; hour++)
        {
            foreach (var edge in _edges.Take(40))
            {
                if (await edge.AdvanceAsync(_begin + hour * Instant.Hour) is not null)
                {
                    waited.Add(await ShownAsync([.. _fleet.Where(one => one.Edge == edge)]));
                }
            }
        }
        waited.Sort();
        Targets.Tell("a change until both routers have it of all edges that say so, ms", waited.Count == 0 ? "none changed" : Text($"median {waited[waited.Count / 2]:0}, most {waited[^1]:0}, of {waited.Count}"));
        _targets.AtMost("  median", waited.Count == 0 ? 0 : waited[waited.Count / 2], 1_000, "ms");
    }

    private async Task LeaderAsync()
    {
        if (_options["--members"] < 3)
        {
            return;
        }
        // What has changed is told when the leader is gone.
        var gate = new TaskCompletionSource();
        var changed = new HashSet<MadeEdge>();
        for (var hour = Hours + ExtraHours / 3; hour < Hours + ExtraHours && changed.Count < 5; hour++)
        {
            foreach (var edge in _edges.Take(20))
            {
                edge.Gate = gate.Task;
                if (await edge.AdvanceAsync(_begin + hour * Instant.Hour) is not null)
                {
                    changed.Add(edge);
                }
            }
        }
        var leader = await _figures.LeaderAsync(_etcd.Addresses) ?? throw new InvalidOperationException("etcd has no leader");
        _etcd.Kill(leader);
        var killed = Stopwatch.GetTimestamp();
        gate.SetResult();
        await ShownAsync(_fleet);
        _targets.AtMost(Text($"etcd's leader killed, {_fleet.Count(one => changed.Contains(one.Edge))} edges tell changes: until both routers have them"), Stopwatch.GetElapsedTime(killed).TotalSeconds, 15, "s");
        await _etcd.RestartAsync(leader);
    }

    private async Task RoutersAsync()
    {
        for (var i = _routers.Count - 1; i >= 0; i--)
        {
            var before = _routers[i];
            before.Kill();
            var began = Stopwatch.GetTimestamp();
            _routers[i] = await Router.StartAsync(before.Name, _folder, _etcd.Endpoints, before.Port);
            before.Dispose();
            await ShownAsync(_fleet, _routers[i]);
            var map = Stopwatch.GetElapsedTime(began).TotalSeconds;
            var links = i == 0 ? await LinkedAsync(began) : (double?)null;
            _targets.AtMost($"{before.Name} killed and started: it has all maps", map, 15, "s");
            if (links is { } all)
            {
                _targets.AtMost($"  all {Edges} links are back", all, 15, "s");
            }
            await Task.Delay(Settling);
            _targets.AtMost("  resident", _routers[i].Resident, RouterMegabytesMax, "MB");
            Targets.Tell("    at most", Text($"{_routers[i].Peak:0} MB"));
        }
    }

    private async Task<double> LinkedAsync(long began)
    {
        while (true)
        {
            using var fleet = JsonDocument.Parse(await _routers[0].Http.GetStringAsync("healthz"));
            if (!fleet.RootElement.GetRawText().Contains("is not connected", StringComparison.Ordinal) || Stopwatch.GetElapsedTime(began) > Patience)
            {
                return Stopwatch.GetElapsedTime(began).TotalSeconds;
            }
            await Task.Delay(50);
        }
    }

    /// <summary>What ten million series would take if all grew in proportion.</summary>
    private void Paper()
    {
        var edges = PaperSeries / Series;
        var scale = edges / Edges;
        var entries = _maps.Count(IsEntry) * scale;
        Console.WriteLine(Text($"  On paper, {PaperSeries / 1e6:0} million series on {edges:N0} edges, from the figures above in proportion:"));
        Targets.Tell("map", Text($"{entries:N0} entries, {_maps.Count(IsGroup) * scale:N0} memberships, {SizeOf(_maps) * scale / 1e6:N0} MB of keys and values: {SizeOf(_maps) * scale / QuotaBytes * 100:0} % of a quota of 2 GB"));
        Targets.Tell("into etcd", Text($"{_perHourEtcd * scale / 1e6:N0} MB an hour, {_perHourEtcd * scale / 3_600 / 1e3:N0} KB/s, kept until compacted: a quota of 2 GB has room for {(QuotaBytes - SizeOf(_maps) * scale) / (_perHourEtcd * scale):N0} hours of it, one of 8 GB for {(8e9 - SizeOf(_maps) * scale) / (_perHourEtcd * scale):N0}"));
        Targets.Tell("told by etcd to each router", Text($"about the same; ten routers get {_perHourEtcd * scale * 10 / 3_600 / 1e6:0.0} MB/s from it"));
        Targets.Tell("up the links", Text($"{_perHourBody * scale / 1e6:N0} MB an hour of changes, {_idleBytes * edges / 1e6:N0} MB of asking whether there is news"));
        Targets.Tell("all maps into an empty etcd through one router", Text($"{_herdSeconds * scale / 60:0.0} min"));
        Targets.Tell("links that a core of a router can hold open, idle", _linkProcessor > 0 ? Text($"{1 / _linkProcessor:N0}: {edges * _linkProcessor:0.0} cores for {edges:N0} edges that dial it themselves") : "-");
        Targets.Tell("series in a value of etcd", Text($"{ValueBytesMax / _maps.Where(IsGroup).Select(pair => (double)pair.Value.Length / SeriesIn(pair)).Average():N0} names fit into 1 MB, 8,192 are the most that may be set"));
    }

    /// <summary>The maps many times over.</summary>
    private async Task CopiesAsync()
    {
        await using var etcd = await RunningEtcd.StartAsync(1, "http", "--quota-backend-bytes=8589934592");
        var took = Stopwatch.StartNew();
        var byEdge = _maps.GroupBy(pair => pair.Key[EtcdFigures.MapPrefix.Length..pair.Key.IndexOf('/', EtcdFigures.MapPrefix.Length)]).ToList();
        long bytes = 0;
        var copies = (int)Math.Ceiling(_options["--entries"] / (double)_maps.Count(IsEntry));
        await Parallel.ForEachAsync(Enumerable.Range(0, copies), TwoAtOnce, async (copy, _) =>
        {
            for (var i = 0; i < byEdge.Count; i++)
            {
                Interlocked.Add(ref bytes, await _figures.PutAsync(etcd.Addresses[0], byEdge[i].Select(pair => Renamed(pair, byEdge[i].Key, NameOf(copy * byEdge.Count + i))).ToList()));
            }
        });
        var entries = (long)_maps.Count(IsEntry) * copies;
        Console.WriteLine(Text($"  Really: {(long)Edges * copies:N0} edges, {(long)Edges * copies * Series:N0} series, {entries:N0} entries, {bytes / 1e6:N0} MB, put in {took.Elapsed.TotalSeconds:0} s:"));
        var (_, _, database) = await _figures.TrafficAsync(etcd.Addresses);
        Targets.Tell("etcd", Text($"database {database / 1e6:N0} MB, {etcd.ResidentBytes / 1e6:N0} MB resident"));
        var began = Stopwatch.GetTimestamp();
        using var router = await Router.StartAsync("router-3", _folder, etcd.Endpoints);
        var last = NameOf(byEdge.Count * copies - 1);
        var wanted = byEdge[^1].Count(IsEntry);
        while (await router.EntriesAsync(last) is not { } shown || shown.Count < wanted)
        {
            Within(began, "the router's reading of the copies");
            await Task.Delay(50);
        }
        Targets.Tell("a router's start until it has all of it", Text($"{Stopwatch.GetElapsedTime(began).TotalSeconds:0.0} s; {router.Peak:0} MB at most"));
        var changed = byEdge[0].Where(pair => !IsGroup(pair)).Select(pair => Renamed(pair, byEdge[0].Key, NameOf(0))).Select(pair => pair.Key.EndsWith("/head", StringComparison.Ordinal) ? pair
            : pair with { Value = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(pair.Value).Replace("\"revision\":", "\"revision\":9", StringComparison.Ordinal)) }).ToList();
        began = Stopwatch.GetTimestamp();
        await _figures.PutAsync(etcd.Addresses[0], changed);
        while (!(await router.EntriesAsync(NameOf(0)))!.All(entry => entry.Split(' ')[1].StartsWith('9')))
        {
            Within(began, "a change");
            await Task.Delay(5);
        }
        Targets.Tell("a change in etcd until the router serves it", Text($"{Stopwatch.GetElapsedTime(began).TotalMilliseconds:0} ms"));
        _targets.AtMost(Text($"router with {entries:N0} entries of {(long)Edges * copies * Series:N0} series, resident"), router.Resident, RouterMegabytesMax, "MB");
    }

    private static EtcdPair Renamed(EtcdPair pair, string from, string to)
    {
        var key = pair.Key.Replace(from, to, StringComparison.Ordinal);
        if (!IsGroup(pair))
        {
            return new(key, Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(pair.Value).Replace(from, to, StringComparison.Ordinal)));
        }
        using var packed = new MemoryStream();
        using (var brotli = new BrotliStream(packed, CompressionLevel.Optimal, leaveOpen: true))
        {
            brotli.Write(Encoding.UTF8.GetBytes(Unpacked(pair).Replace(from, to, StringComparison.Ordinal)));
        }
        return new(key, packed.ToArray());
    }

    private static string Unpacked(EtcdPair group)
    {
        using var reader = new StreamReader(new BrotliStream(new MemoryStream(group.Value), CompressionMode.Decompress), Encoding.UTF8);
        return reader.ReadToEnd();
    }

    private static int SeriesIn(EtcdPair group) => JsonSerializer.Deserialize<GroupMembers>(Unpacked(group), NodeJson.Options)!.Series.Count;

    /// <summary>Waits until routers show what the edges have.</summary>
    /// <returns>Milliseconds since the latest change of them.</returns>
    private async Task<double> ShownAsync(IReadOnlyList<(string Name, MadeEdge Edge)> edges, params IReadOnlyList<Router> routers)
    {
        var began = Stopwatch.GetTimestamp();
        foreach (var router in routers.Count > 0 ? routers : _routers)
        {
            foreach (var (name, edge) in edges)
            {
                while (await router.EntriesAsync(name) is not { } shown || !shown.SetEquals(edge.Map.Entries.Select(entry => $"{entry.Id} {entry.Revision}")))
                {
                    Within(began, $"{router.Name}'s following of {name}");
                    await Task.Delay(5);
                }
            }
        }
        return Stopwatch.GetElapsedTime(edges.Max(one => one.Edge.ChangedAt)).TotalMilliseconds;
    }

    private static void Within(long began, string what)
    {
        if (Stopwatch.GetElapsedTime(began) > Patience)
        {
            throw new TimeoutException($"{what} took more than {Patience.TotalMinutes:0} min");
        }
    }

    private async Task StopFleetAsync()
    {
        foreach (var edge in _edges)
        {
            await edge.DisposeAsync();
        }
        _edges.Clear();
        foreach (var router in _routers)
        {
            router.Dispose();
        }
        _routers.Clear();
        if (_relay is not null)
        {
            await _relay.DisposeAsync();
            _relay = null;
            await _etcd.DisposeAsync();
        }
    }

    private static ParallelOptions TwoAtOnce { get; } = new() { MaxDegreeOfParallelism = 2 };

    private static string NameOf(int edge) => Text($"edge-{edge:00000}");

    private static bool IsEntry(EtcdPair pair) => pair.Key.Contains("/e/", StringComparison.Ordinal);
    private static bool IsGroup(EtcdPair pair) => pair.Key.Contains("/g/", StringComparison.Ordinal);
    private static double SizeOf(IEnumerable<EtcdPair> pairs) => pairs.Sum(pair => (double)pair.Key.Length + pair.Value.Length);
    private static string Text(FormattableString text) => FormattableString.Invariant(text);

    /// <summary>A router process on etcd.</summary>
    private sealed class Router : IDisposable
    {
        private readonly Broker _node;

        private Router(string name, Broker node) => (Name, _node, Http) = (name, node, LoneNode.Client(node));

        public string Name { get; }
        public HttpClient Http { get; }
        public int Port => _node.HttpPort;
        public double Resident => ProcessFigures.ResidentMegabytes(_node.Pid);
        public double Peak => ProcessFigures.PeakMegabytes(_node.Pid);
        public double Processor => ProcessFigures.CpuSeconds(_node.Pid);

        public static async Task<Router> StartAsync(string name, string folder, string endpoints, int port = 0)
        {
            port = port == 0 ? Broker.FreePort() : port;
            return new(name, new(await LoneNode.StartAsync("Router", port, [("NODE", name), ("DATA", Path.Combine(folder, name)), ("ARCHIVE", Path.Combine(folder, "archive")), ("ETCD__ENDPOINTS", endpoints)]), 0, null, null) { HttpPort = port });
        }

        /// <summary>Partitions of an edge with their revisions; null where the router does not answer now.</summary>
        public async Task<HashSet<string>?> EntriesAsync(string edge)
        {
            try
            {
                using var map = JsonDocument.Parse(await Http.GetStringAsync($"api/v1/map?edge={edge}"));
                return [.. map.RootElement.GetProperty("entries").EnumerateArray().Select(entry => $"{entry.GetProperty("id").GetString()} {entry.GetProperty("revision").GetInt64()}")];
            }
            catch (Exception error) when (error is HttpRequestException or TaskCanceledException)
            {
                return null;
            }
        }

        /// <summary>Megabytes of objects, alive or not collected yet.</summary>
        public async Task<double> HeapAsync() => (await Http.GetStringAsync("metrics")).Split('\n').Where(line => line.StartsWith("foretier_memory_heap_bytes ", StringComparison.Ordinal))
            .Select(line => double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture) / 1e6).FirstOrDefault();

        public void Kill()
        {
            _node.Process.Kill();
            _node.Process.WaitForExit();
        }

        public void Dispose()
        {
            Http.Dispose();
            _node.Dispose();
        }
    }
}
