using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Node.Access;
using Foretier.Node.Hosting;
using Foretier.Node.Keys;
using Foretier.Node.Link;
using Foretier.Node.Serve;
using Foretier.Protocol;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace Foretier.Tests.Unit.Link;

/// <summary>Real nodes on loopback: a router above, a gateway below it, an edge below that; no inbound connection to the lower two is used.</summary>
public sealed class LinkTests : IAsyncLifetime
{
    private static readonly Window Day = Window.DayOf(1_489_017_600L * Instant.Second);
    private readonly List<WebApplication> _apps = [];
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-link").FullName;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (var app in Enumerable.Reverse(_apps))
        {
            await app.StopAsync();
            await app.DisposeAsync();
        }
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_question_at_the_top_reaches_an_edge_two_links_down()
    {
        var router = await StartAsync("router", null);
        var gateway = await StartAsync("gateway", router.Url);
        var edge = await StartAsync("edge", gateway.Url);
        edge.Hold(Day, [(Day.Start + 1, 1.5), (Day.Start + 2, 2.5)]);

        var answer = await router.AnswerAsync("acme/d/m", points: 2);

        Assert.False(answer.IsPartial);
        Assert.Equal([1.5, 2.5], answer.Series[0].Raw!.Values.ToArray());
        Assert.Contains(answer.Tiers, use => use.Node == "edge");
    }

    [Fact]
    public async Task Every_router_reaches_the_gateway_and_its_edges_through_links_the_gateway_opened_also_when_another_router_is_gone()
    {
        var first = await StartAsync("router-1", null);
        var second = await StartAsync("router-2", null);
        var gateway = await StartAsync("gateway", $"{first.Url}, {second.Url}");
        var edge = await StartAsync("edge", gateway.Url);
        edge.Hold(Day, [(Day.Start + 1, 1.5), (Day.Start + 2, 2.5)]);

        Assert.False((await first.AnswerAsync("acme/d/m", points: 2)).IsPartial);
        Assert.False((await second.AnswerAsync("acme/d/m", points: 2)).IsPartial);

        await _apps[0].StopAsync();
        Assert.False((await second.AnswerAsync("acme/d/m", points: 2)).IsPartial);
    }

    [Fact]
    public async Task When_the_edge_is_cut_off_the_answer_is_partial_and_names_the_range_and_heals_when_it_is_back()
    {
        var router = await StartAsync("router", null);
        var gateway = await StartAsync("gateway", router.Url);
        var edge = await StartAsync("edge", gateway.Url);
        edge.Hold(Day, [(Day.Start + 1, 1.5)]);
        await router.AnswerAsync("acme/d/m", points: 1);

        await _apps[2].StopAsync();
        var cut = await router.AnswerAsync("acme/d/m", points: 0);
        Assert.Equal([Day.Range], cut.Missing);

        var again = await StartAsync("edge", gateway.Url);
        again.Hold(Day, [(Day.Start + 1, 1.5)]);
        var healed = await router.AnswerAsync("acme/d/m", points: 1);
        Assert.False(healed.IsPartial);
    }

    [Fact]
    public async Task A_question_counts_once_on_every_node_that_has_a_part_in_the_series_wherever_it_was_asked()
    {
        var router = await StartAsync("router", null);
        var gateway = await StartAsync("gateway", router.Url);
        var edge = await StartAsync("edge", gateway.Url);
        edge.Hold(Day, [(Day.Start + 1, 1.5)]);
        await router.AnswerAsync("acme/d/m", points: 1);

        // Two at the top, one in the middle; the fetches they cause are none.
        await router.GetAsync("api/v1/query?series=acme/d/m&from=2017-03-09&to=2017-03-10");
        await router.GetAsync("api/v1/query?series=acme/d/m&from=2017-03-09&to=2017-03-10&step=1h&fn=max");
        await gateway.GetAsync("api/v1/query?series=acme/d/m&from=2017-03-09&to=2017-03-10");
        await edge.GetAsync("api/v1/query?series=acme/d/m&from=2017-03-09&to=2017-03-10");
        await router.GetAsync("api/v1/explain?series=acme/d/m&from=2017-03-09&to=2017-03-10");
        await router.Forwarder.SendAsync(CancellationToken.None);
        await gateway.Forwarder.SendAsync(CancellationToken.None);
        await router.Forwarder.SendAsync(CancellationToken.None);
        await gateway.Forwarder.SendAsync(CancellationToken.None);

        Assert.Equal([(0L, 3), (Instant.Hour, 1)], edge.Counted);
        Assert.Equal([(0L, 2), (Instant.Hour, 1)], gateway.Counted);
        Assert.Equal([(0L, 1), (Instant.Hour, 1)], router.Counted);
    }

