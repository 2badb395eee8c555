using CsCheck;
using Foretier.Archive;
using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Tests.Unit.Archive;

public class ArchiveRoundTripTests : IDisposable
{
    private readonly ArchiveBench _bench;

    public ArchiveRoundTripTests() => _bench = new();

    private protected ArchiveRoundTripTests(ArchiveBench bench) => _bench = bench;

    public void Dispose()
    {
        _bench.Dispose();
        GC.SuppressFinalize(this);
    }

    [Theory]
    [InlineData(1_000_000, 8 << 20)]
    [InlineData(1, 8 << 20)]
    [InlineData(1_000_000, 0)]
    public async Task What_was_published_is_fetched_bit_for_bit(int rowsPerFile, int wholeFileBytesMax)
    {
        var samples = ArchiveBench.SomeSamples();
        var holding = await _bench.Writer(rowsPerFile).PublishAsync(ArchiveBench.Pack(samples), default);
        var result = await _bench.Source(new() { WholeFileBytesMax = wholeFileBytesMax }).FetchAsync(ArchiveBench.Ask(samples.Keys), default);

        Assert.Empty(result.Gone);
        Assert.Equal(samples.Count, result.Slices.Count);
        foreach (var slice in result.Slices)
        {
            ArchiveBench.AssertSame(samples[slice.Series], slice.Samples!);
        }
        Assert.Equal(samples.Values.Sum(s => s.Count), holding.Count);
        Assert.Equal(new TimeRange(samples.Values.Min(s => s.FirstTime), samples.Values.Max(s => s.LastTime) + 1), holding.Extent);
        Assert.Equal(("edge-1", "archive", Tier.Archive, 0L, 4L), (holding.Edge, holding.Node, holding.Tier, holding.After, holding.Through));
        Assert.Equal(holding.Bytes, (await _bench.Store.ListAsync("v1/raw/", default).ToListAsync()).Sum(o => o.Bytes));
        Assert.Equal((Tier.Archive, "archive", "raw"), (result.Uses[0].Tier, result.Uses[0].Node, result.Uses[0].Resolution));
    }

    [Fact]
    public async Task A_later_layer_says_what_of_the_earlier_ones_was_deleted_also_where_it_has_no_samples()
    {
        var samples = ArchiveBench.SomeSamples();
        var (name, range) = (samples.Keys.First(), new TimeRange(ArchiveBench.Day.Start + 5, ArchiveBench.Day.Start + 50));
        var holding = await _bench.Writer().PublishAsync(ArchiveBench.Pack(new Dictionary<string, SampleColumns>(), after: 4, through: 5) with { Erased = [new(name, range)] }, default);
        Assert.Equal((4L, 0L, range), (holding.After, holding.Count, holding.Extent));
        var half = new TimeRange(range.From, range.From + 10);
        var slice = Assert.Single((await _bench.Source().FetchAsync(ArchiveBench.Ask(samples.Keys, half, after: 4, through: 5), default)).Slices);
        Assert.Equal((name, 0, half), (slice.Series, slice.Samples!.Count, Assert.Single(slice.Erased)));
    }

    [Fact]
    public async Task Series_that_span_row_groups_are_whole_and_any_range_of_them_is_exact()
    {
        var samples = new Dictionary<string, SampleColumns>();
        foreach (var (name, count) in new[] { ("a/d/first", 240_000), ("a/d/long", 530_000), ("a/d/state", 20_000) })
        {
            samples[name] = new(count);
            for (var i = 0; i < count; i++)
            {
                var state = name == "a/d/state" && i % 2 == 1 ? "on" : null;
                samples[name].Add(ArchiveBench.Day.Start + i * 100_000L, state is null ? i * 0.01 : 0, state);
            }
        }
        await _bench.Writer().PublishAsync(ArchiveBench.Pack(samples), default);
        var start = ArchiveBench.Day.Start;
        foreach (var wholeFileBytesMax in new[] { 64 << 20, 0 })
        {
            var source = _bench.Source(new() { WholeFileBytesMax = wholeFileBytesMax });
            foreach (var range in new TimeRange[] { ArchiveBench.Day.Range, new(start + 900_000_001, start + 2_600_000_001), new(start + 3, start + 4) })
            {
                var result = await source.FetchAsync(ArchiveBench.Ask(samples.Keys, range), default);
                Assert.Equal(samples.Count(s => s.Value.Slice(range).Count > 0), result.Slices.Count);
                foreach (var slice in result.Slices)
                {
                    ArchiveBench.AssertSame(samples[slice.Series].Slice(range), slice.Samples!);
                }
            }
        }
    }

