using Foretier.Archive;
using Foretier.Archive.Stores;
using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Gateway.Care;
using Foretier.Gateway.Pack;
using Foretier.Gateway.Warm;
using Foretier.Protocol;
using Foretier.Protocol.Shipping;
using Foretier.Tests.Unit.Archive;
using Microsoft.Extensions.Logging.Abstractions;
using static Foretier.Tests.Unit.Gateway.WarmBed;

namespace Foretier.Tests.Unit.Gateway;

/// <summary>The real archive behind the packer: Parquet in a folder.</summary>
public sealed class PackToParquetTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("pack").FullName;
    private readonly ObjectStore _objects;
    private readonly ArchiveWriter _writer;
    private readonly ArchiveCatalog _archived;
    private readonly ArchiveCatalog _own;

    public PackToParquetTests()
    {
        _objects = ObjectStore.Open(Path.Combine(_folder, "archive"));
        _writer = new(_objects, new() { Site = "site-1", ScratchPath = Path.Combine(_folder, "scratch") });
        _archived = new(_objects);
        _own = new(_objects, "site-1");
    }

    public void Dispose()
    {
        _archived.Dispose();
        _own.Dispose();
        _objects.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static readonly string[] Names = ["acme/boiler-1/door", "acme/boiler-1/pressure", Series];

    private static async Task FillAsync(WarmBed bed)
    {
        var random = new Random(3);
        for (var flush = 1; flush <= 5; flush++)
        {
            var segments = new List<ShippedSegment>();
            foreach (var name in Names)
            {
                var samples = new SampleColumns();
                for (var second = flush * 500; second < flush * 500 + 900; second += random.Next(1, 20))
                {
                    // Each flush overlaps the one before and corrects some of it.
                    samples.Add(Day.Start + second * Instant.Second, name == Names[0] ? 0 : random.Next(1000) / 10.0, name == Names[0] ? $"state-{random.Next(4)}" : null);
                }
                segments.Add(Shipped(name, flush, samples) with { Kind = name == Names[0] ? "state" : "gauge" });
            }
            await bed.ReceiveAsync(new(Day, flush - 1, flush, segments));
        }
    }

    private static async Task<string> ReadAsync(IDataSource source, Holding holding)
    {
        var result = await source.FetchAsync(new(Names, [new(holding.Edge, holding.Window, holding.After, holding.Through, Day.Range)], true, 0, 0), default);
        Assert.Empty(result.Gone);
        return string.Join('\n', result.Slices.OrderBy(s => s.Series, StringComparer.Ordinal).Select(s => s.Series + ": " + string.Join(' ',
            Enumerable.Range(0, s.Samples!.Count).Select(i => $"{s.Samples.Times[i]}={s.Samples.StateAt(i) ?? s.Samples.Values[i].ToString("R", System.Globalization.CultureInfo.InvariantCulture)}"))));
    }

    [Fact]
    public async Task Archive_answers_what_the_gateway_answered_and_a_lost_disk_is_learnt_from_it()
    {
        await using var bed = await WarmBed.OpenAsync();
        await FillAsync(bed);
        var held = bed.Hdd()!;
        var before = await ReadAsync(bed.Store, held);
        Assert.Equal(3, before.Split('\n').Length);
        using var packer = new Packer(bed.Store, _writer.PublishAsync, NullLogger<Packer>.Instance);

        Assert.Equal(new MoveResult(1, held.Count), await packer.PackAsync(long.MaxValue, default));

        var holding = Assert.Single(bed.Catalog.View.Holdings);
        await _archived.RefreshAsync(default);
        Assert.Equal(holding, Assert.Single(_archived.Holdings));
        Assert.Equal(before, await ReadAsync(new ArchiveSource(_objects, _archived, new(), TimeProvider.System), holding));
        Assert.Equal(held.Count, bed.BalancedLedger().Released);

        // A new disk, the same archive.
        var catalog = new Catalog();
        await using var fresh = await WarmStore.OpenAsync(new("gateway-1", Path.Combine(_folder, "fresh")), catalog, TimeProvider.System,
            NullLogger<WarmStore>.Instance, new ArchiveCatalog(_objects).RefreshAsync, default);

        Assert.Equal(holding, Assert.Single(catalog.View.Holdings));
        Assert.Equal(Names, catalog.View.Series.Select(s => s.Name).Order(StringComparer.Ordinal));
        Assert.Equal(5, Assert.Single(fresh.ProgressOf(Edge)).Through);
        Assert.True(fresh.CountLedger().Balanced);
    }

    [Fact]
    public async Task Packing_again_what_was_published_before_a_crash_leaves_one_manifest()
    {
        await using var bed = await WarmBed.OpenAsync();
        await FillAsync(bed);
        using var dying = new Packer(bed.Store, async (pack, cancel) =>
        {
            await _writer.PublishAsync(pack, cancel);
            throw new IOException("the process ends here");
        }, NullLogger<Packer>.Instance);
        await Assert.ThrowsAsync<IOException>(() => dying.PackAsync(long.MaxValue, default));
        await bed.ReceiveAsync(Batch(5, 6, (1, 10)));
        using var packer = new Packer(bed.Store, _writer.PublishAsync, NullLogger<Packer>.Instance);

        await packer.PackAsync(long.MaxValue, default);
        await _archived.RefreshAsync(default);

        Assert.Equal([(0L, 5L), (5L, 6L)], _archived.Holdings.OrderBy(h => h.After).Select(h => (h.After, h.Through)));
        Assert.Equal(bed.Catalog.View.Holdings.OrderBy(h => h.After), _archived.Holdings.OrderBy(h => h.After));
        Assert.Equal(0, bed.BalancedLedger().Held);
    }

    [Fact]
    public async Task What_has_become_quiet_is_archived_and_its_layers_become_one_whose_answer_and_ledger_are_the_same()
    {
        await using var bed = await WarmBed.OpenAsync();
        using var packer = new Packer(bed.Store, _writer.PublishAsync, NullLogger<Packer>.Instance);
        await using var care = CareOf(bed, packer, new() { ArchiveAfterDays = 2 });
        await FillAsync(bed);
        var held = bed.Hdd()!;
        await care.CareAsync(default);
        Assert.Equal(held, bed.Hdd());
        bed.Clock.Advance(TimeSpan.FromDays(2));
        await care.CareAsync(default);
        Assert.Equal((0L, 5L), Layers(bed).Single());
        // Late: one new, one that corrects what is archived.
        await bed.ReceiveAsync(Batch(5, 6, (1, 10), (5, 11)));
        await bed.ReceiveAsync(Batch(6, 7, (5, 12)));
        await packer.PackAsync(long.MaxValue, default);
        await bed.ReceiveAsync(Batch(7, 8, (1, 77)));
        await packer.PackAsync(long.MaxValue, default);
        Assert.Equal([(0L, 5L), (5L, 7L), (7L, 8L)], Layers(bed));
        var unique = held.Count + 2;
        Assert.Equal(unique + 1, bed.BalancedLedger().Released);

        bed.Clock.Advance(TimeSpan.FromDays(1));
        await care.CareAsync(default);

        Assert.Null(care.Problem);
        Assert.Equal((0L, 8L), Layers(bed).Single());
        Assert.Equal(unique, bed.BalancedLedger().Released);
        await _archived.RefreshAsync(default);
        var merged = Assert.Single(_archived.Holdings);
        Assert.Equal((unique, merged), (merged.Count, Assert.Single(bed.Catalog.View.Holdings)));
        Assert.Contains($"{Series}: {Day.Start + 1_000_000}=77 {Day.Start + 5_000_000}=12 ", await ReadAsync(new ArchiveSource(_objects, _archived, new(), TimeProvider.System), merged), StringComparison.Ordinal);
        Assert.Single(await _objects.ListAsync("v1/catalog/", default).ToListAsync());

        bed.Clock.Advance(TimeSpan.FromDays(1));
        await care.CareAsync(default);
        Assert.Single(await _objects.ListAsync("v1/raw/", default).ToListAsync());
        Assert.Equal(unique, bed.BalancedLedger().Released);
    }

    [Fact]
    public async Task While_the_archive_cannot_be_read_care_is_put_off_said_and_done_later()
    {
        await using var bed = await WarmBed.OpenAsync();
        using var packer = new Packer(bed.Store, _writer.PublishAsync, NullLogger<Packer>.Instance);
        using var store = new MeddledStore(_objects);
        await using var care = new Caretaker(bed.Store, packer, new ArchiveTidy(store, _own, _writer, bed.Clock), null, new(bed.Store, null, NullLogger<Expiry>.Instance),
            new(bed.Store, () => PartitionMap.Empty, new(), () => long.MaxValue / 4, bed.Clock, NullLogger<RoomAhead>.Instance), new() { ArchiveAfterDays = 0 }, bed.Clock, NullLogger<Caretaker>.Instance);
        await FillAsync(bed);
        await packer.PackAsync(long.MaxValue, default);
        await bed.ReceiveAsync(Batch(5, 6, (1, 10)));
        await packer.PackAsync(long.MaxValue, default);
        bed.Clock.Advance(TimeSpan.FromDays(1));

        store.FailGet = key => key.EndsWith(".parquet", StringComparison.Ordinal);
        await care.CareAsync(default);
        Assert.NotNull(care.Problem);
        Assert.Equal([(0L, 5L), (5L, 6L)], Layers(bed));

        store.FailGet = _ => false;
        bed.Clock.Advance(TimeSpan.FromHours(1));
        await care.CareAsync(default);
        Assert.Null(care.Problem);
        Assert.Equal((0L, 6L), Layers(bed).Single());
    }

    [Fact]
    public async Task Rollups_gone_from_the_archive_are_named_lose_nothing_and_are_made_anew()
    {
        await using var bed = await WarmBed.OpenAsync();
        using var packer = new Packer(bed.Store, _writer.PublishAsync, NullLogger<Packer>.Instance);
        using var store = new MeddledStore(_objects);
        await using var care = new Caretaker(bed.Store, packer, new ArchiveTidy(store, _own, _writer, bed.Clock), new ArchiveAudit(_objects, _own), new(bed.Store, null, NullLogger<Expiry>.Instance),
            new(bed.Store, () => PartitionMap.Empty, new(), () => long.MaxValue / 4, bed.Clock, NullLogger<RoomAhead>.Instance), new() { ArchiveAfterDays = 0 }, bed.Clock, NullLogger<Caretaker>.Instance);
        await bed.ReceiveAsync(new(Day, 0, 1, [.. ArchiveRollupTests.Readings().Select(series => Shipped(series.Key, 1, series.Value))]));
        await packer.PackAsync(long.MaxValue, default);
        var released = bed.BalancedLedger().Released;
        var rollups = (await _objects.ListAsync("v1/rollup=1h/", default).ToListAsync()).Single().Key;
        var whole = await _objects.GetAsync(rollups, default);
        await _objects.DeleteAsync(rollups, default);

        store.FailGet = key => key.EndsWith(".parquet", StringComparison.Ordinal);
        await care.CareAsync(default);
        Assert.Contains(rollups, care.Problem, StringComparison.Ordinal);
        Assert.Empty(bed.Store.Problems);
        Assert.Equal((released, 0L), (bed.BalancedLedger().Released, bed.BalancedLedger().Lost));

        store.FailGet = _ => false;
        await care.CareAsync(default);
        Assert.Null(care.Problem);
        Assert.Equal(whole, await _objects.GetAsync(rollups, default));
    }

    [Theory]
    [InlineData("a file")]
    [InlineData("half of a file")]
    [InlineData("the manifest")]
    public async Task What_is_gone_from_the_archive_is_named_counted_as_lost_and_made_good_by_the_edge(string what)
    {
        await using var bed = await WarmBed.OpenAsync();
        using var packer = new Packer(bed.Store, _writer.PublishAsync, NullLogger<Packer>.Instance);
        await using var care = CareOf(bed, packer, new() { ArchiveAfterDays = 0 });
        await FillAsync(bed);
        var (before, ledger) = (await ReadAsync(bed.Store, bed.Hdd()!), bed.BalancedLedger());
        await packer.PackAsync(long.MaxValue, default);
        await care.CareAsync(default);
        Assert.Empty(bed.Store.Problems);
        var released = bed.BalancedLedger().Released;

        var lost = (await _objects.ListAsync(what == "the manifest" ? "v1/catalog/" : "v1/raw/", default).ToListAsync()).Single().Key;
        var whole = await _objects.GetAsync(lost, default);
        await _objects.DeleteAsync(lost, default);
        if (what == "half of a file")
        {
            await _objects.PutAsync(lost, whole.AsMemory(0, whole.Length / 2), default);
        }
        await care.CareAsync(default);

        Assert.Contains(lost, Assert.Single(bed.Store.Problems), StringComparison.Ordinal);
        Assert.Equal((released, 0L), (bed.BalancedLedger().Lost, bed.BalancedLedger().Released));

        // Who puts it back has it back.
        await _objects.PutAsync(lost, whole, default);
        await care.CareAsync(default);
        Assert.Empty(bed.Store.Problems);
        Assert.Equal((0L, released), (bed.BalancedLedger().Lost, bed.BalancedLedger().Released));
        Assert.Null(bed.Store.DamagedAfter(Edge, Day));

        await _objects.DeleteAsync(lost, default);
        await care.CareAsync(default);
        Assert.Null(await bed.Store.ForgetDamagedAsync(Edge, Day, 2, default));
        Assert.Equal(0, await bed.Store.ForgetDamagedAsync(Edge, Day, 0, default));
        Assert.Empty(bed.Catalog.View.Holdings);
        Assert.Equal(0, bed.BalancedLedger().Unique);
        await FillAsync(bed);
        Assert.Equal((before, ledger.Held), (await ReadAsync(bed.Store, bed.Hdd()!), bed.BalancedLedger().Held));
        await packer.PackAsync(long.MaxValue, default);
        await care.CareAsync(default);
        Assert.Empty(bed.Store.Problems);
        Assert.Equal(before, await ReadAsync(new ArchiveSource(_objects, _archived, new(), TimeProvider.System), Assert.Single(bed.Catalog.View.Holdings)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_is_past_retention_is_deleted_here_and_in_the_archive_counted_and_so_is_what_comes_late(bool hasArchive)
    {
        await using var bed = await WarmBed.OpenAsync();
        bed.Clock.SetUtcNow(Instant.ToDateTimeOffset(Day.End).AddDays(9));
        using var packer = new Packer(bed.Store, _writer.PublishAsync, NullLogger<Packer>.Instance);
        await using var care = CareOf(bed, hasArchive ? packer : null, new() { ArchiveAfterDays = 0, RetainDays = 10 });
        await FillAsync(bed);
        if (hasArchive)
        {
            await packer.PackAsync(long.MaxValue, default);
        }
        await bed.ReceiveAsync(Batch(5, 6, (1, 10), (2, 20)));
        var unique = bed.BalancedLedger().Unique;
        await care.CareAsync(default);
        Assert.Equal(0, bed.BalancedLedger().Expired);

        bed.Clock.Advance(TimeSpan.FromDays(1));
        await care.CareAsync(default);

        Assert.Null(care.Problem);
        Assert.Equal((unique, 0L, 0L), (bed.BalancedLedger().Expired, bed.BalancedLedger().Held, bed.BalancedLedger().Released));
        Assert.DoesNotContain(Directory.EnumerateFiles(bed.Folder, "*", SearchOption.AllDirectories), file => file.Contains("edges", StringComparison.Ordinal));
        Assert.Equal(6, Assert.Single(bed.Store.ProgressOf(Edge)).Through);
        Assert.Equal((0L, 6L, 0L), Assert.Single(bed.Catalog.View.Holdings) is var empty ? (empty.After, empty.Through, empty.Count) : default);

        // Its edge still accepts for that day.
        await bed.ReceiveAsync(Batch(6, 7, (3, 30)));
        Assert.Equal(1, bed.BalancedLedger().Held);
        await care.CareAsync(default);
        Assert.Equal(unique + 1, bed.BalancedLedger().Expired);
        if (hasArchive)
        {
            bed.Clock.Advance(TimeSpan.FromDays(1));
            await care.CareAsync(default);
            bed.Clock.Advance(TimeSpan.FromDays(1));
            await care.CareAsync(default);
            Assert.Empty(await _objects.ListAsync("v1/raw/", default).ToListAsync());
            Assert.Equal((0L, 7L, 0L), Assert.Single((await _archived.RefreshAsync(default)).Holdings) is var told ? (told.After, told.Through, told.Count) : default);
        }
        await bed.RestartAsync();
        Assert.Equal(7, Assert.Single(bed.Store.ProgressOf(Edge)).Through);
        Assert.Equal(unique + 1, bed.BalancedLedger().Expired);
    }

    [Fact]
    public async Task Retention_that_was_interrupted_goes_on_in_the_next_round()
    {
        await using var bed = await WarmBed.OpenAsync();
        bed.Clock.SetUtcNow(Instant.ToDateTimeOffset(Day.End).AddDays(11));
        await FillAsync(bed);
        var unique = bed.BalancedLedger().Unique;
        var fails = true;
        var expiry = new Expiry(bed.Store, (pack, cancel) => fails ? throw new ArchiveException(ArchiveFault.Unreachable, "put", "x", "away") : _writer.PublishAsync(pack, cancel), NullLogger<Expiry>.Instance);
        await Assert.ThrowsAsync<ArchiveException>(() => expiry.EndAsync(Day.End, default));
        Assert.Equal((unique, 0L), (bed.BalancedLedger().Held, bed.BalancedLedger().Expired));
        await bed.ReceiveAsync(Batch(5, 6, (1, 10)));
        await bed.RestartAsync();
        expiry = new Expiry(bed.Store, (pack, cancel) => fails ? throw new ArchiveException(ArchiveFault.Unreachable, "put", "x", "away") : _writer.PublishAsync(pack, cancel), NullLogger<Expiry>.Instance);
        fails = false;
        await expiry.EndAsync(Day.End, default);
        Assert.Equal((0L, unique + 1), (bed.BalancedLedger().Held, bed.BalancedLedger().Expired));
    }

    [Fact]
    public async Task A_window_that_is_forgotten_while_it_is_packed_is_not_taken_for_archived()
    {
        await using var bed = await WarmBed.OpenAsync();
        await FillAsync(bed);
        var ledger = bed.BalancedLedger();
        using var packer = new Packer(bed.Store, async (pack, cancel) =>
        {
            // The scrub finds its file damaged, the edge offers it again and has sent a part of it.
            var holding = await _writer.PublishAsync(pack, cancel);
            var file = bed.FileOf(0);
            var bytes = await File.ReadAllBytesAsync(file, cancel);
            bytes[^9] ^= 1;
            await File.WriteAllBytesAsync(file, bytes, cancel);
            await bed.Store.ScrubAsync((_, _) => Task.CompletedTask, cancel);
            Assert.Equal(0, await bed.Store.ForgetDamagedAsync(Edge, Day, 0, cancel));
            return holding;
        }, NullLogger<Packer>.Instance);
        await Assert.ThrowsAsync<IOException>(() => packer.PackAsync(long.MaxValue, default));
        await FillAsync(bed);
        Assert.Equal(ledger.ToString(), bed.BalancedLedger().ToString());
        using var again = new Packer(bed.Store, _writer.PublishAsync, NullLogger<Packer>.Instance);
        await again.PackAsync(long.MaxValue, default);
        Assert.Equal(ledger.Held, bed.BalancedLedger().Released);
    }

    private Caretaker CareOf(WarmBed bed, Packer? packer, CareOptions options) => new(bed.Store, packer,
        packer is null ? null : new ArchiveTidy(_objects, _own, _writer, bed.Clock), packer is null ? null : new ArchiveAudit(_objects, _own),
        new(bed.Store, packer is null ? null : _writer.PublishAsync, NullLogger<Expiry>.Instance),
        new(bed.Store, () => PartitionMap.Empty, new(), () => long.MaxValue / 4, bed.Clock, NullLogger<RoomAhead>.Instance), options, bed.Clock, NullLogger<Caretaker>.Instance);

    private static IEnumerable<(long, long)> Layers(WarmBed bed) => bed.Catalog.View.Holdings.OrderBy(h => h.After).Select(h => (h.After, h.Through));
}
