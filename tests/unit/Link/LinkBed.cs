using System.Security.Cryptography;
using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Node.Access;
using Foretier.Node.Hosting;
using Foretier.Node.Keys;
using Foretier.Node.Link;
using Foretier.Node.Map;
using Foretier.Node.Serve;
using Foretier.Protocol;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace Foretier.Tests.Unit.Link;

/// <summary>Nodes in this process, linked over loopback.</summary>
internal sealed class LinkBed(LinkOptions? link = null) : IAsyncDisposable
{
    public static readonly Window Day = Window.DayOf(1_489_017_600L * Instant.Second);
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-link").FullName;

    /// <summary>In the order in which they were started.</summary>
    public List<WebApplication> Apps { get; } = [];

    /// <param name="map">What the node expects; null: it has no map.</param>
    /// <param name="more">Maps what it has besides.</param>
    /// <param name="packs">False: as an agent of before maps were packed.</param>
    public async Task<TestNode> StartAsync(string name, string? upstream, PartitionMap? map = null, Action<WebApplication>? more = null, bool packs = true)
    {
        var options = link ?? new();
        string[] args = ["--Foretier:Node", name, "--Foretier:Data", Path.Combine(_folder, name), "--Foretier:Http", "http://127.0.0.1:0",
            "--Foretier:Link:Token", "between-us", "--Foretier:Link:PingEvery", options.PingEvery.ToString(), "--Foretier:Link:PingTimeout", options.PingTimeout.ToString(),
            "--Foretier:Keys:Bootstrap", Convert.ToHexString(SHA256.HashData("test-key"u8)), "--Foretier:Upstream", upstream ?? ""];
        var builder = NodeHost.CreateBuilder<NodeOptions>(args, out _);
        var app = builder.Build();
        var node = new TestNode(name, Path.Combine(_folder, name), app, options, map, packs);
        more?.Invoke(app);
        await app.StartAsync();
        Apps.Add(app);
        node.Url = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First(a => a.StartsWith("http:", StringComparison.Ordinal));
        return node;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var app in Enumerable.Reverse(Apps))
        {
            await app.StopAsync();
            await app.DisposeAsync();
        }
        // Whoever followed a link may be writing down whom it heard of.
        Folders.DeleteSoon(_folder);
    }
}

/// <summary>A node that holds samples of acme/d/m in memory and answers with what every node has.</summary>
internal sealed class TestNode : IDataSource
{
    private readonly Dictionary<Window, SampleColumns> _held = [];
    private readonly Answerer _answerer;
    private readonly Catalog _catalog = new();
    private readonly List<AccessCount> _counted = [];
    private long _streamed;

    public TestNode(string name, string folder, WebApplication app, LinkOptions link, PartitionMap? map, bool packs)
    {
        Node = name;
        var health = new SourceHealth(TimeProvider.System);
        health.Own(name);
        Hub = new LinkHub(NullLogger<LinkHub>.Instance, link);
        var follower = Follower = new CatalogFollower(Hub, _catalog, health, TimeProvider.System, NullLogger<CatalogFollower>.Instance, Roster.Open(Path.Combine(folder, "roster.json")));
        _answerer = new(_catalog, n => n == Node ? this : follower.SourceOf(n), health, TimeProvider.System);
        Hub.Map(app);
        Keys = app.Services.GetRequiredService<KeyRing>();
        _ = new KeyPush(Hub, Keys, TimeProvider.System, NullLogger<KeyPush>.Instance);
        var inner = app.MapInternal();
        new KeyApi(Keys, "above").MapInternal(inner);
        inner.MapGet("/stream", StreamAsync);
        inner.MapFetch(this);
        inner.MapCatalog(_catalog, TimeProvider.System, () => follower.Nodes);
        inner.MapForward(Hub);
        Nodes = () => follower.Nodes;
        _ = new MapFollower(follower, Maps, TimeProvider.System, NullLogger<MapFollower>.Instance);
        var retired = new RetiredEdges(Maps, follower, Hub, NullLogger<RetiredEdges>.Instance);
        retired.Map(inner);
        if (map is not null)
        {
            inner.MapGet("/map", (long since, bool? packed, CancellationToken cancel) => ServeMapAsync(map, since, packs && packed == true, cancel));
        }
        Forwarder = new(name, folder, Hub, follower, _catalog, TimeProvider.System, NullLogger<AccessForwarder>.Instance);
        var access = new AccessBook(TimeProvider.System, _counted.Add, Forwarder);
        access.Map(inner);
        var api = app.MapApi();
        new QueryApi(_answerer, _catalog, TimeProvider.System, asked: access.Asked).Map(api);
        retired.Map(api);
    }

