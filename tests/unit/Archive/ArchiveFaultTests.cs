using Foretier.Archive;
using Foretier.Archive.Stores;
using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Tests.Unit.Archive;

public sealed class ArchiveFaultTests : IDisposable
{
    private readonly ArchiveBench _bench = new();
    private readonly Dictionary<string, SampleColumns> _samples = ArchiveBench.SomeSamples();

    public void Dispose() => _bench.Dispose();

    [Fact]
    public async Task Packing_again_gives_the_same_objects_and_uploads_no_file_twice()
    {
        var first = await _bench.Writer().PublishAsync(ArchiveBench.Pack(_samples), default);
        var objects = _bench.Files("*").ToDictionary(f => f, File.ReadAllBytes);
        var store = new MeddledStore(_bench.Store);
        var second = await _bench.Writer(store: store).PublishAsync(ArchiveBench.Pack(_samples), default);

        Assert.Equal(first, second);
        Assert.Equal(objects, _bench.Files("*").ToDictionary(f => f, File.ReadAllBytes));
        Assert.All(store.Puts, key => Assert.StartsWith("v1/catalog/", key, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Keys_name_site_date_edge_times_and_content()
    {
        await _bench.Writer().PublishAsync(ArchiveBench.Pack(_samples), default);

        var first = _samples.Values.Min(s => s.FirstTime);
        var last = _samples.Values.Max(s => s.LastTime);
        var keys = await _bench.Store.ListAsync("", default).Select(o => o.Key).ToListAsync();
        Assert.Equal("v1/catalog/site=home/edge-1/20170309T000000Z-24h/0-4.json", keys[0]);
        Assert.Matches($"^v1/raw/site=home/date=2017-03-09/b=[0-9a-f]{{8}}/{first}-{last}-[0-9a-f]{{16}}\\.parquet$", keys[1]);
        Assert.Equal(2, keys.Count);
    }

    [Theory]
    [InlineData("v1/raw/")]
    [InlineData("v1/catalog/")]
    public async Task A_crash_before_publishing_leaves_nothing_to_see_and_packing_again_completes_it(string failing)
    {
        var store = new MeddledStore(_bench.Store) { FailPut = key => key.StartsWith(failing, StringComparison.Ordinal) };
        await Assert.ThrowsAsync<ArchiveException>(() => _bench.Writer(store: store).PublishAsync(ArchiveBench.Pack(_samples), default));

        Assert.Empty((await _bench.Catalog.RefreshAsync(default)).Holdings);
        Assert.Equal([0], (await _bench.Source().FetchAsync(ArchiveBench.Ask(_samples.Keys), default)).Gone);
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(_bench.Root, "scratch")));

        await _bench.Writer().PublishAsync(ArchiveBench.Pack(_samples), default);
        Assert.Single(_bench.Files("*.parquet"));
        Assert.Equal(_samples.Count, (await _bench.Source().FetchAsync(ArchiveBench.Ask(_samples.Keys), default)).Slices.Count);
    }

    [Fact]
    public async Task An_upload_that_arrives_damaged_is_not_published()
    {
        var store = new MeddledStore(_bench.Store) { CorruptPut = key => key.EndsWith(".parquet", StringComparison.Ordinal) };
        var fault = await Assert.ThrowsAsync<ArchiveException>(() => _bench.Writer(store: store).PublishAsync(ArchiveBench.Pack(_samples), default));

        Assert.Equal((ArchiveFault.Damaged, "verify"), (fault.Kind, fault.Operation));
        Assert.Empty(_bench.Files("*.json"));
        // The damaged object has the length of the right one; the digest tells them apart.
        await _bench.Writer().PublishAsync(ArchiveBench.Pack(_samples), default);
        Assert.Equal(_samples.Count, (await _bench.Source().FetchAsync(ArchiveBench.Ask(_samples.Keys), default)).Slices.Count);
    }

    [Fact]
    public async Task A_file_with_any_one_byte_changed_is_named_and_not_served()
    {
        await _bench.Writer().PublishAsync(ArchiveBench.Pack(_samples), default);
        var path = _bench.Files("*.parquet").Single();
        var good = await File.ReadAllBytesAsync(path);
        for (var at = 0; at < good.Length; at += good.Length / 23)
        {
            var bad = good.ToArray();
            bad[at] ^= 0x10;
            await File.WriteAllBytesAsync(path, bad);
            var fault = await Assert.ThrowsAsync<DataSourceUnavailableException>(
                () => _bench.Source().FetchAsync(ArchiveBench.Ask(_samples.Keys), default));
            Assert.Contains(Path.GetFileName(path), fault.Message, StringComparison.Ordinal);
        }
        await File.WriteAllBytesAsync(path, good[..^100]);
        await Assert.ThrowsAsync<DataSourceUnavailableException>(() => _bench.Source().FetchAsync(ArchiveBench.Ask(_samples.Keys), default));
    }

    [Fact]
    public async Task A_large_file_read_by_pages_is_right_or_refused_whatever_byte_is_changed()
    {
        await _bench.Writer().PublishAsync(ArchiveBench.Pack(_samples), default);
        var path = _bench.Files("*.parquet").Single();
        var good = await File.ReadAllBytesAsync(path);
        var refused = 0;
        for (var at = 0; at < good.Length - 600; at += 31)
        {
            var bad = good.ToArray();
            bad[at] ^= 0x10;
            await File.WriteAllBytesAsync(path, bad);
            try
            {
                var result = await _bench.Source(new() { WholeFileBytesMax = 0 }).FetchAsync(ArchiveBench.Ask(_samples.Keys), default);
                Assert.Equal(_samples.Count, result.Slices.Count);
                foreach (var slice in result.Slices)
                {
                    ArchiveBench.AssertSame(_samples[slice.Series], slice.Samples!);
                }
            }
            catch (DataSourceUnavailableException e)
            {
                Assert.Contains(Path.GetFileName(path), e.Message, StringComparison.Ordinal);
                refused++;
            }
        }
        Assert.True(refused > 10, $"only {refused} changes were noticed");
    }

    [Fact]
    public async Task A_missing_file_makes_its_part_lost_others_are_answered_and_nobody_looks_for_it_again_until_the_archive_is_listed()
    {
        var next = new Window(ArchiveBench.Day.Start + Instant.Day, Instant.Day);
        var tomorrow = new SampleColumns();
        tomorrow.Add(next.Start + 1, 1.5);
        await _bench.Writer().PublishAsync(ArchiveBench.Pack(_samples), default);
        var file = (await _bench.Store.ListAsync("v1/raw/", default).ToListAsync()).Single().Key;
        var bytes = await _bench.Store.GetAsync(file, default);
        await _bench.Store.DeleteAsync(file, default);
        await _bench.Writer().PublishAsync(
            ArchiveBench.Pack(new Dictionary<string, SampleColumns> { ["a/zoo/odd"] = tomorrow }, window: next), default);

        var store = new MeddledStore(_bench.Store);
        var source = _bench.Source(new() { CacheBytes = 0 }, store);
        for (var asked = 0; asked < 3; asked++)
        {
            var result = await source.FetchAsync(new(["a/zoo/odd"],
                [new("edge-1", ArchiveBench.Day, 0, 4, ArchiveBench.Day.Range), new("edge-1", next, 0, 4, next.Range)], true, 0, 0), default);
            Assert.Equal([0], result.Lost);
            Assert.Empty(result.Gone);
            Assert.Equal(1, result.Slices.Single().Part);
            Assert.Single(store.Reads, key => key == file);
        }

        await _bench.Store.PutAsync(file, bytes, default);
        await _bench.Catalog.RefreshAsync(default);
        Assert.Single((await source.FetchAsync(ArchiveBench.Ask(["a/zoo/odd"]), default)).Slices);
    }

    [Theory]
    [InlineData(8 << 20)]
    [InlineData(0)]
    public async Task A_store_that_cannot_be_reached_is_unavailable_and_not_damaged(int wholeFileBytesMax)
    {
        await _bench.Writer().PublishAsync(ArchiveBench.Pack(_samples), default);
        var store = new MeddledStore(_bench.Store) { FailGet = key => key.EndsWith(".parquet", StringComparison.Ordinal) };

        var fault = await Assert.ThrowsAsync<DataSourceUnavailableException>(() =>
            _bench.Source(new() { WholeFileBytesMax = wholeFileBytesMax }, store).FetchAsync(ArchiveBench.Ask(_samples.Keys), default));
        Assert.Equal(ArchiveFault.Unreachable, Assert.IsType<ArchiveException>(fault.InnerException).Kind);
    }

    [Fact]
    public async Task A_file_is_read_from_the_store_once_and_the_cache_keeps_to_its_bound()
    {
        await _bench.Writer().PublishAsync(ArchiveBench.Pack(_samples), default);
        var store = new MeddledStore(_bench.Store);
        var source = _bench.Source(store: store);
        for (var i = 0; i < 3; i++)
        {
            await source.FetchAsync(ArchiveBench.Ask(_samples.Keys), default);
        }
        Assert.Single(store.Reads);

        store.Reads.Clear();
        var small = _bench.Source(new() { CacheBytes = 100 }, store);
        await small.FetchAsync(ArchiveBench.Ask(_samples.Keys), default);
        await small.FetchAsync(ArchiveBench.Ask(_samples.Keys), default);
        Assert.Equal(2, store.Reads.Count);
    }

    [Fact]
    public async Task A_pack_that_is_not_as_it_says_is_refused()
    {
        SampleColumns Of(params long[] times)
        {
            var samples = new SampleColumns();
            times.ToList().ForEach(t => samples.Add(ArchiveBench.Day.Start + t, 1));
            return samples;
        }
        var one = new Dictionary<string, SampleColumns> { ["a/d/m"] = Of(1, 2) };
        ArchivePack[] wrong =
        [
            ArchiveBench.Pack(one, after: 4, through: 4),
            ArchiveBench.Pack(one, through: Holding.Latest),
            ArchiveBench.Pack(one, window: new(ArchiveBench.Day.Start - Instant.Hour, Instant.Day)),
            ArchiveBench.Pack(one, window: new(ArchiveBench.Day.Start + Instant.Hour, Instant.Hour)),
            ArchiveBench.Pack(new Dictionary<string, SampleColumns> { ["a/d/m"] = Of(2, 1) }),
            ArchiveBench.Pack(new Dictionary<string, SampleColumns> { ["a/d/m"] = Of(2, 2) }),
        ];
        foreach (var pack in wrong)
        {
            await Assert.ThrowsAsync<ArgumentException>(() => _bench.Writer().PublishAsync(pack, default));
        }
        Assert.Empty(_bench.Files("*"));
    }
}
