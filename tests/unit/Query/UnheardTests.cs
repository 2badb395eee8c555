using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Microsoft.Extensions.Time.Testing;

namespace Foretier.Tests.Unit.Query;

/// <summary>An answer is whole only as far as its edges were heard: of the rest it says that it may be missing.</summary>
public class UnheardTests
{
    private static readonly DateTimeOffset Noon = new(2026, 5, 4, 12, 0, 0, TimeSpan.Zero);
    private static readonly Window Day = Window.DayOf(Instant.Now(new FakeTimeProvider(Noon)));
    private readonly FakeTimeProvider _clock = new(Noon);
    private readonly Catalog _catalog = new();
    private readonly SourceHealth _health;
    private readonly Answerer _answerer;

    public UnheardTests()
    {
        _health = new(_clock);
        _answerer = new(_catalog, _ => null, _health, _clock);
        _catalog.Put(new SeriesInfo("acme/d/m", "edge", null, "gauge"));
        // The edge said that the gateway has all of it.
        _catalog.Put(new Holding("edge", Day, "edge", Tier.Ssd, 0, Holding.Latest, Day.Range, 10, 1, Settled: 5));
        _catalog.Put(new Holding("edge", Day, "gateway", Tier.Hdd, 0, 5, Day.Range, 10, 1));
        _health.Connected("gateway");
        _health.Connected("edge");
        _clock.Advance(TimeSpan.FromMinutes(1));
    }

    [Fact]
    public void While_the_edge_is_there_what_it_said_of_its_copy_below_is_believed() => Assert.Empty(Missing("acme/d/m"));

    [Fact]
    public void What_an_edge_may_have_taken_in_since_it_was_cut_off_is_missing()
    {
        _health.Disconnected("edge");

        Assert.Equal([new TimeRange(At("12:00"), At("13:00"))], Missing("acme/d/m"));
        Assert.Empty(Missing("acme/d/m", to: "2026-05-04T12:00:00Z"));
    }

    [Fact]
    public void Of_an_edge_that_was_never_heard_all_is_missing_also_where_a_pattern_might_name_its_series()
    {
        _health.Await("edge-2");

        Assert.Empty(Missing("acme/d/m"));
        Assert.Equal([new TimeRange(At("11:00"), At("13:00"))], Missing("acme/*/m"));

        _health.Connected("edge-2");
        Assert.Empty(Missing("acme/*/m"));
    }

    [Fact]
    public void A_series_that_nobody_knows_may_be_one_of_an_edge_that_was_not_heard()
    {
        _health.Await("edge-2");
        Assert.Equal("not_known_yet", ErrorOf("acme/d2/m"));

        _health.Forget("edge-2");
        Assert.Equal("unknown_series", ErrorOf("acme/d2/m"));
    }

    [Fact]
    public void Who_was_heard_is_not_waited_for()
    {
        _health.Await("edge");

        Assert.Empty(Missing("acme/*/m"));
    }

    [Fact]
    public void What_a_node_tells_of_an_earlier_moment_does_not_make_it_older()
    {
        _health.Seen("edge", _health.Moment);
        _health.Seen("edge", _health.Before(_health.Moment, TimeSpan.FromSeconds(30)));

        Assert.Equal(TimeSpan.Zero, _health.SilentFor("edge"));
    }

    private IReadOnlyList<TimeRange> Missing(string series, string to = "2026-05-04T13:00:00Z")
    {
        var question = Question.Parse(series, "2026-05-04T11:00:00Z", to, null, "count", Instant.Now(_clock), out _)!;
        return _answerer.Plan(question, _answerer.Resolve(question, out _)).Missing;
    }

    private string? ErrorOf(string series)
    {
        _answerer.Resolve(Question.Parse(series, "2026-05-04T11:00:00Z", "2026-05-04T13:00:00Z", null, "count", Instant.Now(_clock), out _)!, out var error);
        return error?.Code;
    }

    private static long At(string time) => DateTimeOffset.Parse($"2026-05-04T{time}:00Z", System.Globalization.CultureInfo.InvariantCulture).ToUnixTimeMilliseconds() * Instant.Millisecond;
}
