using System.Text;
using Foretier.Archive;
using Foretier.Archive.Stores;
using Foretier.Core.Query;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Tests.Unit.Archive;

/// <summary>Hourly rollups beside the samples: the same answers from less, and none where they would not be much less.</summary>
public class ArchiveRollupTests : IDisposable
{
    private readonly ArchiveBench _bench;

    public ArchiveRollupTests() => _bench = new();

    private protected ArchiveRollupTests(ArchiveBench bench) => _bench = bench;

    public void Dispose()
    {
        _bench.Dispose();
        GC.SuppressFinalize(this);
    }

    [Theory]
    [InlineData(1 << 20)]
    [InlineData(0)]
    public async Task Whatever_is_asked_of_whatever_layers_the_answer_is_that_of_the_samples_alone(int wholeFileBytesMax)
    {
        var fromRollups = 0;
        for (var seed = 1; seed <= 8; seed++)
        {
            var random = new Random(seed);
            var edge = $"edge-{seed}";
            var names = await PublishSomeLayersAsync(random, edge);
            await _bench.Catalog.RefreshAsync(default);
            var (with, without) = (AnswererOf(_bench.Store, wholeFileBytesMax), AnswererOf(new RollupsHidden(_bench.Store), wholeFileBytesMax));
            for (var q = 0; q < 12; q++)
            {
                var question = SomeQuestion(random);
                var series = names.OrderBy(_ => random.Next()).Take(random.Next(1, 4)).Select(name => new SeriesInfo(name, edge, null, "gauge")).ToArray();
                var answer = await with.AnswerAsync(question, series, default);
                var expected = await without.AnswerAsync(question, series, default);

                Assert.False(answer.IsPartial || expected.IsPartial);
                Assert.DoesNotContain(expected.Tiers, use => use.Resolution != "raw");
                fromRollups += answer.Tiers.Any(use => use.Resolution == "1h") ? 1 : 0;
                foreach (var (one, other) in answer.Series.Zip(expected.Series))
                {
                    AssertSame(other.Rows!, one.Rows!, $"seed {seed}, {one.Name}, {question.Range.From}..{question.Range.To} by {question.Step}");
                }
            }
        }
        Assert.True(fromRollups > 10, $"only {fromRollups} answers came from rollups");
    }