    [Fact]
    public async Task Rollups_equal_those_computed_sample_by_sample()
    {
        var samples = ArchiveBench.SomeSamples();
        await _bench.Writer().PublishAsync(ArchiveBench.Pack(samples), default);
        var source = _bench.Source();
        foreach (var step in new[] { 0, Instant.Hour, 17 * Instant.Second })
        {
            var range = new TimeRange(ArchiveBench.Day.Start + 90 * Instant.Minute, ArchiveBench.Day.Start + 5 * Instant.Hour + 3);
            var request = ArchiveBench.Ask(samples.Keys, range, raw: false, step: step);
            var result = await source.FetchAsync(request, default);
            Assert.Equal(samples.Keys.Where(n => samples[n].Slice(range).Count > 0).Order(StringComparer.Ordinal),
                result.Slices.Select(s => s.Series));
            foreach (var slice in result.Slices)
            {
                var oracle = new SortedDictionary<long, Rollup>();
                var all = samples[slice.Series];
                for (var i = 0; i < all.Count; i++)
                {
                    if (range.Contains(all.Times[i]))
                    {
                        var bucket = step == 0 ? 0 : all.Times[i] / step * step;
                        var rollup = oracle.GetValueOrDefault(bucket);
                        rollup.Add(all.Times[i], all.Values[i], all.StateAt(i));
                        oracle[bucket] = rollup;
                    }
                }
                Assert.Equal(oracle.Keys, slice.Rows!.Rows.ToArray().Select(r => r.Start));
                Assert.Equal(oracle.Values, slice.Rows!.Rows.ToArray().Select(r => r.Rollup));
            }
        }
    }

    [Fact]
    public async Task Any_samples_survive_the_archive()
    {
        var sample = Gen.Select(Gen.Long[1, 30_000_000], Gen.Double, Gen.Int[0, 5]);
        var trial = 0L;
        await Gen.Dictionary(Gen.Int[0, 40].Select(i => $"a/d/m{i}"), sample.Array[1, 60])[0, 12].SampleAsync(async drawn =>
        {
            var through = Interlocked.Increment(ref trial);
            var samples = drawn.ToDictionary(d => d.Key, d =>
            {
                var columns = new SampleColumns();
                var time = ArchiveBench.Day.Start;
                foreach (var (gap, value, state) in d.Value)
                {
                    columns.Add(time += gap, state == 0 ? 0 : value, state == 0 ? $"s{gap % 3}" : null);
                }
                return columns;
            });
            await _bench.Writer(rowsPerFile: 100).PublishAsync(ArchiveBench.Pack(samples, 0, through), default);
            var result = await _bench.Source().FetchAsync(ArchiveBench.Ask(samples.Keys, through: through), default);
            Assert.Equal(samples.Count, result.Slices.Count);
            foreach (var slice in result.Slices)
            {
                ArchiveBench.AssertSame(samples[slice.Series], slice.Samples!);
            }
        }, iter: 15, threads: 1);
    }

    [Fact]
    public async Task Only_the_series_asked_for_are_answered_and_unknown_ones_are_absent()
    {
        var samples = ArchiveBench.SomeSamples();
        await _bench.Writer().PublishAsync(ArchiveBench.Pack(samples), default);

        var result = await _bench.Source().FetchAsync(ArchiveBench.Ask(["a/hall/mixed", "a/hall/none"]), default);
        Assert.Equal("a/hall/mixed", result.Slices.Single().Series);
    }

    [Fact]
    public async Task Parts_are_answered_exactly_as_they_were_published_and_others_are_gone()
    {
        var samples = ArchiveBench.SomeSamples(50);
        var next = new Window(ArchiveBench.Day.Start + Instant.Day, Instant.Day);
        await _bench.Writer().PublishAsync(ArchiveBench.Pack(samples, 0, 4), default);
        var late = new SampleColumns();
        late.Add(ArchiveBench.Day.Start + 5, 42);
        await _bench.Writer().PublishAsync(ArchiveBench.Pack(new Dictionary<string, SampleColumns> { ["a/zoo/odd"] = late }, 4, 9), default);

        FetchPart Part(string edge, Window window, long after, long through) => new(edge, window, after, through, window.Range);
        var result = await _bench.Source().FetchAsync(new(["a/zoo/odd"],
            [Part("edge-1", ArchiveBench.Day, 0, 4), Part("edge-1", ArchiveBench.Day, 0, 9), Part("edge-1", ArchiveBench.Day, 4, 9),
             Part("edge-1", ArchiveBench.Day, 4, Holding.Latest), Part("edge-1", next, 0, 4), Part("edge-2", ArchiveBench.Day, 0, 4)],
            true, 0, 0), default);

        Assert.Equal([1, 3, 4, 5], result.Gone);
        Assert.Equal([0, 2], result.Slices.Select(s => s.Part));
        ArchiveBench.AssertSame(samples["a/zoo/odd"], result.Slices[0].Samples!);
        ArchiveBench.AssertSame(late, result.Slices[1].Samples!);
    }

    [Fact]
    public async Task Layers_without_samples_are_published_and_answered_with_nothing()
    {
        var holding = await _bench.Writer().PublishAsync(ArchiveBench.Pack(new Dictionary<string, SampleColumns> { ["a/d/m"] = new() }), default);
        var result = await _bench.Source().FetchAsync(ArchiveBench.Ask(["a/d/m"]), default);

        Assert.Equal((0, 0, true), (holding.Count, holding.Bytes, holding.Extent.IsEmpty));
        Assert.Empty(result.Gone);
        Assert.Empty(result.Slices);
    }
}
