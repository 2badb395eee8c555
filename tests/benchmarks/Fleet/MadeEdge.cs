using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Foretier.Agent.Allocate;
using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Node.Hosting;
using Foretier.Node.Keys;
using Foretier.Node.Map;
using Foretier.Node.Serve;
using Foretier.Predict.Models;
using Foretier.Predict.Replay;
using Foretier.Tests.Benchmarks.Ingest;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Foretier.Tests.Benchmarks.Fleet;

/// <summary>
/// An edge as far as its map goes: the agent's own counting, forecasts, planner, map file and long poll over a link, fed with what the series of a seeded
/// <see cref="QueryWorkload"/> send and who asks for them, on a clock that is set from hour to hour. What it does not have is samples.
/// </summary>
internal sealed class MadeEdge : IAsyncDisposable
{
    /// <summary>What a forecast reads, and what access is learned from.</summary>
    private const int HistoryDays = 35;

    /// <summary>A workload installs one device in eight and takes away one in fifteen in its time: here some in a week.</summary>
    private const int WorkloadDays = 240;

    /// <summary>Bytes a sample in the file of a window, before and after it is sealed (tests/README.md).</summary>
    private const double OpenBytes = 16.2, SealedBytes = 3.3;

    private const int WindowsHeld = 7;

    private readonly long _begin;
    private readonly Clock _clock;
    private readonly Catalog _catalog = new();
    private readonly List<(string Name, int[] Counts)> _series = [];
    private readonly List<WorkloadQuery> _queries = [];
    private readonly Dictionary<Window, long> _held = [];
    private readonly MapRefresh _refresh;
    private long _fed;
    private int _asked;
    private readonly List<WebApplication> _apps = [];
    private long _told;

    /// <param name="series">Alive when it begins; a few come and go afterwards.</param>
    /// <param name="begin">A midnight, µs; what came before is its history.</param>
    /// <param name="days">How long it can be advanced.</param>
    public MadeEdge(string name, int seed, int series, long begin, int days, string folder, Func<CancellationToken, Task<IInference>> startModel, Func<CancellationToken, Task<IInference>> startRanker)
    {
        (Name, _begin, _fed) = (name, begin, begin);
        _clock = new(begin);
        var first = DateOnly.FromDateTime(Instant.ToDateTimeOffset(begin).UtcDateTime).AddDays(days - WorkloadDays);
        // Four measurements a device, two accounts, and some devices more for those that are not there.
        var workload = new QueryWorkload(new() { Seed = seed, Accounts = 2, Devices = Math.Max(2, series * 3 / 20 + 2), Days = WorkloadDays, Start = first });
        var terms = workload.Series.Select(s => s.Account).Distinct().ToDictionary(a => a, a => new AccountTerms { TimeZone = QueryWorkload.ZoneOf(a).Id }, StringComparer.Ordinal);
        _refresh = new(new() { Directory = Directory.CreateDirectory(Path.Combine(folder, name)).FullName, Node = name }, _catalog, (_, _, _) => Task.CompletedTask, _ => null, _clock,
            NullLogger<MapRefresh>.Instance, startModel, startRanker, account => terms[account]);
        _refresh.Changed += _ => ChangedAt = Stopwatch.GetTimestamp();
        Take(workload, series);
    }

    public string Name { get; }

    public PartitionMap Map => _refresh.Current;

    /// <summary>When the map changed last; a time stamp of <see cref="Stopwatch"/>.</summary>
    public long ChangedAt { get; private set; }

    /// <summary>Bytes of the bodies in which its map went up its links.</summary>
    public long Told => Interlocked.Read(ref _told);

    /// <summary>What it has to say of its map waits for this.</summary>
    public Task Gate { get; set; } = Task.CompletedTask;

    /// <summary>Takes in what happens until an hour begins, and draws up the map of that hour.</summary>
    /// <returns>What is new in it; null where nothing is.</returns>
    public async Task<PartitionMapUpdate?> AdvanceAsync(long to)
    {
        Feed(to);
        _clock.Now = Instant.ToDateTimeOffset(to);
        var before = Map;
        var after = await _refresh.RefreshAsync(CancellationToken.None);
        return ReferenceEquals(before, after) ? null : PartitionMapUpdate.Between(before, after);
    }

    /// <summary>Dials upward and answers there as an agent does, about its map and its catalog.</summary>
    /// <param name="name">Under which name: its own, or one of the same length, so that it stands for another edge like it, with devices of other names.</param>
    public async Task LinkAsync(string name, string folder, int upstream)
    {
        string[] args = ["--Foretier:Node", name, "--Foretier:Data", Path.Combine(folder, name), "--Foretier:Http", "http://127.0.0.1:0",
            "--Foretier:Link:Token", LoneNode.Secrets[0].Value, "--Foretier:Upstream", $"http://127.0.0.1:{upstream}"];
        var builder = NodeHost.CreateBuilder<NodeOptions>(args, out _);
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.Use((http, next) => TellAsync(http, next, name));
        var inner = app.MapInternal();
        inner.MapCatalog(_catalog, TimeProvider.System, () => []);
        inner.MapUpdates(_refresh);
        new KeyApi(app.Services.GetRequiredService<KeyRing>(), "above").MapInternal(inner);
        await app.StartAsync();
        lock (_apps)
        {
            _apps.Add(app);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var app in _apps)
        {
            await app.StopAsync();
            await app.DisposeAsync();
        }
        await _refresh.DisposeAsync();
    }

