using Foretier.Archive;
using Foretier.Archive.Stores;
using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Gateway.Pack;
using Foretier.Gateway.Receive;
using Foretier.Gateway.Stage;
using Foretier.Gateway.Warm;
using Foretier.Predict.Access;
using Foretier.Protocol.Shipping;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Foretier.Tests.Unit.Gateway;

/// <summary>A gateway with days of samples on its disk and in a real archive, a log of who reads, and the truth beside it.</summary>
internal sealed class StageBed : IAsyncDisposable
{
    public const string Edge = "edge-1";
    public static readonly string[] Names = ["acme/boiler-1/door", "acme/boiler-1/pressure", "acme/boiler-1/temperature"];
    public static readonly Window First = Window.DayOf(Instant.From(new DateTimeOffset(2026, 1, 5, 0, 0, 0, TimeSpan.Zero)));

    private readonly ObjectStore _objects;
    private readonly ArchiveCatalog _archived;
    private readonly Random _random;

    private StageBed(int seed)
    {
        _random = new(seed);
        _objects = ObjectStore.Open(Path.Combine(Folder, "archive"));
        _archived = new(_objects);
    }

    public string Folder { get; } = Directory.CreateTempSubdirectory("stage").FullName;
    public FakeTimeProvider Clock { get; } = new(new DateTimeOffset(2026, 2, 5, 7, 30, 0, TimeSpan.Zero));
    public long Now => Instant.Now(Clock);
    public AccessLog Log { get; private set; } = new();
    public Catalog Catalog { get; private set; } = new();
    public SourceHealth Health { get; private set; } = null!;
    public WarmStore Store { get; private set; } = null!;
    public Stager Stager { get; private set; } = null!;
    public StageOptions Options { get; } = new() { CpuShare = 1 };
    public Func<AccessForecast>? Expected { get; set; }
    public Dictionary<string, AccountTerms> Terms { get; } = [];

    /// <summary>What the disk has left for copies.</summary>
    public long Room { get; set; } = long.MaxValue;
    public Dictionary<string, SortedDictionary<long, (double Value, string? State)>> Truth { get; } = Names.ToDictionary(name => name, _ => new SortedDictionary<long, (double, string?)>());
    public int ArchiveReads { get; private set; }

    public static async Task<StageBed> OpenAsync(int days, int seed = 1)
    {
        var bed = new StageBed(seed);
        await bed.StartAsync();
        for (var day = 0; day < days; day++)
        {
            await bed.ShipAsync(DayAt(day), 1);
            await bed.ShipAsync(DayAt(day), 2);
        }
        return bed;
    }

    public static Window DayAt(int day) => Window.DayOf(First.Start + day * Instant.Day);

    /// <summary>One flush of a day: samples of every series that overlap those of the flush before.</summary>
    public async Task ShipAsync(Window day, int flush)
    {
        var segments = new List<ShippedSegment>();
        foreach (var name in Names)
        {
            var samples = new SampleColumns();
            var start = day.Start + (flush - 1) % 2 * 8 * Instant.Hour;
            for (var at = start + _random.Next(1_000_000); at < start + 12 * Instant.Hour; at += _random.Next(20, 90) * Instant.Second)
            {
                var state = name == Names[0] ? $"s{_random.Next(3)}" : null;
                samples.Add(at, state is null ? _random.Next(1000) / 10.0 : 0, state);
                Truth[name][at] = (samples.Values[^1], state);
            }
            segments.Add(WarmBed.Shipped(name, flush, samples) with { Kind = name == Names[0] ? "state" : "gauge" });
        }
        var bytes = new ShipBatch(day, flush - 1, flush, segments).ToBytes();
        var result = await Store.ReceiveAsync(Edge, day, flush - 1, flush, bytes, ShipBatch.DigestOf(bytes), default);
        Assert.Equal(ReceiveOutcome.Stored, result.Outcome);
    }

    public async Task ArchiveAsync()
    {
        using var packer = new Packer(Store, new ArchiveWriter(_objects, new() { Site = "site-1", ScratchPath = Path.Combine(Folder, "scratch") }).PublishAsync, NullLogger<Packer>.Instance);
        await packer.PackAsync(long.MaxValue, default);
        await _archived.RefreshAsync(default);
    }

