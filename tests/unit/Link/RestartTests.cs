using System.Net;
using Foretier.Core.Partitions;

namespace Foretier.Tests.Unit.Link;

/// <summary>A gateway or a router that starts again does not know what the nodes below have until they dial in; it knows that they exist.</summary>
public sealed class RestartTests : IAsyncLifetime
{
    private static readonly Window Day = LinkBed.Day;
    private readonly LinkBed _bed = new();

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _bed.DisposeAsync();

    [Fact]
    public async Task A_gateway_that_starts_again_says_there_and_above_what_its_answers_lack_until_its_edge_is_back()
    {
        var router = await _bed.StartAsync("router", null);
        var gateway = await _bed.StartAsync("gateway", router.Url);
        var edge = await _bed.StartAsync("edge", gateway.Url);
        Shipped(gateway);
        edge.Hold(Day, [(Day.Start + 1, 1.5), (Day.Start + 2, 2.5)]);
        Assert.False((await router.AnswerAsync("acme/d/m", points: 2)).IsPartial);

        await _bed.Apps[1].StopAsync();
        gateway = await _bed.StartAsync("gateway", router.Url);
        Shipped(gateway);

        Assert.Equal([Day.Range], (await gateway.AnswerAsync("acme/d/m", points: 1)).Missing);
        Assert.Equal([Day.Range], (await router.AnswerAsync("acme/d/m", points: 1)).Missing);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await StatusAsync(gateway, "acme/d/other"));
        Assert.Equal(["edge is not connected"], gateway.Follower.Problems);

        await _bed.Apps[2].StopAsync();
        edge = await _bed.StartAsync("edge", gateway.Url);
        edge.Hold(Day, [(Day.Start + 1, 1.5), (Day.Start + 2, 2.5)]);
        Assert.False((await gateway.AnswerAsync("acme/d/m", points: 2)).IsPartial);
        Assert.False((await router.AnswerAsync("acme/d/m", points: 2)).IsPartial);
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(gateway, "acme/d/other"));
    }

    [Fact]
    public async Task What_the_edge_no_longer_has_when_it_is_back_is_not_asked_for_above()
    {
        var router = await _bed.StartAsync("router", null);
        var gateway = await _bed.StartAsync("gateway", router.Url);
        var edge = await _bed.StartAsync("edge", gateway.Url);
        edge.Hold(Day, [(Day.Start + 1, 1.5)]);
        await router.AnswerAsync("acme/d/m", points: 1);

        await _bed.Apps[1].StopAsync();
        await _bed.Apps[2].StopAsync();
        gateway = await _bed.StartAsync("gateway", router.Url);
        Shipped(gateway);
        await router.AnswerAsync("acme/d/m", points: 1);
        await _bed.StartAsync("edge", gateway.Url);

        await Eventually.BeAsync(() => router.Nodes().Any(node => node is { Node: "edge", Connected: true }));
        for (var answer = await router.AnswerAsync("acme/d/m", points: 1); answer.IsPartial; answer = await router.AnswerAsync("acme/d/m", points: 1))
        {
            Assert.Equal([Day.Range], answer.Missing);
        }
    }

    [Fact]
    public async Task A_router_that_starts_again_does_not_say_that_there_is_no_such_series_until_those_out_of_service_are_forgotten()
    {
        var router = await _bed.StartAsync("router", null);
        var gateway = await _bed.StartAsync("gateway", router.Url);
        await _bed.StartAsync("edge", gateway.Url);
        await Eventually.BeAsync(() => router.Nodes().Count(node => node.Connected) == 2);

        await _bed.Apps[0].StopAsync();
        router = await _bed.StartAsync("router", null);

        Assert.Equal(["edge", "gateway"], router.Nodes().Select(node => node.Node).Order());
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await StatusAsync(router, "acme/d/m"));
        using var http = router.Client();
        await http.DeleteAsync("api/v1/map/edge");
        await http.DeleteAsync("api/v1/map/gateway");
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(router, "acme/d/m"));
    }

    private static void Shipped(TestNode gateway) => gateway.Hold(Day, [(Day.Start + 1, 1.5)], "edge");

    private static async Task<HttpStatusCode> StatusAsync(TestNode node, string series)
    {
        using var http = node.Client();
        using var response = await http.GetAsync($"api/v1/query?series={series}&from=2017-03-09&to=2017-03-10");
        return response.StatusCode;
    }
}
