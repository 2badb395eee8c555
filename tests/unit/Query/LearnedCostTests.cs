using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Microsoft.Extensions.Time.Testing;

namespace Foretier.Tests.Unit.Query;

/// <summary>Two nodes hold the same day; what each takes to answer decides who is asked.</summary>
public class LearnedCostTests
{
    private static readonly Window Day = Window.DayOf(1_489_017_600L * Instant.Second);
    private readonly FakeTimeProvider _clock = new();
    private readonly Catalog _catalog = new();
    private readonly SourceHealth _health;
    private readonly Dictionary<string, TimedSource> _sources = [];
    private readonly Answerer _answerer;

    public LearnedCostTests()
    {
        _health = new(_clock);
        _catalog.Put(new SeriesInfo("acme/d/m", "edge", null, "gauge"));
        Hold("edge", Tier.Ssd, Holding.Latest, milliseconds: 1);
        Hold("gateway", Tier.Hdd, 9, milliseconds: 8);
        _answerer = new(_catalog, _sources.GetValueOrDefault, _health, _clock);
    }

    [Theory]
    [InlineData("1m")]
    [InlineData(null)]
    public async Task A_holder_slowed_twentyfold_is_left_within_ten_queries_and_asked_again_when_it_has_recovered(string? step)
    {
        Assert.All(await AskAsync(50, step), node => Assert.Equal("edge", node));

        _sources["edge"].Milliseconds *= 20;
        Assert.All((await AskAsync(50, step)).Skip(10), node => Assert.Equal("gateway", node));

        _sources["edge"].Milliseconds /= 20;
        // Two queries a second: half a minute.
        Assert.All((await AskAsync(80, step)).Skip(60), node => Assert.Equal("edge", node));
    }

    [Fact]
    public async Task While_it_stays_slow_no_answer_waits_for_it()
    {
        await AskAsync(20);
        _sources["edge"].Milliseconds *= 20;
        await AskAsync(20);
        var probes = _sources["edge"].Asked;

        Assert.All(await AskAsync(100), node => Assert.Equal("gateway", node));
        // It is asked beside the answers, once in two seconds at most.
        Assert.InRange(_sources["edge"].Asked - probes, 10, 25);
    }

    [Fact]
    public async Task A_copy_brought_nearer_is_tried_where_what_is_further_away_is_quicker_than_expected()
    {
        _catalog.Remove(HoldingKey.Of(_catalog.View.Holdings.Single(h => h.Node == "gateway")));
        _catalog.Remove(HoldingKey.Of(_catalog.View.Holdings.Single(h => h.Node == "edge")));
        Hold("archive", Tier.Archive, 9, milliseconds: 3);
        Assert.All(await AskAsync(40), node => Assert.Equal("archive", node));

        Hold("gateway", Tier.Hdd, 9, milliseconds: 1);
        Assert.All(await AskAsync(20), node => Assert.Equal("gateway", node));

        // And left again where it is not what it was hoped to be; nobody is asked only because nothing is known of him.
        Hold("gateway-2", Tier.Hdd, 9, milliseconds: 30);
        Hold("archive-2", Tier.Archive, 9, milliseconds: 30);
        await AskAsync(5);
        Assert.All(await AskAsync(20), node => Assert.Equal("gateway", node));
        Assert.Equal(0, _sources["archive-2"].Asked);
    }

    [Fact]
    public async Task However_fast_the_clock_of_the_data_runs_sources_are_given_real_time()
    {
        var hour = TimeSpan.FromHours(1);
        var fast = new FakeTimeProvider(_clock.GetUtcNow());
        var answerer = new Answerer(_catalog, node => new SlowSource(node, () => fast.Advance(hour)), _health, fast);
        var question = Question.Parse("acme/d/m", "2017-03-09", "2017-03-10", "1h", "avg", Day.End, out _)!;
        var answer = await answerer.AnswerAsync(question, [.. _catalog.View.Series], CancellationToken.None);
        Assert.Equal(FetchOutcome.Answered, Assert.Single(answer.Costs).Outcome);
    }