    private async Task TellAsync(HttpContext http, RequestDelegate next, string name)
    {
        var body = http.Response.Body;
        using var kept = new MemoryStream();
        http.Response.Body = kept;
        await next(http);
        http.Response.Body = body;
        var bytes = kept.GetBuffer().AsMemory(0, (int)kept.Length);
        if (name != Name)
        {
            var isPacked = http.Response.ContentType == PackedJson.MediaType;
            var text = isPacked ? Encoding.UTF8.GetBytes(PackedJson.Unpack<JsonElement>(bytes.Span, NodeJson.Options).GetRawText()) : bytes;
            Rename(text.Span, Encoding.ASCII.GetBytes(Name), Encoding.ASCII.GetBytes(name));
            bytes = isPacked ? PackedJson.Pack(JsonSerializer.Deserialize<JsonElement>(text.Span)) : text;
            http.Response.ContentLength = http.Response.ContentLength is null ? null : bytes.Length;
        }
        if (http.Request.Path.StartsWithSegments("/internal/v1/map", StringComparison.Ordinal))
        {
            await Gate;
            Interlocked.Add(ref _told, bytes.Length);
        }
        if (bytes.Length > 0)
        {
            // (Nothing may be written where there is no content, not even nothing.)
            await body.WriteAsync(bytes);
        }
    }

    private static void Rename(Span<byte> text, ReadOnlySpan<byte> from, ReadOnlySpan<byte> to)
    {
        for (var at = text.IndexOf(from); at >= 0; at = text.IndexOf(from))
        {
            to.CopyTo(text[at..]);
            text = text[(at + to.Length)..];
        }
    }

    private void Take(QueryWorkload workload, int wanted)
    {
        var start = workload.Start * Instant.Second;
        var now = (int)((_begin - start) / Instant.Hour);
        var alive = 0;
        foreach (var (series, hours) in workload.Series.Zip(workload.Samples()).OrderBy(one => DeviceOf(one.First.Name)).ThenBy(one => one.First.Account, StringComparer.Ordinal))
        {
            if (alive == wanted || series.Life.Until <= now)
            {
                continue;
            }
            alive += series.Life.From <= now ? 1 : 0;
            var name = NameOf(series.Name);
            for (var hour = Math.Max(0, now - HistoryDays * 24); hour < now; hour++)
            {
                Observe(name, start + hour * Instant.Hour, hours[hour]);
            }
            _series.Add((name, hours[now..]));
            _catalog.Put(new SeriesInfo(name, Name, null, series.Shape == "counter" ? "counter" : "gauge"));
        }
        var known = _series.Select(s => s.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var query in workload.Queries())
        {
            if (query.Time * Instant.Second >= _begin - HistoryDays * Instant.Day && known.Contains(NameOf(query.Series)))
            {
                _queries.Add(query);
            }
        }
    }

    /// <summary>Devices of all edges are different ones.</summary>
    private string NameOf(string series) => series.Insert(series.IndexOf('/', StringComparison.Ordinal) + 1, Name + "-");

    private static int DeviceOf(string series) => int.Parse(series.Split('/')[1]["device-".Length..], System.Globalization.CultureInfo.InvariantCulture);

    private void Feed(long to)
    {
        for (; _asked < _queries.Count && _queries[_asked] is var query && query.Time * Instant.Second < to; _asked++)
        {
            var time = query.Time * Instant.Second;
            _refresh.Access.Record(NameOf(query.Series), query.Step, ReadShape.Of(query.Range, time), time, query.Count);
        }
        for (; _fed < to; _fed += Instant.Hour)
        {
            foreach (var (name, counts) in _series)
            {
                Observe(name, _fed, counts[(_fed - _begin) / Instant.Hour]);
            }
        }
        foreach (var (window, count) in _held)
        {
            var isHeld = window.End > to - WindowsHeld * Instant.Day;
            var holding = new Holding(Name, window, Name, Tier.Ssd, 0, Holding.Latest, window.Range, count, (long)(count * (window.End > to ? OpenBytes : SealedBytes)));
            if (isHeld)
            {
                _catalog.Put(holding);
            }
            else
            {
                _catalog.Remove(HoldingKey.Of(holding));
                _held.Remove(window);
            }
        }
    }

    private void Observe(string series, long hour, int count)
    {
        if (count > 0)
        {
            _refresh.Observe(series, hour, count);
            var window = Window.DayOf(hour);
            _held[window] = _held.GetValueOrDefault(window) + count;
        }
    }

    private sealed class Clock(long now) : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = Instant.ToDateTimeOffset(now);

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
