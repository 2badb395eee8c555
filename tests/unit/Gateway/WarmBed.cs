using System.Globalization;
using Foretier.Archive;
using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Segments;
using Foretier.Core.Tiers;
using Foretier.Gateway.Pack;
using Foretier.Gateway.Receive;
using Foretier.Gateway.Warm;
using Foretier.Protocol;
using Foretier.Protocol.Shipping;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Foretier.Tests.Unit.Gateway;

/// <summary>A warm store in a folder of its own that can be closed, tampered with and opened again, and an archive in memory.</summary>
public sealed class WarmBed : IAsyncDisposable
{
    public const string Edge = "edge-1";
    public const string Series = "acme/boiler-1/temperature";
    public static readonly Window Day = Window.DayOf(1_489_017_600_000_000);

    private readonly FakeTimeProvider _clock = new();

    private WarmBed()
    {
    }

    public string Folder { get; } = Directory.CreateTempSubdirectory("warm").FullName;
    public FakeTimeProvider Clock => _clock;
    public Catalog Catalog { get; private set; } = new();
    public WarmStore Store { get; private set; } = null!;
    public Packer Packer { get; private set; } = null!;
    public Dictionary<HoldingKey, (Holding Holding, Dictionary<string, SampleColumns> Samples)> Archive { get; } = [];
    public List<ArchiveErasure> Erased { get; } = [];
    public List<SeriesInfo> ArchivedSeries { get; } = [];

    /// <summary>Runs around the archive's publishing, to fail there.</summary>
    public Func<Task> BeforePublish { get; set; } = () => Task.CompletedTask;
    public Func<Task> AfterPublish { get; set; } = () => Task.CompletedTask;

    public WarmOptions Options => new("gateway-1", Folder);

    public static async Task<WarmBed> OpenAsync()
    {
        var bed = new WarmBed();
        await bed.StartAsync();
        return bed;
    }

    public async Task RestartAsync(Action? between = null)
    {
        await StopAsync();
        between?.Invoke();
        await StartAsync();
    }

    public Task<ReceiveResult> ReceiveAsync(ShipBatch batch, string edge = Edge)
    {
        var bytes = batch.ToBytes();
        return Store.ReceiveAsync(edge, batch.Window, batch.After, batch.Through, bytes, ShipBatch.DigestOf(bytes), default);
    }

    /// <summary>A batch of one flush: samples of one series at seconds of the day, each with a value.</summary>
    public static ShipBatch Batch(long after, long through, params (int Second, double Value)[] samples) =>
        new(Day, after, through, samples.Length == 0 ? [] : [Shipped(Series, through, samples)]);

    public static ShippedSegment Shipped(string series, long version, params (int Second, double Value)[] samples)
    {
        var columns = new SampleColumns();
        foreach (var (second, value) in samples.OrderBy(s => s.Second))
        {
            columns.Add(Day.Start + second * Instant.Second, value);
        }
        return Shipped(series, version, columns);
    }

    public static ShippedSegment Shipped(string series, long version, SampleColumns columns)
    {
        var rows = new BucketRows();
        rows.Add(columns, new BucketGrid(TimeRange.Everything, Instant.Minute));
        return new(series, "Cel", "gauge", version, Segment.Encode(columns).Bytes, RollupBlock.Encode(Instant.Minute, rows));
    }

    public Task<FetchResult> FetchAsync(long after, long through, bool raw = true, long step = 0, string series = Series, string edge = Edge) =>
        Store.FetchAsync(new([series], [new(edge, Day, after, through, Day.Range)], raw, step, Day.Start), default);

    /// <summary>What the store answers for everything of the day, as "second=value …"; "gone" where it does not hold it.</summary>
    public async Task<string> ReadAsync(long after, long through, string edge = Edge)
    {
        var result = await FetchAsync(after, through, edge: edge);
        return result.Gone.Count > 0 ? "gone" : Text(result.Slices.Count == 0 ? new() : Assert.Single(result.Slices).Samples!);
    }

    public static string Text(SampleColumns samples) => string.Join(' ', Enumerable.Range(0, samples.Count).Select(i => string.Create(
        CultureInfo.InvariantCulture, $"{(samples.Times[i] - Day.Start) / Instant.Second}={samples.Values[i]}")));

    public string FileOf(long after, string edge = Edge) => Path.Combine(Folder, "edges", edge, $"{Day}.{after}.warm");

    public Holding? Hdd(string edge = Edge) => Catalog.View.Holdings.SingleOrDefault(h => h.Tier == Tier.Hdd && h.Edge == edge && h.Window == Day);

    public Ledger BalancedLedger()
    {
        var ledger = Store.CountLedger();
        Assert.True(ledger.Balanced, ledger.ToString());
        return ledger;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        Directory.Delete(Folder, recursive: true);
    }

    private async Task StartAsync()
    {
        Catalog = new();
        Store = await WarmStore.OpenAsync(Options, Catalog, _clock, NullLogger<WarmStore>.Instance,
            _ => Task.FromResult(new CatalogUpdate(1, true, [.. ArchivedSeries], [.. Archive.Values.Select(a => a.Holding)], [])), default);
        Packer = new(Store, PublishAsync, NullLogger<Packer>.Instance);
    }

    private async Task StopAsync()
    {
        Packer.Dispose();
        await Store.DisposeAsync();
    }

    private async Task<Holding> PublishAsync(ArchivePack pack, CancellationToken cancel)
    {
        await BeforePublish();
        Erased.AddRange(pack.Erased);
        var samples = pack.Series.OrderBy(s => s.Name, StringComparer.Ordinal).ToDictionary(s => s.Name, pack.Read);
        var extent = samples.Values.Where(s => s.Count > 0).Aggregate(pack.Erased.Aggregate(TimeRange.Nothing, (e, erased) => e.Hull(erased.Range)), (e, s) => e.Hull(new(s.FirstTime, s.LastTime + 1)));
        var holding = new Holding(pack.Edge, pack.Window, "archive", Tier.Archive, pack.After, pack.Through, extent, samples.Values.Sum(s => (long)s.Count), 1);
        Archive[HoldingKey.Of(holding)] = (holding, samples);
        ArchivedSeries.AddRange(pack.Series.Where(s => !ArchivedSeries.Contains(s)));
        await AfterPublish();
        return holding;
    }
}
