using System.Text;
using Foretier.Core.Partitions;
using Foretier.Core.Tiers;
using Foretier.Node.Hosting;
using Foretier.Node.Keys;
using Foretier.Node.Serve;
using Foretier.Tests.Benchmarks.Ingest;
using Foretier.Tests.Differential;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Foretier.Tests.Benchmarks.Fleet;

/// <summary>An edge that has nothing, and dials up to say lies about it as fast as it is asked: maps of other edges' series, of rooms larger than any disk, no maps, and what is none at all.</summary>
internal sealed class Liar : IAsyncDisposable
{
    private const string Name = "edge-liar";

    private readonly WebApplication _app;
    private readonly Random _random;
    private readonly HostileMap _map;
    private long _told, _revision = 1;

    private Liar(WebApplication app, int seed, IReadOnlyList<string> series, long origin)
    {
        (_app, _random, _map) = (app, new(seed), new(seed, series, origin, 3));
        var inner = app.MapInternal();
        inner.MapCatalog(new Catalog(), TimeProvider.System, () => []);
        new KeyApi(app.Services.GetRequiredService<KeyRing>(), "above").MapInternal(inner);
        inner.MapGet("/map", AnswerAsync);
    }

    /// <summary>Answers so far.</summary>
    public long Told => Interlocked.Read(ref _told);

    public static async Task<Liar> StartAsync(string folder, int upstream, int seed, IReadOnlyList<string> series, long origin)
    {
        string[] args = ["--Foretier:Node", Name, "--Foretier:Data", Path.Combine(folder, Name), "--Foretier:Http", "http://127.0.0.1:0",
            "--Foretier:Link:Token", LoneNode.Secrets[0].Value, "--Foretier:Upstream", $"http://127.0.0.1:{upstream}"];
        var builder = NodeHost.CreateBuilder<NodeOptions>(args, out _);
        builder.Logging.ClearProviders();
        var liar = new Liar(builder.Build(), seed, series, origin);
        await liar._app.StartAsync();
        return liar;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private async Task<IResult> AnswerAsync(CancellationToken cancel)
    {
        Interlocked.Increment(ref _told);
        int kind;
        lock (_random)
        {
            kind = _random.Next(10);
        }
        await Task.Delay(kind == 0 ? 3_000 : 50, cancel);
        var lie = _map.Current;
        // Of itself: of others it would not be followed.
        var mine = new PartitionMap(++_revision, [.. lie.Groups.Select(group => group with { Edge = Name })], [.. lie.Entries.Select(entry => entry with
        {
            Edge = Name,
            Reserved = kind > 6 ? new(long.MaxValue, long.MaxValue, long.MaxValue, long.MaxValue) : entry.Reserved,
        })]);
        return kind switch
        {
            1 => Results.Text("{\"since\":", "application/json"),
            2 => Results.Json(new { since = 0, revision = _revision, reset = true, groups = new object?[] { null }, entries = new object?[] { null }, removed = Array.Empty<string>() }, NodeJson.Options),
            3 => Results.StatusCode(StatusCodes.Status500InternalServerError),
            4 => Results.Text(Encoding.UTF8.GetString(System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(PartitionMapUpdate.Whole(mine), NodeJson.Options)).Replace("\"series\":[\"", "\"series\":[null,\"", StringComparison.Ordinal), "application/json"),
            5 => Results.Json(new PartitionMapUpdate(_revision - 5, _revision, false, mine.Groups, mine.Entries, []), NodeJson.Options),
            _ => Results.Json(PartitionMapUpdate.Whole(mine), NodeJson.Options),
        };
    }
}
