using Foretier.Archive;
using Foretier.Archive.Stores;
using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Tests.Unit.Archive;

public class ArchiveCatalogTests : IDisposable
{
    private static readonly Window NextDay = new(ArchiveBench.Day.Start + Instant.Day, Instant.Day);
    private readonly ArchiveBench _bench;

    public ArchiveCatalogTests() => _bench = new();

    private protected ArchiveCatalogTests(ArchiveBench bench) => _bench = bench;

    public void Dispose()
    {
        _bench.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task A_fresh_router_learns_all_holdings_and_series_from_the_store_alone()
    {
        var samples = ArchiveBench.SomeSamples(20);
        var first = await _bench.Writer().PublishAsync(ArchiveBench.Pack(samples, 0, 4), default);
        var second = await _bench.Writer().PublishAsync(ArchiveBench.Pack(One("a/d/late", 7), 4, 6), default);
        var catalog = new Catalog();
        var update = await _bench.Catalog.RefreshAsync(default);
        catalog.Apply(update, key => key.Node == ArchiveManifest.Node);

        Assert.True(update.Reset);
        Assert.Equal([first, second], catalog.View.Holdings.OrderBy(h => h.After));
        Assert.Equal(samples.Keys.Append("a/d/late").Order(), catalog.View.Series.Select(s => s.Name).Order());
        Assert.Equal(new SeriesInfo("a/kitchen/temperature", "edge-1", "Cel", "gauge"), catalog.View.Named("a/kitchen/temperature").Single());
        Assert.Equal("state", catalog.View.Named("a/kitchen/door").Single().Kind);
    }

    [Fact]
    public async Task A_refresh_tells_only_what_changed_and_reads_only_new_manifests()
    {
        var store = new MeddledStore(_bench.Store);
        using var archive = new ArchiveCatalog(store);
        await _bench.Writer().PublishAsync(ArchiveBench.Pack(One("a/d/m", 1)), default);
        await archive.RefreshAsync(default);
        var second = await _bench.Writer().PublishAsync(ArchiveBench.Pack(One("a/d/n", 1, NextDay), window: NextDay), default);
        store.Reads.Clear();

        var update = await archive.RefreshAsync(default);
        Assert.False(update.Reset);
        Assert.Equal([second], update.Holdings);
        Assert.Equal(["a/d/n"], update.Series.Select(s => s.Name));
        Assert.Single(store.Reads);

        var quiet = await archive.RefreshAsync(default);
        Assert.Equal(update.Revision, quiet.Revision);
        Assert.Empty(quiet.Holdings);
        Assert.Single(store.Reads);
    }

    [Fact]
    public async Task Layers_packed_anew_replace_the_shorter_ones_and_a_removed_manifest_is_forgotten()
    {
        await _bench.Writer().PublishAsync(ArchiveBench.Pack(One("a/d/m", 1), 0, 4), default);
        await _bench.Catalog.RefreshAsync(default);
        var longer = await _bench.Writer().PublishAsync(ArchiveBench.Pack(One("a/d/m", 2), 0, 9), default);
        Assert.Equal([longer], (await _bench.Catalog.RefreshAsync(default)).Holdings);
        Assert.Equal([longer], _bench.Catalog.Holdings);

        // Until the shorter one is deleted it can still be asked for, by plans that were made before.
        Assert.Empty((await _bench.Source().FetchAsync(ArchiveBench.Ask(["a/d/m"], through: 4), default)).Gone);
        await _bench.Store.DeleteAsync(new ManifestKey("home", "edge-1", ArchiveBench.Day, 0, 4).ToString(), default);
        Assert.Empty((await _bench.Catalog.RefreshAsync(default)).Removed);
        Assert.Equal([0], (await _bench.Source().FetchAsync(ArchiveBench.Ask(["a/d/m"], through: 4), default)).Gone);

        await _bench.Store.DeleteAsync(new ManifestKey("home", "edge-1", ArchiveBench.Day, 0, 9).ToString(), default);
        Assert.Equal([HoldingKey.Of(longer)], (await _bench.Catalog.RefreshAsync(default)).Removed);
        Assert.Empty(_bench.Catalog.Holdings);
    }

    [Fact]
    public async Task What_was_published_since_is_found_by_a_fetch_and_still_told_by_the_next_refresh()
    {
        await _bench.Writer().PublishAsync(ArchiveBench.Pack(One("a/d/m", 1)), default);
        await _bench.Catalog.RefreshAsync(default);
        var later = await _bench.Writer().PublishAsync(ArchiveBench.Pack(One("a/d/m", 1, NextDay), window: NextDay), default);

        var result = await _bench.Source().FetchAsync(ArchiveBench.Ask(["a/d/m"], window: NextDay), default);
        Assert.Single(result.Slices);
        Assert.Equal([later], (await _bench.Catalog.RefreshAsync(default)).Holdings);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("not json")]
    [InlineData("""{"format":9,"site":"home","edge":"edge-1","window":"20170310T000000Z-24h","after":0,"through":4,"files":[]}""")]
    [InlineData("""{"format":1,"site":"home","edge":"edge-2","window":"20170310T000000Z-24h","after":0,"through":4,"files":[]}""")]
    public async Task A_manifest_that_cannot_be_read_is_named_and_hides_no_other(string text)
    {
        var good = await _bench.Writer().PublishAsync(ArchiveBench.Pack(One("a/d/m", 1)), default);
        var key = new ManifestKey("home", "edge-1", NextDay, 0, 4).ToString();
        await _bench.Store.PutAsync(key, System.Text.Encoding.UTF8.GetBytes(text), default);

        Assert.Equal([good], (await _bench.Catalog.RefreshAsync(default)).Holdings);
        Assert.Equal((ArchiveFault.Damaged, key), (_bench.Catalog.Damaged.Single().Kind, _bench.Catalog.Damaged.Single().Key));

        await _bench.Writer().PublishAsync(ArchiveBench.Pack(One("a/d/m", 1, NextDay), window: NextDay), default);
        Assert.Single((await _bench.Catalog.RefreshAsync(default)).Holdings);
        Assert.Empty(_bench.Catalog.Damaged);
    }

    [Fact]
    public void A_manifest_key_reads_what_it_wrote()
    {
        var key = new ManifestKey("plant süd", "edge/7", ArchiveBench.Day, 12, 345);

        Assert.Equal("v1/catalog/site=plant%20s%C3%BCd/edge%2F7/20170309T000000Z-24h/12-345.json", key.ToString());
        Assert.True(ManifestKey.TryParse(key.ToString(), out var read));
        Assert.Equal(key, read);
        Assert.False(ManifestKey.TryParse("v1/catalog/site=a/e/20170309T000000Z-24h/5-5.json", out _));
        Assert.False(ManifestKey.TryParse("v1/catalog/site=a/e/20170309T000000Z-24h/5-6.txt", out _));
        Assert.False(ManifestKey.TryParse("v1/raw/site=a/e/20170309T000000Z-24h/5-6.json", out _));
    }

    private static Dictionary<string, SampleColumns> One(string series, double value, Window? window = null)
    {
        var samples = new SampleColumns();
        samples.Add((window ?? ArchiveBench.Day).Start + 1000, value);
        return new() { [series] = samples };
    }
}
