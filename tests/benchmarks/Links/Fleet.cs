using System.Net.Http.Json;
using Foretier.Tests.Benchmarks.Ingest;

namespace Foretier.Tests.Benchmarks.Links;

/// <summary>A way up: an edge's cable to its gateway, or the cables of a site to all routers.</summary>
internal sealed record Uplink(string Of, IReadOnlyList<(Cable Cable, string Name)> Cables)
{
    public void Become(Weather up, Weather down)
    {
        foreach (var (cable, _) in Cables)
        {
            cable.Become(up, down);
        }
    }

    public void Plug(bool isIn)
    {
        foreach (var (_, name) in Cables)
        {
            Lab.Plug(Of, name, isIn);
        }
    }
}

/// <summary>Two edges, their gateway, two routers and the etcd of three that these share, each on a host of its own.</summary>
internal sealed class Fleet : IDisposable
{
    private const int EtcdPort = 2379, EtcdPeerPort = 2380;
    private readonly Lab _lab = new();
    private readonly string _folder;
    private readonly List<Uplink> _edgeUplinks = [];

    public Fleet(string folder, int seed)
    {
        _folder = folder;
        string[] members = ["etcd-1", "etcd-2", "etcd-3"];
        var memberAt = members.ToDictionary(member => member, _lab.AddHost);
        Etcd = [.. members.Select(member => Member(member, memberAt))];
        var archive = Path.Combine(folder, "archive");
        Routers = [.. new[] { "router-1", "router-2" }.Select(name => Node(name, "Router", [
            ("ARCHIVE", archive), ("ETCD__ENDPOINTS", string.Join(',', memberAt.Values.Select(at => $"http://{at}:{EtcdPort}")))]))];
        var gatewayAt = _lab.AddHost("gateway-1");
        var up = Routers.Select((router, i) => _lab.Connect("gateway-1", router.Name, seed + 10 * i)).ToList();
        SiteUplink = new("gateway-1", [.. up.Select(cable => (cable.Cable, cable.Name))]);
        Gateway = Node("gateway-1", "Gateway", [("SITE", "site-1"), ("ARCHIVE", archive), ("MODELS__DIRECTORY", "none"),
            ("UPSTREAM", string.Join(',', up.Select(cable => $"http://{cable.Address}:{Host.HttpPort}")))], gatewayAt);
        Edges = [.. new[] { "edge-1", "edge-2" }.Select((name, i) =>
        {
            var at = _lab.AddHost(name);
            var (cable, cableName, above) = _lab.Connect(name, "gateway-1", seed + 100 + 10 * i);
            _edgeUplinks.Add(new(name, [(cable, cableName)]));
            // Flushed every few seconds, so that all the time something is on its way.
            return Node(name, "Agent", [("UPSTREAM", $"http://{above}:{Host.HttpPort}"), ("MQTT__ADDRESS", "0.0.0.0"), ("MQTT__PORT", $"{Host.MqttPort}"),
                ("MQTT__PLAINBEYONDLOOPBACK", "true"), ("MODELS__DIRECTORY", "none"), ("HOT__QUIETAGE", "00:00:02"), ("HOT__FLUSHAGE", "00:00:03"),
                ("HOT__PACEDFLUSHBYTESPERDAY", "100000000000"), ("HOT__THINCOMMITBYTESPERDAY", "100000000000")], at);
        })];
    }

    public IReadOnlyList<Host> Etcd { get; }
    public IReadOnlyList<Host> Routers { get; }
    public Host Gateway { get; }
    public IReadOnlyList<Host> Edges { get; }
    public Uplink SiteUplink { get; }
    public IReadOnlyList<Uplink> EdgeUplinks => _edgeUplinks;
    public IEnumerable<Host> Hosts => [.. Etcd, .. Routers, Gateway, .. Edges];

    public async Task StartAsync(string secret)
    {
        // A member serves when most are there.
        await Task.WhenAll(Etcd.Select(member => member.StartAsync()));
        await Task.WhenAll(new[] { Gateway }.Concat(Routers).Concat(Edges).Select(node => node.StartAsync()));
        await Patience.UntilAsync("router-1 reaches both edges", async () =>
        {
            using var made = await Routers[0].Http.PutAsJsonAsync("api/v1/devices/acme/*", new { secret });
            return made.IsSuccessStatusCode && (await Routers[0].GetAsync("api/v1/ledger")).GetProperty("nodes").GetArrayLength() == 3;
        });
    }

    public async Task<Host> EtcdLeaderAsync()
    {
        Host? leader = null;
        await Patience.UntilAsync("etcd has a leader", async () =>
        {
            foreach (var member in Etcd)
            {
                leader = (await member.Http.GetStringAsync("metrics")).Contains("\netcd_server_is_leader 1", StringComparison.Ordinal) ? member : leader;
            }
            return leader is not null;
        });
        return leader!;
    }

    public void Dispose()
    {
        foreach (var host in Hosts.Reverse())
        {
            host.Dispose();
        }
        _lab.Dispose();
    }

    private Host Node(string name, string project, IEnumerable<(string Key, string Value)> settings, string? address = null)
    {
        Dictionary<string, string> environment = new[] { ("NODE", name), ("DATA", Path.Combine(_folder, name)), ("HTTP", $"http://0.0.0.0:{Host.HttpPort}") }
            .Concat(LoneNode.Secrets).Concat(settings).ToDictionary(setting => "FORETIER__" + setting.Item1, setting => setting.Item2);
        return new(name, address ?? _lab.AddHost(name), Host.HttpPort, () => Lab.Start(name, Log(name), LoneNode.Built(project), [], environment));
    }

    private Host Member(string name, Dictionary<string, string> all) => new(name, all[name], EtcdPort, () => Lab.Start(name, Log(name), "etcd",
        ["--name", name, "--data-dir", Path.Combine(_folder, name), "--logger", "zap", "--log-level", "error",
            "--listen-client-urls", $"http://{all[name]}:{EtcdPort}", "--advertise-client-urls", $"http://{all[name]}:{EtcdPort}",
            "--listen-peer-urls", $"http://{all[name]}:{EtcdPeerPort}", "--initial-advertise-peer-urls", $"http://{all[name]}:{EtcdPeerPort}",
            "--initial-cluster", string.Join(',', all.Select(member => $"{member.Key}=http://{member.Value}:{EtcdPeerPort}"))], []));

    private string Log(string name) => Path.Combine(_folder, name + ".log");
}
