using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Node.Hosting;
using Foretier.Node.Keys;
using Foretier.Node.Link;
using Foretier.Node.Serve;
using Foretier.Protocol.Api;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace Foretier.Tests.Unit.Node;

/// <summary>What DELETE of a series' range says over HTTP: of an edge by itself, and of a node above whose edge does it, refuses it or is away.</summary>
public sealed class DeletionApiTests : IAsyncLifetime
{
    private const string Path = "api/v1/series/acme/d/m?from=2017-03-09&to=2017-03-10";
    private readonly List<WebApplication> _apps = [];
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-deletion").FullName;

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
    public async Task Done_everywhere_is_200_and_done_with_somebody_still_to_hear_of_it_is_202()
    {
        var all = await StartAsync("edge", null, Deleting());
        var (status, reply) = await DeleteAsync(all);
        Assert.Equal((HttpStatusCode.OK, 3L), (status, reply.GetProperty("deleted")[0].GetProperty("samples").GetInt64()));
        Assert.Equal((1_489_017_600_000, 1_489_104_000_000), (reply.GetProperty("from").GetInt64(), reply.GetProperty("to").GetInt64()));

        var some = await StartAsync("edge", null, Deleting("gateway of edge"));
        (status, reply) = await DeleteAsync(some);
        Assert.Equal((HttpStatusCode.Accepted, "gateway of edge"), (status, reply.GetProperty("pending")[0].GetString()));
    }

    [Fact]
    public async Task What_has_only_rollups_left_is_a_conflict_also_two_links_up()
    {
        var router = await StartAsync("router", null, null, "edge");
        var gateway = await StartAsync("gateway", router, null, "edge");
        await StartAsync("edge", gateway, (_, _, _) => throw new ArgumentException("a window of the range has only rollups left"));
        var (status, reply) = await DeleteLinkedAsync(router);
        Assert.Equal((HttpStatusCode.Conflict, "samples_gone"), (status, reply.GetProperty("code").GetString()));
        Assert.Contains("only rollups", reply.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_cannot_be_written_down_is_503_and_said_not_to_be_done()
    {
        var edge = await StartAsync("edge", null, (_, _, _) => throw new IOException("no space"));
        var (status, reply) = await DeleteAsync(edge);
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "not_written"), (status, reply.GetProperty("code").GetString()));
        Assert.Contains("not done: no space", reply.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_edge_that_has_the_series_and_is_away_is_503_and_what_was_done_elsewhere_is_said()
    {
        var router = await StartAsync("router", null, null, "edge-1", "edge-2");
        var (status, reply) = await DeleteAsync(router);
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "edge_away"), (status, reply.GetProperty("code").GetString()));
        Assert.Contains("Nothing is deleted", reply.GetProperty("detail").GetString(), StringComparison.Ordinal);

        await StartAsync("edge-1", router, Deleting());
        (status, reply) = await DeleteLinkedAsync(router, "deleted on edge-1");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.StartsWith("edge-2 has samples", reply.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("api/v1/series/acme/d/m", HttpStatusCode.BadRequest, "bad_time")]
    [InlineData("api/v1/series/acme/d/m?from=2017-03-10&to=2017-03-09", HttpStatusCode.BadRequest, "bad_time")]
    [InlineData("api/v1/series/acme/*/m?from=2017-03-09&to=2017-03-10", HttpStatusCode.BadRequest, "bad_series")]
    [InlineData(Path + "&all=true", HttpStatusCode.BadRequest, "bad_parameter")]
    [InlineData(Path, HttpStatusCode.NotFound, "unknown_series")]
    public async Task What_names_no_range_of_one_known_series_is_refused(string path, HttpStatusCode expected, string code)
    {
        var edge = await StartAsync("edge", null, (_, _, _) => Task.FromResult<DeletionReply?>(null));
        var (status, reply) = await DeleteAsync(edge, path);
        Assert.Equal((expected, code), (status, reply.GetProperty("code").GetString()));
    }

    private static Func<SeriesKey, TimeRange, CancellationToken, Task<DeletionReply?>> Deleting(params string[] pending) => (series, range, _) =>
        Task.FromResult<DeletionReply?>(new(series.ToString(), new(range.From), new(range.To), [new("edge-1", "ssd", 3)], ["edge-1"], pending));

    private static async Task<(HttpStatusCode Status, JsonElement Reply)> DeleteAsync(string url, string path = Path)
    {
        using var http = new HttpClient { BaseAddress = new Uri(url) };
        http.DefaultRequestHeaders.Authorization = new("Bearer", "test-key");
        using var response = await http.DeleteAsync(path);
        return (response.StatusCode, await response.Content.ReadFromJsonAsync<JsonElement>());
    }

    /// <summary>Asks again until the links are up: before, nobody is there to do it.</summary>
    private static async Task<(HttpStatusCode Status, JsonElement Reply)> DeleteLinkedAsync(string url, string? said = null)
    {
        for (var deadline = DateTime.UtcNow.AddSeconds(60); ; await Task.Delay(20))
        {
            var (status, reply) = await DeleteAsync(url);
            if (said is null ? status != HttpStatusCode.ServiceUnavailable : reply.ToString().Contains(said, StringComparison.Ordinal))
            {
                return (status, reply);
            }
            Assert.True(DateTime.UtcNow < deadline, $"still {status}: {reply}");
        }
    }

    /// <param name="edges">Those that the node knows to have the series.</param>
    private async Task<string> StartAsync(string name, string? upstream, Func<SeriesKey, TimeRange, CancellationToken, Task<DeletionReply?>>? delete, params string[] edges)
    {
        string[] args = ["--Foretier:Node", name, "--Foretier:Data", _folder, "--Foretier:Http", "http://127.0.0.1:0", "--Foretier:Link:Token", "between-us",
            "--Foretier:Keys:Bootstrap", Convert.ToHexString(SHA256.HashData("test-key"u8)), "--Foretier:Upstream", upstream ?? ""];
        var app = NodeHost.CreateBuilder<NodeOptions>(args, out _).Build();
        var hub = new LinkHub(NullLogger<LinkHub>.Instance);
        hub.Map(app);
        var cascade = new Cascade(new NodeDuties { Deletion = new() { Delete = delete, EdgesOf = _ => edges } }, hub, TimeProvider.System, NullLogger<Cascade>.Instance);
        cascade.Map(app.MapApi());
        cascade.Map(app.MapInternal());
        await app.StartAsync();
        _apps.Add(app);
        return app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First(a => a.StartsWith("http:", StringComparison.Ordinal));
    }
}