    [Fact]
    public async Task By_the_hour_rollups_are_read_alone_and_once()
    {
        var samples = Readings();
        await _bench.Writer().PublishAsync(ArchiveBench.Pack(samples), default);
        var store = new MeddledStore(_bench.Store);
        var source = _bench.Source(store: store);
        for (var asked = 0; asked < 2; asked++)
        {
            using var result = await source.FetchAsync(ArchiveBench.Ask(samples.Keys, raw: false, step: 6 * Instant.Hour), default);
            Assert.Equal(samples.Count * 4, result.Slices.Sum(slice => slice.Rows!.Count));
            Assert.Equal("1h", Assert.Single(result.Uses).Resolution);
        }
        Assert.StartsWith("v1/rollup=1h/site=home/date=2017-03-09/", Assert.Single(store.Reads), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_range_that_cuts_an_hour_finer_steps_and_samples_themselves_are_answered_from_samples()
    {
        var samples = Readings();
        await _bench.Writer().PublishAsync(ArchiveBench.Pack(samples), default);
        var source = _bench.Source();
        var cut = new TimeRange(ArchiveBench.Day.Start + Instant.Hour / 2, ArchiveBench.Day.End);
        foreach (var ask in new[]
        {
            ArchiveBench.Ask(samples.Keys, cut, raw: false, step: Instant.Hour), ArchiveBench.Ask(samples.Keys, raw: false, step: Instant.Hour / 2),
            ArchiveBench.Ask(samples.Keys, raw: false, step: Instant.Hour) with { Origin = Instant.Minute }, ArchiveBench.Ask(samples.Keys),
            ArchiveBench.Ask(["a/d/gauge"], raw: false, step: Instant.Hour) with { Needs = RollupParts.Increase },
        })
        {
            using var result = await source.FetchAsync(ask, default);
            Assert.Equal("raw", Assert.Single(result.Uses).Resolution);
        }
        // What is cut before the first sample, or after the last, is not cut.
        samples.Values.ToList().ForEach(s => Assert.InRange(s.LastTime, ArchiveBench.Day.Start, ArchiveBench.Day.End - Instant.Minute));
        using var whole = await source.FetchAsync(ArchiveBench.Ask(samples.Keys, new(ArchiveBench.Day.Start, ArchiveBench.Day.End - Instant.Second), raw: false, step: Instant.Hour), default);
        Assert.Equal("1h", Assert.Single(whole.Uses).Resolution);
    }

    [Theory]
    [InlineData(20, 200, 50)]
    [InlineData(1, 60, 1)]
    public async Task Where_they_would_not_be_much_smaller_there_are_none(int series, int secondsApart, int distinct)
    {
        // Few readings an hour; then readings that are all alike and take next to nothing.
        var samples = Enumerable.Range(0, series).ToDictionary(s => $"a/d/m{s}", s => Series(secondsApart * Instant.Second, i => i % distinct));
        await _bench.Writer().PublishAsync(ArchiveBench.Pack(samples), default);

        Assert.Empty(await _bench.Store.ListAsync("v1/rollup", default).ToListAsync());
        Assert.DoesNotContain("rollups", await ManifestAsync(), StringComparison.Ordinal);
        using var result = await _bench.Source().FetchAsync(ArchiveBench.Ask(samples.Keys, raw: false, step: Instant.Hour), default);
        Assert.Equal(24 * series, result.Slices.Sum(slice => slice.Rows!.Count));
    }

    [Fact]
    public async Task Rollups_gone_cut_short_or_changed_in_any_byte_cost_time_and_no_answer()
    {
        var samples = Readings();
        await _bench.Writer().PublishAsync(ArchiveBench.Pack(samples), default);
        var key = await RollupKeyAsync();
        var good = await _bench.Store.GetAsync(key, default);
        var ask = ArchiveBench.Ask(["a/d/counter", "a/d/gauge"], raw: false, step: Instant.Hour) with { Needs = RollupParts.Spread };
        using var expected = await _bench.Source().FetchAsync(ask, default);
        Assert.Equal("1h", Assert.Single(expected.Uses).Resolution);

        var broken = new List<byte[]?> { null, good[..^1], Array.Empty<byte>(), good[..100] };
        for (var at = 0; at < good.Length; at += good.Length / 60)
        {
            var changed = good.ToArray();
            changed[at] ^= 0x10;
            broken.Add(changed);
        }
        var fellBack = 0;
        foreach (var bytes in broken)
        {
            await (bytes is null ? _bench.Store.DeleteAsync(key, default) : _bench.Store.PutAsync(key, bytes, default));
            foreach (var wholeFileBytesMax in new[] { 1 << 20, 0 })
            {
                await _bench.Catalog.RefreshAsync(default);
                using var result = await _bench.Source(new() { WholeFileBytesMax = wholeFileBytesMax }).FetchAsync(ask, default);
                Assert.Empty(result.Gone.Concat(result.Lost));
                var isRaw = Assert.Single(result.Uses).Resolution == "raw";
                Assert.True(isRaw || wholeFileBytesMax == 0, "what has another digest was used");
                fellBack += isRaw ? 1 : 0;
                foreach (var (one, other) in result.Slices.Zip(expected.Slices))
                {
                    AssertSame(other.Rows!, one.Rows!, one.Series);
                }
            }
        }
        Assert.True(fellBack > broken.Count, $"only {fellBack}");
    }

    [Fact]
    public async Task Rollups_that_are_lost_are_looked_for_once_until_the_archive_is_listed()
    {
        var samples = Readings();
        await _bench.Writer().PublishAsync(ArchiveBench.Pack(samples), default);
        var key = await RollupKeyAsync();
        var good = await _bench.Store.GetAsync(key, default);
        await _bench.Store.DeleteAsync(key, default);
        var store = new MeddledStore(_bench.Store);
        var source = _bench.Source(new() { CacheBytes = 0 }, store);
        async Task<string> AskAsync()
        {
            using var result = await source.FetchAsync(ArchiveBench.Ask(samples.Keys, raw: false, step: Instant.Hour), default);
            return Assert.Single(result.Uses).Resolution;
        }

        Assert.Equal(["raw", "raw", "raw"], [await AskAsync(), await AskAsync(), await AskAsync()]);
        Assert.Single(store.Reads, read => read == key);

        await _bench.Store.PutAsync(key, good, default);
        await _bench.Catalog.RefreshAsync(default);
        Assert.Equal("1h", await AskAsync());
    }

    [Fact]
    public async Task Without_the_samples_what_rollups_can_answer_is_answered()
    {
        var samples = Readings();
        await _bench.Writer().PublishAsync(ArchiveBench.Pack(samples), default);
        await _bench.Store.DeleteAsync((await _bench.Store.ListAsync("v1/raw/", default).ToListAsync()).Single().Key, default);

        var source = _bench.Source();
        Assert.Equal([0], (await source.FetchAsync(ArchiveBench.Ask(samples.Keys), default)).Lost);
        using var result = await source.FetchAsync(ArchiveBench.Ask(samples.Keys, raw: false, step: Instant.Hour), default);
        Assert.Equal((0, samples.Count * 24L), (result.Lost.Count, result.Slices.Sum(slice => slice.Rows!.Count)));
    }

    [Fact]
    public async Task The_audit_names_rollups_that_are_gone_or_cut_short_apart_from_samples_and_they_are_made_anew()
    {
        var first = await _bench.Writer().PublishAsync(ArchiveBench.Pack(Readings()), default);
        var second = await _bench.Writer().PublishAsync(ArchiveBench.Pack(Readings(), 4, 5) with { Erased = [new("a/d/gauge", new(ArchiveBench.Day.Start, ArchiveBench.Day.Start + 5))] }, default);
        var audit = new ArchiveAudit(_bench.Store, _bench.Own);
        var whole = await audit.LookAsync([first, second], default);
        Assert.Empty(whole.Lost.Concat(whole.Slow));
        var objects = await ObjectsAsync();

        var keys = objects.Keys.Where(key => key.StartsWith("v1/rollup", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(keys);
        foreach (var key in keys)
        {
            foreach (var bytes in new byte[]?[] { null, objects[key].AsSpan(0, 1000).ToArray() })
            {
                await (bytes is null ? _bench.Store.DeleteAsync(key, default) : _bench.Store.PutAsync(key, bytes, default));
                var found = await audit.LookAsync([first, second], default);
                Assert.Empty(found.Lost);
                Assert.All(found.Slow, lack => Assert.StartsWith(key, lack.What, StringComparison.Ordinal));

                foreach (var lack in found.Slow)
                {
                    await _bench.Tidy.MendAsync(lack.Holding, default);
                }
                Assert.Equal(objects.Keys, (await ObjectsAsync()).Keys);
                Assert.All(await ObjectsAsync(), one => Assert.Equal(objects[one.Key], one.Value));
                Assert.Empty((await audit.LookAsync([first, second], default)).Slow);
            }
        }
    }

    [Fact]
    public async Task A_crash_before_publishing_leaves_rollups_that_nobody_sees_and_the_sweep_removes()
    {
        var store = new MeddledStore(_bench.Store) { FailPut = key => key.StartsWith("v1/catalog/", StringComparison.Ordinal) };
        await Assert.ThrowsAsync<ArchiveException>(() => _bench.Writer(store: store).PublishAsync(ArchiveBench.Pack(Readings()), default));
        store.FailPut = key => key.StartsWith("v1/rollup", StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArchiveException>(() => _bench.Writer(store: store).PublishAsync(ArchiveBench.Pack(Readings(), 4, 5, edge: "edge-2"), default));
        Assert.Empty((await _bench.Catalog.RefreshAsync(default)).Holdings);
        Assert.Equal(3, (await ObjectsAsync()).Count);
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(_bench.Root, "scratch")));

        var tidy = _bench.Tidy;
        await tidy.SweepAsync([], (_, _) => false, default);
        Assert.Equal(3, (await tidy.SweepAsync([], (_, _) => false, default)).Objects);
        Assert.Empty(await ObjectsAsync());
    }

    [Fact]
    public async Task Layers_put_together_have_rollups_of_the_whole_and_those_of_the_parts_go()
    {
        var late = new SampleColumns();
        late.Add(ArchiveBench.Day.Start + Instant.Hour + 7, 1e6);
        var layers = new[]
        {
            await _bench.Writer().PublishAsync(ArchiveBench.Pack(Readings()), default),
            await _bench.Writer().PublishAsync(ArchiveBench.Pack(new Dictionary<string, SampleColumns> { ["a/d/gauge"] = late }, 4, 6), default),
        };
        var tidy = _bench.Tidy;
        var merged = await tidy.MergeAsync(layers, default);
        await tidy.SweepAsync([merged.Holding], (_, _) => true, default);
        await tidy.SweepAsync([merged.Holding], (_, _) => true, default);

        Assert.Equal(["v1/catalog/", "v1/raw/site", "v1/rollup=1"], (await ObjectsAsync()).Keys.Select(key => key[..11]));
        using var result = await _bench.Source().FetchAsync(ArchiveBench.Ask(["a/d/gauge"], raw: false, step: Instant.Hour, through: 6), default);
        Assert.Equal("1h", Assert.Single(result.Uses).Resolution);
        Assert.Equal(1e6, Assert.Single(result.Slices).Rows!.Rows[1].Rollup.Max);
    }

    [Fact]
    public async Task Manifests_of_before_and_after_are_read_by_either_program()
    {
        var samples = Readings();
        await _bench.Writer().PublishAsync(ArchiveBench.Pack(samples), default);
        var key = new ManifestKey("home", ArchiveBench.Edge, ArchiveBench.Day, 0, 4);
        var text = await ManifestAsync();
        // The format does not go up: a program that does not know the word passes over it, as this one over words to come.
        Assert.StartsWith("""{"format":1,""", text, StringComparison.Ordinal);
        Assert.NotNull(ArchiveManifest.Parse(key, Encoding.UTF8.GetBytes(text.Replace("\"rollups\"", "\"sketches\"", StringComparison.Ordinal))).Files);

        var manifest = ArchiveManifest.Parse(key, Encoding.UTF8.GetBytes(text));
        var before = manifest with { Files = [.. manifest.Files.Select(file => file with { Rollups = null })] };
        Assert.DoesNotContain("rollups", Encoding.UTF8.GetString(before.ToBytes()), StringComparison.Ordinal);
        await _bench.Store.PutAsync(key.ToString(), before.ToBytes(), default);
        using var result = await _bench.Source().FetchAsync(ArchiveBench.Ask(samples.Keys, raw: false, step: Instant.Hour), default);
        Assert.Equal("raw", Assert.Single(result.Uses).Resolution);
        Assert.Equal(samples.Count * 24L, result.Slices.Sum(slice => slice.Rows!.Count));

        foreach (var wrong in new[] { manifest.Files[0].Rollups! with { Rows = [24] }, manifest.Files[0].Rollups! with { Step = 0 } })
        {
            var bytes = (manifest with { Files = [manifest.Files[0] with { Rollups = wrong }] }).ToBytes();
            Assert.Equal(ArchiveFault.Damaged, Assert.Throws<ArchiveException>(() => ArchiveManifest.Parse(key, bytes)).Kind);
        }
    }

    /// <summary>A reading each 10 s of a gauge, a counter that begins anew now and then, and a state.</summary>
    internal static Dictionary<string, SampleColumns> Readings()
    {
        var random = new Random(5);
        var (level, total) = (20.0, 0.0);
        return new()
        {
            ["a/d/counter"] = Series(10 * Instant.Second, _ => total = random.Next(500) == 0 ? 0 : Math.Round(total + random.NextDouble(), 3)),
            ["a/d/gauge"] = Series(10 * Instant.Second, _ => level = Math.Round(level + random.NextDouble() - 0.5, 2)),
            ["a/d/state"] = Series(10 * Instant.Second, _ => 0, _ => random.Next(4) == 0 ? "on" : "off"),
        };
    }

    private static SampleColumns Series(long micros, Func<int, double> value, Func<int, string>? state = null)
    {
        var samples = new SampleColumns();
        for (var time = ArchiveBench.Day.Start + 3; time < ArchiveBench.Day.End - Instant.Minute; time += micros)
        {
            samples.Add(time, value(samples.Count), state?.Invoke(samples.Count));
        }
        return samples;
    }

    private async Task<List<string>> PublishSomeLayersAsync(Random random, string edge)
    {
        var all = new HashSet<string>();
        long after = 0;
        for (var layer = random.Next(2) == 0 ? 1 : random.Next(2, 4); layer > 0; layer--)
        {
            var samples = new Dictionary<string, SampleColumns>();
            // The first of the whole day, as a rule; later ones of what came late.
            var (from, to) = after == 0 ? (0, Instant.Day) : (random.NextInt64(Instant.Day), random.NextInt64(1, 3 * Instant.Hour));
            for (var series = random.Next(2, 7); series > 0; series--)
            {
                // Numbers, counters and states; and what has no rollups: both at once, NaN.
                var (kind, gap) = (random.Next(4) > 0 ? random.Next(3) : random.Next(6), random.Next(2) == 0 ? 20 : 120);
                var columns = new SampleColumns();
                var value = 0.0;
                for (var time = ArchiveBench.Day.Start + from; time < Math.Min(ArchiveBench.Day.Start + from + to, ArchiveBench.Day.End); time += random.NextInt64(1, gap * Instant.Second))
                {
                    value = kind == 1 && random.Next(100) == 0 ? 0 : value + random.NextDouble() - (kind == 1 ? 0 : 0.5);
                    columns.Add(time, kind is 2 or 3 && (kind == 2 || random.Next(2) == 0) ? 0 : kind == 4 && random.Next(50) == 0 ? double.NaN : kind == 5 ? Math.Round(value) * -0.0 : value,
                        kind == 2 || (kind == 3 && random.Next(2) == 0) ? $"s{random.Next(3)}" : null);
                }
                if (columns.Count > 0)
                {
                    samples[kind == 1 ? $"a/d/counter{series}" : $"a/d/m{kind}"] = columns;
                }
            }
            all.UnionWith(samples.Keys);
            var through = after + random.Next(1, 4);
            await _bench.Writer(rowsPerFile: random.Next(2) == 0 ? 1_000_000 : 3_000).PublishAsync(ArchiveBench.Pack(samples, after, through, edge: edge) with
            {
                Erased = after > 0 && random.Next(3) == 0 ? [new(all.First(), new(ArchiveBench.Day.Start + from, ArchiveBench.Day.Start + from + 40 * Instant.Minute))] : [],
            }, default);
            after = through;
        }
        return [.. all.Order(StringComparer.Ordinal)];
    }

    private static Question SomeQuestion(Random random)
    {
        var (start, end) = (ArchiveBench.Day.Start, ArchiveBench.Day.End);
        var (from, to) = random.Next(5) switch
        {
            < 2 => (start, end),
            < 4 => (start + random.Next(12) * Instant.Hour, end - random.Next(11) * Instant.Hour),
            _ => (start + random.NextInt64(Instant.Day / 2), end - random.NextInt64(Instant.Day / 2)),
        };
        long[] steps = [0, Instant.Hour, 2 * Instant.Hour, 3 * Instant.Hour, Instant.Day, 10 * Instant.Minute, 5_400_000_000];
        Fn[] functions = [Fn.Avg, Fn.Min, Fn.Max, Fn.Sum, Fn.Count, Fn.First, Fn.Last, .. random.Next(2) == 0 ? [] : new[] { Fn.Stddev, Fn.Increase, Fn.Duration, Fn.Quantile(95) }.Where(_ => random.Next(2) == 0)];
        return new Question([], new(from, to), steps[random.Next(steps.Length)], functions);
    }

    private Answerer AnswererOf(ObjectStore store, int wholeFileBytesMax)
    {
        var (catalog, health) = (new Catalog(), new SourceHealth(TimeProvider.System));
        var source = new ArchiveSource(store, new ArchiveCatalog(store), new() { WholeFileBytesMax = wholeFileBytesMax }, TimeProvider.System);
        foreach (var holding in _bench.Catalog.Holdings)
        {
            catalog.Put(holding);
        }
        health.Connected(source.Node);
        return new(catalog, _ => source, health, TimeProvider.System);
    }

    private static void AssertSame(BucketRows expected, BucketRows actual, string where)
    {
        Assert.True(expected.Count == actual.Count, $"{where}: {actual.Count} rows, not {expected.Count}");
        for (var i = 0; i < expected.Count; i++)
        {
            var (start, a, b) = (expected.Rows[i].Start, expected.Rows[i].Rollup, actual.Rows[i].Rollup);
            Assert.True(start == actual.Rows[i].Start, where);
            Assert.Equal((a.Count, a.Numbers, a.FirstTime, a.LastTime, a.FirstState, a.LastState), (b.Count, b.Numbers, b.FirstTime, b.LastTime, b.FirstState, b.LastState));
            Assert.Equal(Bits(a.Min, a.Max, a.First, a.Last), Bits(b.Min, b.Max, b.First, b.Last));
            // Samples of either sign here are below 100 in size: Σ|x| is below that many of them.
            AssertNear(a.Sum, b.Sum, 1e-12 * a.Count * 100);
            if (a.Detail is { } detail)
            {
                AssertNear(detail.M2, b.Detail!.M2, 1e-9 * Math.Abs(detail.M2) + 1e-9);
                AssertNear(detail.Increase, b.Detail.Increase, 1e-9 * Math.Abs(detail.Increase) + 1e-9);
                Assert.Equal(detail.Durations.OrderBy(d => d.Key, StringComparer.Ordinal), b.Detail.Durations.OrderBy(d => d.Key, StringComparer.Ordinal));
                Assert.Equal(detail.Sketch.Keys.ToArray(), b.Detail.Sketch.Keys.ToArray());
                Assert.Equal(detail.Sketch.Counts.ToArray(), b.Detail.Sketch.Counts.ToArray());
            }
        }
    }

    private static long[] Bits(params double[] values) => [.. values.Select(BitConverter.DoubleToInt64Bits)];

    private static void AssertNear(double expected, double actual, double within) =>
        Assert.True(expected.Equals(actual) || Math.Abs(expected - actual) <= within, $"{actual} is not {expected}");

    private async Task<string> RollupKeyAsync() => (await _bench.Store.ListAsync("v1/rollup=1h/", default).ToListAsync()).Single().Key;

    private async Task<string> ManifestAsync() => Encoding.UTF8.GetString(await _bench.Store.GetAsync((await _bench.Store.ListAsync("v1/catalog/", default).ToListAsync()).Single().Key, default));

    private async Task<SortedDictionary<string, byte[]>> ObjectsAsync()
    {
        var all = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        await foreach (var info in _bench.Store.ListAsync("", default))
        {
            all[info.Key] = await _bench.Store.GetAsync(info.Key, default);
        }
        return all;
    }

    /// <summary>The same archive without a file of rollups.</summary>
    private sealed class RollupsHidden(ObjectStore inner) : ObjectStore
    {
        public override Task<byte[]> GetAsync(string key, CancellationToken cancel) => IsHidden(key) ? throw Gone(key) : inner.GetAsync(key, cancel);
        public override Task<byte[]> GetRangeAsync(string key, long offset, int length, CancellationToken cancel) => IsHidden(key) ? throw Gone(key) : inner.GetRangeAsync(key, offset, length, cancel);
        public override Task PutAsync(string key, Stream content, CancellationToken cancel) => inner.PutAsync(key, content, cancel);
        public override Task<ObjectInfo?> StatAsync(string key, CancellationToken cancel) => inner.StatAsync(key, cancel);
        public override IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, CancellationToken cancel) => inner.ListAsync(prefix, cancel);
        public override Task DeleteAsync(string key, CancellationToken cancel) => inner.DeleteAsync(key, cancel);

        private static bool IsHidden(string key) => key.StartsWith("v1/rollup", StringComparison.Ordinal);

        private static ArchiveException Gone(string key) => new(ArchiveFault.NotFound, "get", key, "there is no such object");
    }
}
