using System.Net.Http.Json;
using Foretier.Core.Tiers;
using Foretier.Node.Hosting;
using Foretier.Node.Link;
using Foretier.Protocol;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Foretier.Tests.Unit.Link;

/// <summary>How a catalog comes up a link.</summary>
public sealed class CatalogTravelTests
{
    private const int Many = 1_000;

    [Fact]
    public async Task Many_series_come_packed_to_who_takes_them_so_and_as_ever_to_who_does_not()
    {
        await using var bed = new LinkBed();
        var router = await bed.StartAsync("router", null);
        Fill(await bed.StartAsync("edge", router.Url));
        await Eventually.BeAsync(() => router.Hub.Find("edge") is not null);
        var http = router.Hub.Find("edge")!.Http;

        using var packed = await http.GetAsync("internal/v1/catalog?since=0&packed=true");
        using var plain = await http.GetAsync("internal/v1/catalog?since=0");

        var whole = await plain.Content.ReadFromJsonAsync<CatalogMessage>(NodeJson.Options);
        Assert.Equal(PackedJson.MediaType, packed.Content.Headers.ContentType?.MediaType);
        Assert.Equal(whole!.Update.Series, (await PackedJson.ReadAsync<CatalogMessage>(packed.Content, NodeJson.Options, CancellationToken.None)).Update.Series);
        Assert.Equal(Many, whole.Update.Series.Count);
        Assert.True(packed.Content.Headers.ContentLength < (await plain.Content.ReadAsByteArrayAsync()).Length / 8);
        // News of a second are not worth it.
        using var none = await http.GetAsync($"internal/v1/catalog?since={whole.Update.Revision}&packed=true");
        Assert.Equal("application/json", none.Content.Headers.ContentType?.MediaType);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_catalog_is_learned_from_who_packs_it_and_from_a_node_of_before(bool packs)
    {
        await using var bed = new LinkBed();
        var router = await bed.StartAsync("router", null);
        Fill(await bed.StartAsync("edge", router.Url, more: app => app.Use((http, next) =>
        {
            http.Request.QueryString = packs ? http.Request.QueryString : new(http.Request.QueryString.Value?.Replace("&packed=true", "", StringComparison.Ordinal));
            return next(http);
        })));
        await Eventually.BeAsync(() => router.Catalog.View.Series.Count == Many);
    }

    [Theory]
    [InlineData(1.6, 1_000, 0, 0.6)]
    [InlineData(0.65, 50, 0, 0.6)]
    [InlineData(1.6, null, 0, 0.6)]
    // There was news before the second was over, and nobody says when.
    [InlineData(0.65, null, 0, null)]
    // Names were packed.
    [InlineData(1.6, 1_000, 32, null)]
    [InlineData(1.6, 1_000, 1, 0.6)]
    public void The_way_of_a_poll_is_what_it_took_less_what_it_waited(double took, int? waited, int series, double? way)
    {
        var message = new CatalogMessage(new(1, false, [.. Enumerable.Range(0, series).Select(Series)], [], []), [], waited);
        Assert.Equal(way, CatalogFollower.RoundTrip(TimeSpan.FromSeconds(took), message)?.TotalSeconds);
    }

    private static void Fill(TestNode edge)
    {
        for (var i = 0; i < Many; i++)
        {
            edge.Catalog.Put(Series(i));
        }
    }

    private static SeriesInfo Series(int i) => new($"acme/device-{i}/temperature", "edge", "Cel", "gauge");
}