    /// <summary>Somebody asks for all series, as the access log sees it.</summary>
    public void Read(TimeRange range, long step, long? at = null)
    {
        foreach (var name in Names)
        {
            Log.Record(name, step, ReadShape.Of(range, at ?? Now), at ?? Now);
        }
    }

    public async Task<Answer> AskAsync(TimeRange range, long step, params Fn[] functions)
    {
        Assert.True(SeriesGlob.TryParse("acme/**", out var glob, out _) || SeriesGlob.TryParse("acme/*/*", out glob, out _));
        return await AskAsync(new Question([glob!], range, step, functions));
    }

    /// <summary>Asks, and holds what comes against the truth.</summary>
    public async Task<Answer> AskAsync(Question question)
    {
        IDataSource archive = new ArchiveSource(_objects, _archived, new() { CacheBytes = 0 }, Clock);
        var answerer = new Answerer(Catalog, node => node == Store.Node ? Store : node == ArchiveManifest.Node ? Counted(archive) : null, Health, Clock);
        var answer = await answerer.AnswerAsync(question, [.. Catalog.View.Series], default);
        Assert.Empty(answer.Missing);
        foreach (var name in Names)
        {
            var expected = Truth[name].Where(sample => question.Range.Contains(sample.Key)).ToList();
            var series = answer.Series.SingleOrDefault(s => s.Name == name);
            if (question.NeedsRaw)
            {
                var raw = series?.Raw ?? new();
                Assert.True(expected.Select(s => (s.Key, s.Value.State, s.Value.Value)).SequenceEqual(Enumerable.Range(0, raw.Count).Select(i => (raw.Times[i], raw.StateAt(i), raw.Values[i]))),
                    $"{name} has other samples in {question.Range}: {raw.Count} of {expected.Count}");
            }
            if (question.NeedsRollups && series is null)
            {
                Assert.Empty(expected);
            }
            else if (question.NeedsRollups && name != Names[0])
            {
                var buckets = expected.GroupBy(s => question.Grid.StartOf(s.Key)).ToDictionary(g => g.Key, g => g.Select(s => s.Value.Value).ToList());
                var rows = series!.Rows!.Rows.ToArray();
                Assert.Equal(buckets.Keys.Order(), rows.Select(row => row.Start));
                foreach (var row in rows)
                {
                    var values = buckets[row.Start];
                    Assert.Equal((values.Count, values.Min(), values.Max(), values[0], values[^1]), (row.Rollup.Count, row.Rollup.Min, row.Rollup.Max, row.Rollup.First, row.Rollup.Last));
                    Assert.Equal((double)values.Sum(value => (decimal)value), row.Rollup.Sum, 1e-12 * values.Sum(Math.Abs));
                }
            }
        }
        return answer;
    }

    public async Task RestartAsync(Action? between = null)
    {
        await Stager.DisposeAsync();
        await Store.DisposeAsync();
        between?.Invoke();
        await StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Stager.DisposeAsync();
        await Store.DisposeAsync();
        _objects.Dispose();
        Directory.Delete(Folder, recursive: true);
    }

    private async Task StartAsync()
    {
        Catalog = new();
        Health = new(Clock);
        Health.Own("gateway-1");
        Health.Connected(ArchiveManifest.Node);
        Store = await WarmStore.OpenAsync(new("gateway-1", Path.Combine(Folder, "hdd")), Catalog, Clock, NullLogger<WarmStore>.Instance, null, default);
        Stager = new(Options, Store, new(_objects, _archived), Catalog, () => Expected?.Invoke() ?? AccessForecast.Of(Log, Now), account => Terms.GetValueOrDefault(account) ?? AccountTerms.Usual, () => Room, Health, Clock, NullLogger<Stager>.Instance);
    }

    private CountedSource Counted(IDataSource source) => new(source, () => ArchiveReads++);

    private sealed class CountedSource(IDataSource source, Action count) : IDataSource
    {
        public string Node => source.Node;

        public Task<FetchResult> FetchAsync(FetchRequest request, CancellationToken cancel)
        {
            count();
            return source.FetchAsync(request, cancel);
        }
    }
}