    [Fact]
    public void Rows_are_learned_apart_from_asking()
    {
        var cost = SourceCost.Unknown;
        for (var i = 0; i < 200; i++)
        {
            // 5 ms to ask, and 2 µs for each row.
            var work = new FetchWork(1, i % 2 == 0 ? 10 : 100_000);
            cost = cost.Observe(Tier.Hdd, work, 5 + work.Rows * 0.002, i + 1);
        }
        Assert.InRange(cost.Estimate(Tier.Hdd, new(1, 10)), 4.5, 5.5);
        Assert.InRange(cost.Estimate(Tier.Hdd, new(1, 50_000)), 95, 115);
    }

    [Fact]
    public void Where_costs_are_alike_the_tier_that_the_map_prefers_is_asked_and_a_measured_difference_counts_more()
    {
        var question = Question.Parse("acme/d/m", "2017-03-09", "2017-03-10", "1h", "avg", Day.End, out _)!;
        string AskedFirst(AccessPattern access, Tier prefer, double edge, double gateway)
        {
            var health = new SourceHealth(_clock);
            foreach (var (node, tier, took) in new[] { ("edge", Tier.Ssd, edge), ("gateway", Tier.Hdd, gateway) })
            {
                health.Connected(node);
                for (var i = 0; i < 60; i++)
                {
                    health.Answered(node, tier, new(1, 24), took);
                }
            }
            var id = new PartitionId("acme", "g0", 1, Day);
            var map = new PartitionMap(1, [new("edge", "acme", "g0", 1, ["acme/d/m"], 1)],
                [new(id, "edge", 1, 10, 10, default, access, prefer, [], 1)]);
            return Planner.Make(_catalog.View, map, question, [.. _catalog.View.Series], health.Picture).Fetches.Single().Node;
        }
        Assert.Equal("edge", AskedFirst(AccessPattern.Frequent, Tier.Hdd, 5.2, 5));
        Assert.Equal("gateway", AskedFirst(AccessPattern.Rare, Tier.Hdd, 5, 5.2));
        Assert.Equal("edge", AskedFirst(AccessPattern.Rare, Tier.Hdd, 5, 7));
        Assert.Equal("gateway", AskedFirst(AccessPattern.Frequent, Tier.Ssd, 7, 5));
    }

    private void Hold(string node, Tier tier, long through, double milliseconds)
    {
        _health.Connected(node);
        _sources[node] = new(node, _clock, milliseconds);
        _catalog.Put(new Holding("edge", Day, node, tier, 0, through, Day.Range, 1_000, 1) { Settled = through == Holding.Latest ? 9 : 0 });
    }

    /// <summary>Two queries a second.</summary>
    /// <returns>Who answered each.</returns>
    private async Task<List<string>> AskAsync(int times, string? step = "1h")
    {
        var question = Question.Parse("acme/d/m", "2017-03-09", "2017-03-10", step, step is null ? "raw" : "avg", Day.End, out _)!;
        var answered = new List<string>();
        for (var i = 0; i < times; i++)
        {
            _clock.Advance(TimeSpan.FromMilliseconds(500));
            var answer = await _answerer.AnswerAsync(question, [.. _catalog.View.Series], CancellationToken.None);
            Assert.False(answer.IsPartial);
            answered.Add(Assert.Single(answer.Costs).Node);
        }
        return answered;
    }

    /// <summary>While it works, something happens; and others get to run.</summary>
    private sealed class SlowSource(string node, Action meanwhile) : IDataSource
    {
        public string Node => node;

        public async Task<FetchResult> FetchAsync(FetchRequest request, CancellationToken cancel)
        {
            await Task.Yield();
            meanwhile();
            await Task.Delay(20, cancel);
            return new([], [], []);
        }
    }

    /// <summary>Takes its time on the test's clock.</summary>
    private sealed class TimedSource(string node, FakeTimeProvider clock, double milliseconds) : IDataSource
    {
        public string Node => node;
        public double Milliseconds { get; set; } = milliseconds;
        public int Asked { get; private set; }

        public Task<FetchResult> FetchAsync(FetchRequest request, CancellationToken cancel)
        {
            Asked++;
            clock.Advance(TimeSpan.FromMilliseconds(Milliseconds));
            return Task.FromResult(new FetchResult([], [], []));
        }
    }
}
