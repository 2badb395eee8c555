using Foretier.Archive;
using Foretier.Archive.Stores;
using Foretier.Core.Samples;

namespace Foretier.Tests.Unit.Archive;

public class ArchiveTidyTests : IDisposable
{
    private const string Name = "a/d/m";
    private readonly ArchiveBench _bench;

    public ArchiveTidyTests() => _bench = new();

    private protected ArchiveTidyTests(ArchiveBench bench) => _bench = bench;

    public void Dispose()
    {
        _bench.Dispose();
        GC.SuppressFinalize(this);
    }

    private ArchiveTidy Tidy => _bench.Tidy;

    [Fact]
    public async Task Layers_become_one_the_later_over_the_earlier_and_deletions_done_with()
    {
        var layers = new[]
        {
            await _bench.Writer().PublishAsync(ArchiveBench.Pack(Of((1, 1), (2, 2), (3, 3), (9, 9)), 0, 4), default),
            await _bench.Writer().PublishAsync(ArchiveBench.Pack(Of((2, 20), (4, 4)), 4, 6) with
            {
                Erased = [new(Name, new(ArchiveBench.Day.Start + 2, ArchiveBench.Day.Start + 4))],
            }, default),
        };

        var merged = await Tidy.MergeAsync(layers, default);

        Assert.Equal((0L, 6L, 4L), (merged.Holding.After, merged.Holding.Through, merged.Holding.Count));
        Assert.Equal((0L, 2L), (merged.Superseded, merged.Deleted));
        Assert.Equal(merged.Holding, Assert.Single((await _bench.Catalog.RefreshAsync(default)).Holdings));
        var slice = Assert.Single((await _bench.Source().FetchAsync(ArchiveBench.Ask([Name], through: 6), default)).Slices);
        ArchiveBench.AssertSame(Of((1, 1), (2, 20), (4, 4), (9, 9))[Name], slice.Samples!);
        Assert.Empty(slice.Erased);
    }

    [Fact]
    public async Task What_no_manifest_names_goes_at_the_second_sweep_and_what_one_names_stays()
    {
        await _bench.Writer().PublishAsync(ArchiveBench.Pack(Of((1, 1)), 0, 4), default);
        await _bench.Store.PutAsync("v1/raw/site=home/date=2017-03-09/b=0/left.parquet", new byte[10], default);
        await _bench.Store.PutAsync("v1/raw/site=other/date=2017-03-09/b=0/theirs.parquet", new byte[10], default);
        var tidy = Tidy;

        Assert.Equal((0, 0L), await tidy.SweepAsync([], (_, _) => false, default));
        Assert.Equal((1, 10L), await tidy.SweepAsync([], (_, _) => false, default));
        Assert.Equal((0, 0L), await tidy.SweepAsync([], (_, _) => false, default));
        Assert.NotNull(await _bench.Store.StatAsync("v1/raw/site=other/date=2017-03-09/b=0/theirs.parquet", default));
        Assert.Single((await _bench.Source().FetchAsync(ArchiveBench.Ask([Name]), default)).Slices);
    }

    [Fact]
    public async Task A_manifest_of_what_was_lost_and_comes_again_goes_and_what_came_again_stays_though_the_old_one_covers_it()
    {
        await _bench.Writer().PublishAsync(ArchiveBench.Pack(Of((1, 1), (2, 2)), 0, 4), default);
        var again = await _bench.Writer().PublishAsync(ArchiveBench.Pack(Of((1, 1)), 0, 2), default);

        await Tidy.SweepAsync([again], (_, _) => true, default);

        Assert.Equal(again, Assert.Single((await _bench.Catalog.RefreshAsync(default)).Holdings));
    }

    [Fact]
    public async Task A_manifest_that_cannot_be_read_stops_the_sweep()
    {
        await _bench.Store.PutAsync(new ManifestKey("home", "edge-1", ArchiveBench.Day, 0, 4).ToString(), "{"u8.ToArray(), default);
        await _bench.Store.PutAsync("v1/raw/site=home/x.parquet", new byte[10], default);
        var tidy = Tidy;

        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(ArchiveFault.Damaged, (await Assert.ThrowsAsync<ArchiveException>(() => tidy.SweepAsync([], (_, _) => false, default))).Kind);
        }
        Assert.NotNull(await _bench.Store.StatAsync("v1/raw/site=home/x.parquet", default));
    }

    private static Dictionary<string, SampleColumns> Of(params (int Micros, double Value)[] samples)
    {
        var columns = new SampleColumns();
        foreach (var (micros, value) in samples)
        {
            columns.Add(ArchiveBench.Day.Start + micros, value);
        }
        return new() { [Name] = columns };
    }
}
