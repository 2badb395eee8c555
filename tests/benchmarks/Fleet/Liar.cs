using System.Text.Json;
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

    /// <summary>It has said what makes nobody ask it again, until it dials anew.</summary>
    public bool IsSilenced { get; private set; }

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
        int kind;
        lock (_random)
        {
            kind = _random.Next(200);
        }
        await Task.Delay(kind == 0 ? 3_000 : 50, cancel);
        Interlocked.Increment(ref _told);
        var lie = _map.Current;
        // Of itself: of others it would not be followed.
        var mine = new PartitionMap(Interlocked.Increment(ref _revision), [.. lie.Groups.Select(group => group with { Edge = Name })], [.. lie.Entries.Select(entry => entry with
        {
            Edge = Name,
            Reserved = kind > 150 ? new(long.MaxValue, long.MaxValue, long.MaxValue, long.MaxValue) : entry.Reserved,
        })]);
        // Who says such a thing is not followed any more.
        IsSilenced |= kind is 3 or 4 or 5;
        return kind switch
        {
            1 => Results.Text("{\"since\":", "application/json"),
            2 => Results.StatusCode(StatusCodes.Status500InternalServerError),
            3 => Results.Json(new { since = 0, revision = mine.Revision, reset = true, groups = new object?[] { null }, entries = new object?[] { null }, removed = Array.Empty<string>() }, NodeJson.Options),
            4 => Results.Text(JsonSerializer.Serialize(PartitionMapUpdate.Whole(mine), NodeJson.Options).Replace("\"series\":[\"", "\"series\":[null,\"", StringComparison.Ordinal), "application/json"),
            5 => Results.Json(PartitionMapUpdate.Whole(lie), NodeJson.Options),
            < 30 => Results.Json(new PartitionMapUpdate(mine.Revision - 5, mine.Revision, false, mine.Groups, mine.Entries, []), NodeJson.Options),
            _ => Results.Json(PartitionMapUpdate.Whole(mine), NodeJson.Options),
        };
    }
}
