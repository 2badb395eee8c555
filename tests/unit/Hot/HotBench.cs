using Foretier.Agent.Hot;
using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Foretier.Tests.Unit.Hot;

/// <summary>A hot store on a simulated disk, with what the tests do to it over and over.</summary>
internal sealed class HotBench(CrashDisk disk)
{
    public static readonly long Day = Instant.From(new DateTimeOffset(2017, 3, 9, 0, 0, 0, TimeSpan.Zero));

    public CrashDisk Disk { get; private set; } = disk;
    public HotStore Store { get; private set; } = null!;
    public Catalog Catalog { get; private set; } = new();
    public FakeTimeProvider Clock { get; } = new(new DateTimeOffset(2017, 3, 10, 12, 0, 0, TimeSpan.Zero));

    public HotOptions Options { get; init; } = new()
    {
        Directory = "-",
        CommitInterval = TimeSpan.Zero,
        JournalFileBytes = 64 * 1024,
        JournalFiles = 3,
        ReserveBytes = 0,
        BlockBytesMax = 512,
    };

    public static async Task<HotBench> OpenAsync(CrashDisk? disk = null, HotOptions? options = null)
    {
        var bench = new HotBench(disk ?? new());
        bench = options is null ? bench : new(bench.Disk) { Options = options };
        await bench.OpenAgainAsync();
        return bench;
    }

    public Task OpenAgainAsync()
    {
        Catalog = new();
        return Task.Run(() => Store = HotStore.Open(Options, Disk, Catalog, Clock, NullLogger.Instance));
    }

    /// <summary>Kills the store and opens it on what survived. Null: a kill; else a power cut.</summary>
    public async Task CrashAsync(Random? random)
    {
        var next = Disk.Crash(random);
        await Store.AbandonAsync();
        Disk = next;
        await OpenAgainAsync();
    }

    /// <summary>Lets time pass for the background loops until something has come about.</summary>
    public async Task UntilAsync(Func<bool> isSo)
    {
        for (var i = 0; !isSo(); i++)
        {
            Assert.True(i < 5_000, "it did not come about");
            Clock.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(2);
        }
    }

    public int Series(string measurement, bool isState = false) => Store.Resolve("acme", "boiler", measurement, null, isState);

    public long Append(string measurement, params (long Time, double Value)[] samples)
    {
        var series = Series(measurement);
        return Store.Append([.. samples.Select(s => new IncomingSample(series, s.Time, s.Value, null))]);
    }

    public async Task AppendDurablyAsync(string measurement, params (long Time, double Value)[] samples) =>
        await Store.WaitDurableAsync(Append(measurement, samples), CancellationToken.None);

    /// <summary>All that the store's own holdings have.</summary>
    public async Task<Dictionary<(string Series, long Time), (double Value, string? State)>> ReadAsync(HotStore? store = null, Catalog? catalog = null)
    {
        var view = (catalog ?? Catalog).View;
        var parts = view.Holdings.Where(h => h.Node == h.Edge).Select(h => new FetchPart(h.Edge, h.Window, h.After, h.Through, h.Window.Range)).ToList();
        var result = await (store ?? Store).FetchAsync(new([.. view.Series.Select(s => s.Name)], parts, true, 0, 0), CancellationToken.None);
        Assert.Empty(result.Gone);
        var all = new Dictionary<(string, long), (double, string?)>();
        foreach (var slice in result.Slices)
        {
            for (var i = 0; i < slice.Samples!.Count; i++)
            {
                all.Add((slice.Series, slice.Samples.Times[i]), (slice.Samples.Values[i], slice.Samples.StateAt(i)));
            }
        }
        return all;
    }

    /// <summary>Where the store's own holdings end what older layers elsewhere have.</summary>
    public async Task<List<(string Series, TimeRange Range)>> ErasedAsync()
    {
        var view = Catalog.View;
        var parts = view.Holdings.Where(h => h.Node == h.Edge).Select(h => new FetchPart(h.Edge, h.Window, h.After, h.Through, h.Window.Range)).ToList();
        var result = await Store.FetchAsync(new([.. view.Series.Select(s => s.Name)], parts, true, 0, 0), CancellationToken.None);
        return [.. result.Slices.SelectMany(slice => slice.Erased.Select(range => (slice.Series, range)))];
    }

    public async Task<Deletion> DeleteAsync(string measurement, long from, long to) =>
        (await Store.DeleteAsync(new("acme", "boiler", measurement), new(from, to), TimeSpan.Zero, CancellationToken.None))!;

    public async Task<double[]> ValuesAsync(string measurement) =>
        [.. (await ReadAsync()).Where(s => s.Key.Series == $"acme/boiler/{measurement}").OrderBy(s => s.Key.Time).Select(s => s.Value.Value)];

    public async Task HasAsync(string measurement, params double[] values) => Assert.Equal<IEnumerable<double>>(values, await ValuesAsync(measurement));

    /// <summary>What the edge says it has itself, and not only knows to be further down.</summary>
    public IEnumerable<Holding> Own => Catalog.View.Holdings.Where(h => h.Node != Holding.Below);

    public Window Window => Window.DayOf(Day);
}
