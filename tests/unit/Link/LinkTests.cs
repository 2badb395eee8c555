using System.Net;
using System.Net.Http.Json;
using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Tests.Unit.Link;

/// <summary>Real nodes on loopback: a router above, a gateway below it, an edge below that; no inbound connection to the lower two is used.</summary>
public sealed class LinkTests : IAsyncLifetime
{
    private static readonly Window Day = LinkBed.Day;
    private readonly LinkBed _bed = new();

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _bed.DisposeAsync();

    private Task<TestNode> StartAsync(string name, string? upstream) => _bed.StartAsync(name, upstream);

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
    public async Task Who_asks_over_a_link_that_has_ended_is_told_as_if_it_ended_meanwhile()
    {
        var gateway = await StartAsync("gateway", null);
        await StartAsync("edge", gateway.Url);
        await Eventually.BeAsync(() => gateway.Hub.Find("edge") is not null);
        var link = gateway.Hub.Find("edge")!;

        await link.DisposeAsync();

        await Assert.ThrowsAsync<HttpRequestException>(() => link.Http.GetAsync("internal/v1/catalog?since=0"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_edge_out_of_service_is_forgotten_by_router_and_gateway_and_one_that_is_connected_is_not(bool packs)
    {
        var router = await StartAsync("router", null);
        var gateway = await StartAsync("gateway", router.Url);
        var entry = new PartitionEntry(new("acme", "g0", 1, Day), "edge", 1, 10, 12, default, AccessPattern.Rare, Tier.Ssd, [], 1);
        await _bed.StartAsync("edge", gateway.Url, new(1, [new("edge", "acme", "g0", 1, ["acme/d/m"], 1)], [entry]), packs: packs);
        await Eventually.BeAsync(() => router.Maps.Current.Entries.Count == 1 && gateway.Maps.Current.Entries.Count == 1);

        using var http = router.Client();
        Assert.Equal(HttpStatusCode.Conflict, (await http.DeleteAsync("api/v1/map/edge")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await http.DeleteAsync("api/v1/map/edge-9")).StatusCode);

        await _bed.Apps[2].StopAsync();
        await Eventually.BeAsync(() => router.Nodes().Any(node => node is { Node: "edge", Connected: false }));
        Assert.Equal(HttpStatusCode.OK, (await http.DeleteAsync("api/v1/map/edge")).StatusCode);
        Assert.Empty(router.Maps.Current.Entries);
        Assert.Empty(gateway.Maps.Current.Entries);
        Assert.DoesNotContain(gateway.Nodes(), node => node.Node == "edge");
        Assert.DoesNotContain(router.Nodes(), node => node.Node == "edge");
        Assert.Equal(HttpStatusCode.NotFound, (await http.DeleteAsync("api/v1/map/edge")).StatusCode);
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

        await _bed.Apps[0].StopAsync();
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

        await _bed.Apps[2].StopAsync();
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
        await _bed.Apps[2].StopAsync();
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
    public async Task Counts_that_wait_at_a_node_that_stops_are_told_once_by_its_next_run()
    {
        var gateway = await StartAsync("gateway", null);
        var edge = await StartAsync("edge", gateway.Url);
        edge.Hold(Day, [(Day.Start + 1, 1.5)]);
        await gateway.AnswerAsync("acme/d/m", points: 1);
        await gateway.GetAsync("api/v1/query?series=acme/d/m&from=2017-03-09&to=2017-03-10");
        await _bed.Apps[1].StopAsync();
        await gateway.Forwarder.DisposeAsync();
        await _bed.Apps[0].StopAsync();

        for (var run = 0; run < 2; run++)
        {
            var again = await StartAsync("gateway", null);
            edge = await StartAsync("edge", again.Url);
            edge.Hold(Day, [(Day.Start + 1, 1.5)]);
            await again.AnswerAsync("acme/d/m", points: 1);
            await again.Forwarder.SendAsync(CancellationToken.None);
            Assert.Equal(run == 0 ? [(0L, 1)] : [], edge.Counted);
            await _bed.Apps[^1].StopAsync();
            await _bed.Apps[^2].StopAsync();
        }
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

    [Fact]
    public async Task With_the_uplink_cut_gateway_and_edge_answer_for_the_keys_they_were_told_of()
    {
        var router = await StartAsync("router", null);
        var gateway = await StartAsync("gateway", router.Url);
        var edge = await StartAsync("edge", gateway.Url);
        edge.Hold(Day, [(Day.Start + 1, 1.5)]);
        await router.AnswerAsync("acme/d/m", points: 1);
        var key = router.Keys.Create("grafana", ["acme"], isAdmin: false, life: null).Key;
        Assert.True(SpinWait.SpinUntil(() => edge.Keys.Find(key) is not null, 60_000));

        await _bed.Apps[0].StopAsync();

        const string Query = "api/v1/query?series=acme/d/m&from=2017-03-09&to=2017-03-10";
        foreach (var node in new[] { gateway, edge })
        {
            var answer = await node.GetAsync(Query, key);
            Assert.True(answer.Contains("[1489017600000.001,1.5]", StringComparison.Ordinal) && answer.Contains("\"partial\":false", StringComparison.Ordinal), answer);
        }
    }

    [Fact]
    public async Task A_device_that_moved_between_edges_is_one_series()
    {
        var router = await StartAsync("router", null);
        var gateway = await StartAsync("gateway", router.Url);
        var (before, after) = (await StartAsync("edge", gateway.Url), await StartAsync("edge-2", gateway.Url));
        before.Hold(Day, [(Day.Start + 1, 1.5), (Day.Start + 2, 2.5)]);
        after.Hold(Day, [(Day.Start + 2, 3.5), (Day.Start + 3, 4.5)]);

        var answer = await router.AnswerAsync("acme/d/m", points: 3);

        Assert.Equal("acme/d/m", Assert.Single(answer.Series).Name);
        Assert.Equal([Day.Start + 1, Day.Start + 2, Day.Start + 3], answer.Series[0].Raw!.Times.ToArray());
        Assert.Equal((1.5, 4.5), (answer.Series[0].Raw!.Values[0], answer.Series[0].Raw!.Values[2]));
    }

    [Fact]
    public async Task What_a_removed_edge_has_shipped_stays_and_is_the_whole_answer()
    {
        var router = await StartAsync("router", null);
        var gateway = await StartAsync("gateway", router.Url);
        var edge = await StartAsync("edge", gateway.Url);
        edge.Hold(Day, [(Day.Start + 1, 1.5)]);
        gateway.Hold(Day, [(Day.Start + 1, 1.5)], "edge");
        await router.AnswerAsync("acme/d/m", points: 1);

        await _bed.Apps[2].StopAsync();

        Assert.True(SpinWait.SpinUntil(() => gateway.Hub.Nodes.Count == 0, 60_000));
        var answer = await router.AnswerAsync("acme/d/m", points: 1);
        Assert.False(answer.IsPartial);
        Assert.Contains(answer.Tiers, use => use.Node == "gateway");
    }
}