    /// <summary>What the edges below expect.</summary>
    public MemoryMapStore Maps { get; } = new();

    public Func<IReadOnlyList<NodeStatus>> Nodes { get; }

    private static async Task<IResult> ServeMapAsync(PartitionMap own, long since, bool packed, CancellationToken cancel)
    {
        if (since == own.Revision)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, cancel);
        }
        var whole = PartitionMapUpdate.Whole(own);
        return packed ? Results.Bytes(PackedJson.Pack(whole), PackedJson.MediaType) : Results.Json(whole, NodeJson.Options);
    }

    /// <summary>Tells the nodes below when the test says so.</summary>
    public AccessForwarder Forwarder { get; }

    /// <summary>Questions counted for the series, by step.</summary>
    public IEnumerable<(long Step, int Count)> Counted => _counted.GroupBy(c => c.Step).OrderBy(g => g.Key).Select(g => (g.Key, g.Sum(c => c.Count)));

    public async Task<string> GetAsync(string path, string key = "test-key")
    {
        using var http = Client(key);
        using var response = await http.GetAsync(path);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        return text;
    }

    public HttpClient Client(string key = "test-key")
    {
        var http = new HttpClient { BaseAddress = new Uri(Url) };
        http.DefaultRequestHeaders.Authorization = new("Bearer", key);
        return http;
    }

    public Catalog Catalog => _catalog;
    public LinkHub Hub { get; }
    public CatalogFollower Follower { get; }
    public KeyRing Keys { get; }

    /// <summary>Bytes that were sent of endless streams.</summary>
    public long Streamed => Interlocked.Read(ref _streamed);

    private async Task StreamAsync(HttpContext http)
    {
        var block = new byte[16 << 10];
        while (!http.RequestAborted.IsCancellationRequested)
        {
            await http.Response.Body.WriteAsync(block, http.RequestAborted);
            Interlocked.Add(ref _streamed, block.Length);
        }
    }

    public string Node { get; }
    public string Url { get; set; } = "";

    /// <param name="window">A day.</param>
    /// <param name="samples">All it has of it.</param>
    /// <param name="edge">Whose samples they are; null: its own. Of others it has a copy, of five flushes.</param>
    public void Hold(Window window, (long Time, double Value)[] samples, string? edge = null)
    {
        var columns = new SampleColumns();
        foreach (var (time, value) in samples)
        {
            columns.Add(time, value);
        }
        _held[window] = columns;
        _catalog.Put(new SeriesInfo("acme/d/m", edge ?? Node, "Cel", "gauge"));
        _catalog.Put(new Holding(edge ?? Node, window, Node, edge is null ? Tier.Ssd : Tier.Hdd, 0, edge is null ? Holding.Latest : 5, new(columns.FirstTime, columns.LastTime + 1), columns.Count, 100));
    }

    public Task<FetchResult> FetchAsync(FetchRequest request, CancellationToken cancel)
    {
        var slices = new List<Slice>();
        for (var i = 0; i < request.Parts.Count; i++)
        {
            var samples = SeriesScan.Raw(request.Parts[i].Range, [Layer.Of(1, _held[request.Parts[i].Window])]);
            slices.Add(new(i, "acme/d/m", samples, null));
        }
        return Task.FromResult(new FetchResult(slices, [], [new(Tier.Ssd, Node, request.Parts[0].Range, "raw", 0.1)]));
    }

    /// <summary>Asks until the answer has as many points as it should, at most thirty seconds.</summary>
    public async Task<Answer> AnswerAsync(string series, int points)
    {
        var question = Question.Parse(series, "2017-03-09", "2017-03-10", null, "raw", LinkBed.Day.End, out _)!;
        for (var deadline = DateTime.UtcNow.AddSeconds(30); ; await Task.Delay(20))
        {
            var found = _answerer.Resolve(question, out _);
            if (found.Length > 0)
            {
                var answer = await _answerer.AnswerAsync(question, found, CancellationToken.None);
                if (answer.Series.Sum(s => s.Raw!.Count) == points)
                {
                    return answer;
                }
            }
            Assert.True(DateTime.UtcNow < deadline, $"no answer with {points} points");
        }
    }
}
