using CsCheck;
using Foretier.Predict.Access;
using Foretier.Predict.Replay;

namespace Foretier.Tests.Unit.Predict;

public class AccessReplayTests
{
    private const long Start = 1_735_689_600;
    private const long Day = 86_400;

    private static readonly ReplayOptions _options = new() { ScoredDays = 30, HotShare = 0.2 };

    [Fact]
    public async Task Hits_and_moves_of_a_small_trace_are_those_counted_by_hand()
    {
        // Room for one of five. a is read daily; on the last day b comes three times, the first before a.
        var reads = Enumerable.Range(0, 10).Select(d => (Start + d * Day + 3_600, "r/a", 1)).Concat(
            [(Start, "r/c", 1), (Start, "r/d", 1), (Start, "r/e", 1), (Start + 9 * Day, "r/b", 1), (Start + 9 * Day + 60, "r/b", 1), (Start + 9 * Day + 120, "r/b", 1)]);
        var trace = ReadTrace.Of("by hand", reads);
        var options = _options with { ScoredDays = 1 };
        Assert.Equal(1, AccessReplay.CapacityOf(trace, options));

        // lru: b misses, hits, hits, a misses. The others: a is hot, b never is.
        Assert.Equal((0.5, 4), await Score("lru", trace, options));
        Assert.Equal((0.25, 0), await Score("ewma28d", trace, options));
        Assert.Equal((0.25, 0), await Score("predictive", trace, options));
        Assert.Equal((0.5, 2), await Score("belady", trace, options));
        Assert.Equal((0.75, 2), await Score("clairvoyant", trace, options));
    }

    [Fact]
    public void No_policy_beats_those_that_know_the_future_nor_overfills_the_tier() => Gen.Int[0, 1 << 20].Sample(seed =>
    {
        var trace = Random(seed, 60, 40);
        var scores = AccessReplay.Policies.Append(AccessReplay.Belady).ToDictionary(p => p, p => AccessReplay.RunAsync(AccessReplay.Make(p, trace, _options, null), trace, _options, CancellationToken.None).Result);
        Assert.Single(scores.Values.Select(s => s.Reads).Distinct());
        Assert.True(scores["belady"].HotHit >= scores["lru"].HotHit);
        foreach (var atEpochs in new[] { "predictive", "ewma28d", "recency", "static" })
        {
            Assert.True(scores["clairvoyant"].HotHit >= scores[atEpochs].HotHit, atEpochs);
        }
        Assert.All(scores.Values, s => Assert.Equal(s.Moves, s.Promotions + s.Demotions));
    }, iter: 15);

    [Theory]
    [InlineData("predictive")]
    [InlineData("ewma28d")]
    [InlineData("recency")]
    [InlineData("static")]
    [InlineData("lru")]
    public async Task What_comes_later_changes_nothing_before_it(string policy)
    {
        // The same sixty days, and then another future for each: what was hot on the last common day is the same.
        var common = Reads(3, 60, 40).Where(r => r.Time < Start + 50 * Day).ToList();
        var names = common.Select(r => r.Key).Distinct().ToList();
        var hot = new List<string>();
        foreach (var seed in new[] { 1, 2 })
        {
            var trace = ReadTrace.Of("t", common.Concat(Reads(seed, 60, 40).Where(r => r.Time >= Start + 50 * Day && names.Contains(r.Key))));
            var watched = new Watched(AccessReplay.Make(policy, trace, _options, null), Start + 50 * Day, trace);
            await AccessReplay.RunAsync(watched, trace, _options, CancellationToken.None);
            hot.Add(watched.Hot);
        }
        Assert.Equal(hot[0], hot[1]);
        Assert.NotEmpty(hot[0]);
    }

    [Fact]
    public void A_workload_repeats_with_its_seed_and_is_another_with_another()
    {
        var options = new WorkloadOptions { Seed = 4, Accounts = 2, Devices = 6, Days = 60 };
        var queries = new QueryWorkload(options).Queries();
        Assert.Equal(queries, new QueryWorkload(options).Queries());
        Assert.NotEqual(queries, new QueryWorkload(options with { Seed = 5 }).Queries());
        Assert.Equal(queries.Select(q => q.Time).Order(), queries.Select(q => q.Time));
        Assert.All(queries, q => Assert.True(!q.Range.IsEmpty && q.Count > 0 && q.Range.From / 1_000_000 <= q.Time, q.ToString()));
    }

    [Theory]
    [InlineData("yesterday,a\n", "line 2")]
    [InlineData("1700000000,a\n1700000001\n", "line 3")]
    [InlineData("", "no reads")]
    public void A_file_that_is_no_trace_is_refused_with_its_line(string rows, string named) =>
        Assert.Contains(named, Assert.Throws<InvalidDataException>(() => ReadTrace.ReadCsv(new StringReader(rows), "x")).Message, StringComparison.Ordinal);

    private static async Task<(double, long)> Score(string policy, ReadTrace trace, ReplayOptions options)
    {
        var score = await AccessReplay.RunAsync(AccessReplay.Make(policy, trace, options, null), trace, options, CancellationToken.None);
        return (score.HotHit, score.Moves);
    }

    private static ReadTrace Random(int seed, int days, int keys) => ReadTrace.Of("random", Reads(seed, days, keys));

    private static List<(long Time, string Key, int Count)> Reads(int seed, int days, int keys)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, days * 20).Select(_ => (Start + random.Next(days * (int)Day), $"r/{(int)(keys * random.NextDouble() * random.NextDouble())}", 1))];
    }

    /// <summary>Notes what is hot right after an epoch began.</summary>
    private sealed class Watched(ReplayPolicy policy, long at, ReadTrace trace) : ReplayPolicy("watched")
    {
        public string Hot { get; private set; } = "";

        public override async ValueTask EpochAsync(long time, HotTier tier, CancellationToken cancel)
        {
            await policy.EpochAsync(time, tier, cancel);
            if (time == at)
            {
                Hot = string.Join(' ', trace.Names.Where((_, key) => tier.Has(key)).Order());
            }
        }

        public override void Read(long time, int key, int count, HotTier tier) => policy.Read(time, key, count, tier);
    }
}
