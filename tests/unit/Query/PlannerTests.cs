using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Microsoft.Extensions.Time.Testing;

namespace Foretier.Tests.Unit.Query;

public class PlannerTests
{
    private const string Series = "acme/boiler/temp";
    private static readonly Window Day = Window.DayOf(1_489_017_600L * Instant.Second);
    private readonly SourceHealth _health = new(new FakeTimeProvider());

    public PlannerTests()
    {
        foreach (var node in new[] { "edge", "gateway", "archive" })
        {
            _health.Connected(node);
        }
    }

    [Fact]
    public void An_edge_that_has_the_whole_window_is_asked_alone()
    {
        var plan = Make(Edge(0, 100), Gateway(0, 7, 60));
        var fetch = Assert.Single(plan.Fetches);
        Assert.Equal("edge", fetch.Node);
        Assert.False(fetch.Request.Raw);
        Assert.Empty(plan.Missing);
    }

    [Fact]
    public void A_slow_edge_is_passed_over_only_where_it_has_said_that_the_gateway_has_all()
    {
        for (var i = 0; i < 20; i++)
        {
            _health.Answered("edge", Tier.Ssd, new(1, 24), 500);
        }
        Assert.Equal("edge", Assert.Single(Make(Edge(0, 60), Gateway(0, 7, 60)).Fetches).Node);
        Assert.Equal("gateway", Assert.Single(Make(Edge(0, 60) with { Settled = 7 }, Gateway(0, 7, 60)).Fetches).Node);
        Assert.Equal("edge", Assert.Single(Make(Edge(0, 60) with { Settled = 7 }, Gateway(0, 6, 60)).Fetches).Node);
        Assert.Equal(["archive", "gateway"], Make(Edge(0, 60) with { Settled = 7 }, Archive(0, 4, Hours(0, 8)), Gateway(4, 7, 60, Hours(8, 24))).Fetches.Select(f => f.Node).Order());
    }

    [Fact]
    public void A_window_the_edge_dropped_is_asked_of_the_gateway()
    {
        var plan = Make(Gateway(0, 7, 60));
        Assert.Equal("gateway", Assert.Single(plan.Fetches).Node);
        Assert.Empty(plan.Missing);
    }

    [Fact]
    public void Late_samples_over_shipped_ones_are_fetched_raw_from_both_where_they_overlap_and_only_there()
    {
        var late = Edge(7, 3, new(Day.Start + 6 * Instant.Hour, Day.Start + 7 * Instant.Hour));
        var plan = Make(Gateway(0, 7, 60), late);

        var merged = plan.Fetches.Where(f => f.Request.Raw).ToList();
        Assert.Equal(["edge", "gateway"], merged.Select(f => f.Node).Order());
        Assert.All(merged, f => Assert.True(f.Places[0].Merge >= 0));
        // Before the late samples the gateway aggregates on its own.
        var alone = Assert.Single(plan.Fetches, f => !f.Request.Raw);
        Assert.Equal(new TimeRange(Day.Start, Day.Start + 6 * Instant.Hour), Assert.Single(alone.Request.Parts).Range);
        Assert.True(merged.Single(f => f.Node == "gateway").Places[0].Order < merged.Single(f => f.Node == "edge").Places[0].Order);
    }

    [Fact]
    public void Archive_gateway_and_edge_chain_into_one_window()
    {
        var plan = Make(Archive(0, 4, Hours(0, 8)), Gateway(4, 7, 60, Hours(8, 16)), Edge(7, 3, Hours(16, 24)));
        Assert.Equal(3, plan.Fetches.Count);
        Assert.All(plan.Fetches, f => Assert.False(f.Request.Raw));
    }

    [Fact]
    public void An_unreachable_edge_leaves_the_gateways_copy_and_says_what_may_be_missing()
    {
        _health.Disconnected("edge");
        var plan = Make(Edge(0, 100), Gateway(0, 7, 60));
        Assert.Equal("gateway", Assert.Single(plan.Fetches).Node);
        Assert.Equal([Day.Range], plan.Missing);
    }

    [Fact]
    public void An_unreachable_edge_with_nothing_more_than_the_gateway_is_not_missed()
    {
        _health.Disconnected("edge");
        Assert.Empty(Make(Edge(0, 60), Gateway(0, 7, 60)).Missing);
    }

    [Fact]
    public void What_came_after_an_unreachable_part_is_answered_and_that_part_is_missing()
    {
        _health.Disconnected("gateway");
        var plan = Make(Gateway(0, 7, 60, Hours(0, 12)), Edge(7, 3, Hours(12, 13)));
        Assert.Equal("edge", Assert.Single(plan.Fetches).Node);
        Assert.Equal([Hours(0, 12)], plan.Missing);
    }

    [Fact]
    public void Samples_that_came_later_do_not_stand_for_as_many_that_cannot_be_reached()
    {
        _health.Disconnected("gateway");
        Assert.Equal([Hours(0, 12)], Make(Gateway(0, 7, 3, Hours(0, 12)), Edge(7, 3, Hours(12, 13))).Missing);
    }

    [Fact]
    public void Flushes_that_nobody_is_known_to_have_make_the_window_partial()
    {
        var plan = Make(Edge(7, 3, Hours(12, 13)));
        Assert.Equal("edge", Assert.Single(plan.Fetches).Node);
        Assert.Equal([Day.Range], plan.Missing);
    }

    [Fact]
    public void What_is_missing_outside_the_question_does_not_make_it_partial()
    {
        _health.Disconnected("edge");
        var question = Ask("2017-03-10", "2017-03-11");
        var plan = Planner.Make(View(Edge(0, 100)), PartitionMap.Empty, question, [Info("edge")], _health.Picture);
        Assert.Empty(plan.Fetches);
        Assert.Empty(plan.Missing);
    }

    [Fact]
    public void A_series_that_moved_between_edges_is_read_from_both_and_merged_where_they_overlap()
    {
        _health.Connected("edge-2");
        var view = View(Edge(0, 10), Edge(0, 10) with { Edge = "edge-2", Node = "edge-2" });
        var plan = Planner.Make(view, PartitionMap.Empty, Ask(), [Info("edge"), Info("edge-2")], _health.Picture);
        Assert.Equal(2, plan.Fetches.Count);
        Assert.All(plan.Fetches, f => Assert.True(f.Request.Raw && f.Places[0].Merge >= 0));
    }

    private Plan Make(params Holding[] holdings) => Planner.Make(View(holdings), PartitionMap.Empty, Ask(), [Info("edge")], _health.Picture);

    private static Question Ask(string from = "2017-03-09", string to = "2017-03-10") => Question.Parse(Series, from, to, "1h", "avg", Day.End, out _)!;
    private static SeriesInfo Info(string edge) => new(Series, edge, "Cel", "gauge");
    private static CatalogView View(params Holding[] holdings) => new(1, [Info("edge")], holdings);
    private static TimeRange Hours(int from, int to) => new(Day.Start + from * Instant.Hour, Day.Start + to * Instant.Hour);

    private static Holding Edge(long after, long count, TimeRange? extent = null) =>
        new("edge", Day, "edge", Tier.Ssd, after, Holding.Latest, extent ?? Day.Range, count, 1);

    private static Holding Gateway(long after, long through, long count, TimeRange? extent = null) =>
        new("edge", Day, "gateway", Tier.Hdd, after, through, extent ?? Day.Range, count, 1);

    private static Holding Archive(long after, long through, TimeRange extent) =>
        new("edge", Day, "archive", Tier.Archive, after, through, extent, 10, 1);
}