    [Fact]
    public async Task Counts_for_an_edge_that_is_away_are_kept_for_it_and_reach_the_gateway_that_holds_its_data()
    {
        var router = await StartAsync("router", null);
        var gateway = await StartAsync("gateway", router.Url);
        var edge = await StartAsync("edge", gateway.Url);
        edge.Hold(Day, [(Day.Start + 1, 1.5)]);
        await router.AnswerAsync("acme/d/m", points: 1);
        await _apps[2].StopAsync();
        await router.AnswerAsync("acme/d/m", points: 0);

        await router.GetAsync("api/v1/query?series=acme/d/m&from=2017-03-09&to=2017-03-10");
        await router.Forwarder.SendAsync(CancellationToken.None);
        await gateway.Forwarder.SendAsync(CancellationToken.None);
        Assert.Equal([(0L, 1)], gateway.Counted);

        var again = await StartAsync("edge", gateway.Url);
        again.Hold(Day, [(Day.Start + 1, 1.5)]);
        await router.AnswerAsync("acme/d/m", points: 1);
        await gateway.Forwarder.SendAsync(CancellationToken.None);
        Assert.Equal([(0L, 1)], again.Counted);
    }

    [Fact]
    public async Task A_link_without_the_token_is_refused()
    {
        var router = await StartAsync("router", null);
        using var http = new HttpClient { BaseAddress = new Uri(router.Url) };
        Assert.Equal(HttpStatusCode.Unauthorized, (await http.GetAsync("link")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await http.PostAsJsonAsync("internal/v1/fetch", new { })).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await http.GetAsync("api/v1/series")).StatusCode);
    }

    private async Task<TestNode> StartAsync(string name, string? upstream)
    {
        Environment.SetEnvironmentVariable("FORETIER__NODE", null);
        string[] args = ["--Foretier:Node", name, "--Foretier:Data", _folder, "--Foretier:Http", "http://127.0.0.1:0",
            "--Foretier:Link:Token", "between-us", "--Foretier:Keys:Bootstrap", Convert.ToHexString(SHA256.HashData("test-key"u8)), "--Foretier:Upstream", upstream ?? ""];
        var builder = NodeHost.CreateBuilder<NodeOptions>(args, out _);
        var app = builder.Build();
        var node = new TestNode(name, app);
        await app.StartAsync();
        _apps.Add(app);
        node.Url = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First(a => a.StartsWith("http:", StringComparison.Ordinal));
        return node;
    }

    private sealed class TestNode : IDataSource
    {
        private readonly Dictionary<Window, SampleColumns> _held = [];
        private readonly Answerer _answerer;
        private readonly Catalog _catalog = new();
        private readonly List<AccessCount> _counted = [];

        public TestNode(string name, WebApplication app)
        {
            Node = name;
            var health = new SourceHealth(TimeProvider.System);
            var hub = new LinkHub(NullLogger<LinkHub>.Instance);
            var follower = new CatalogFollower(hub, _catalog, health, TimeProvider.System, NullLogger<CatalogFollower>.Instance);
            _answerer = new(_catalog, n => n == Node ? this : follower.SourceOf(n), health, TimeProvider.System);
            hub.Map(app);
            var inner = app.MapInternal();
            inner.MapFetch(this);
            inner.MapCatalog(_catalog, TimeProvider.System, () => follower.Nodes);
            inner.MapForward(hub);
            Forwarder = new(name, hub, follower, _catalog, TimeProvider.System, NullLogger<AccessForwarder>.Instance);
            var access = new AccessBook(TimeProvider.System, _counted.Add, Forwarder);
            access.Map(inner);
            new QueryApi(_answerer, _catalog, TimeProvider.System, asked: access.Asked).Map(app.MapApi());
        }

        /// <summary>Tells the nodes below when the test says so.</summary>
        public AccessForwarder Forwarder { get; }

        /// <summary>Questions counted for the series, by step.</summary>
        public IEnumerable<(long Step, int Count)> Counted => _counted.GroupBy(c => c.Step).OrderBy(g => g.Key).Select(g => (g.Key, g.Sum(c => c.Count)));

        public async Task GetAsync(string path)
        {
            using var http = new HttpClient { BaseAddress = new Uri(Url) };
            http.DefaultRequestHeaders.Authorization = new("Bearer", "test-key");
            using var response = await http.GetAsync(path);
            Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
        }

        public string Node { get; }
        public string Url { get; set; } = "";

        public void Hold(Window window, (long Time, double Value)[] samples)
        {
            var columns = new SampleColumns();
            foreach (var (time, value) in samples)
            {
                columns.Add(time, value);
            }
            _held[window] = columns;
            _catalog.Put(new SeriesInfo("acme/d/m", Node, "Cel", "gauge"));
            _catalog.Put(new Holding(Node, window, Node, Tier.Ssd, 0, Holding.Latest, new(columns.FirstTime, columns.LastTime + 1), columns.Count, 100));
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

        /// <summary>Asks until the answer has as many points as it should, at most ten seconds.</summary>
        public async Task<Answer> AnswerAsync(string series, int points)
        {
            var question = Question.Parse(series, "2017-03-09", "2017-03-10", null, "raw", Day.End, out _)!;
            for (var deadline = DateTime.UtcNow.AddSeconds(10); ; await Task.Delay(20))
            {
                var found = _answerer.Resolve(question, out _);
                if (found.Count > 0)
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
}
