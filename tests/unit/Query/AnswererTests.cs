using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Microsoft.Extensions.Time.Testing;
using Moq;

namespace Foretier.Tests.Unit.Query;

/// <summary>The conversation with the sources: who is asked, how often, and what becomes of a refusal.</summary>
public class AnswererTests
{
    private static readonly Window Day = Window.DayOf(1_489_017_600L * Instant.Second);
    private readonly Catalog _catalog = new();
    private readonly SourceHealth _health = new(TimeProvider.System);
    private readonly Mock<IDataSource> _edge = Source("edge");
    private readonly Mock<IDataSource> _gateway = Source("gateway");

    public AnswererTests()
    {
        _catalog.Put(new SeriesInfo("acme/d/m", "edge", null, "gauge"));
        _health.Connected("edge");
        _health.Connected("gateway");
    }

    [Fact]
    public async Task A_source_that_fails_is_asked_once_and_the_next_holder_answers()
    {
        Hold("edge", Tier.Ssd, 0, Holding.Latest, count: 1);
        Hold("gateway", Tier.Hdd, 0, 5, count: 1);
        _edge.Setup(Fetch).ThrowsAsync(new DataSourceUnavailableException("edge", "no answer in time"));
        _gateway.Setup(Fetch).ReturnsAsync(Samples(1.5));

        var answer = await AskAsync();

        Assert.Equal([1.5], answer.Series[0].Raw!.Values.ToArray());
        Assert.False(answer.IsPartial);
        _edge.Verify(Fetch, Times.Once);
        _gateway.Verify(Fetch, Times.Once);
    }

    [Fact]
    public async Task Data_that_moved_between_plan_and_fetch_is_found_where_it_went()
    {
        Hold("edge", Tier.Ssd, 0, Holding.Latest, count: 1);
        _edge.Setup(Fetch).ReturnsAsync(() =>
        {
            _catalog.Swap([.. _catalog.View.Holdings.Select(HoldingKey.Of)], [HoldingOf("gateway", Tier.Hdd, 0, 5, 1)]);
            return new FetchResult([], [0], []);
        });
        _gateway.Setup(Fetch).ReturnsAsync(Samples(2.5));

        var answer = await AskAsync();

        Assert.Equal([2.5], answer.Series[0].Raw!.Values.ToArray());
        Assert.False(answer.IsPartial);
    }

    [Fact]
    public async Task What_no_one_can_give_is_missing_by_range_and_asked_for_a_bounded_number_of_times()
    {
        Hold("edge", Tier.Ssd, 0, Holding.Latest, count: 1);
        _edge.Setup(Fetch).ReturnsAsync(new FetchResult([], [0], []));

        var answer = await AskAsync();

        Assert.Equal([Day.Range], answer.Missing);
        _edge.Verify(Fetch, Times.Between(2, 5, Moq.Range.Inclusive));
    }

    [Fact]
    public async Task What_a_source_has_lost_is_missing_by_range_at_once_and_the_rest_is_answered()
    {
        Hold("edge", Tier.Ssd, 0, Holding.Latest, count: 1);
        _edge.Setup(Fetch).ReturnsAsync(new FetchResult([], [], []) { Lost = [0] });

        var answer = await AskAsync();

        Assert.Equal([Day.Range], answer.Missing);
        _edge.Verify(Fetch, Times.Once);
    }

    [Fact]
    public async Task What_a_source_has_lost_is_asked_of_another_that_has_the_same_and_the_rest_still_of_the_first()
    {
        Hold("edge", Tier.Ssd, 0, Holding.Latest, count: 1);
        Hold("gateway", Tier.Hdd, 0, 5, count: 1);
        var next = new Window(Day.End, Instant.Day);
        _catalog.Put(HoldingOf("edge", Tier.Ssd, 0, Holding.Latest, 1) with { Window = next, Extent = next.Range });
        _edge.Setup(Fetch).ReturnsAsync((FetchRequest request, CancellationToken _) => new FetchResult([], [], [])
        {
            Lost = [.. Enumerable.Range(0, request.Parts.Count).Where(part => request.Parts[part].Window == Day)],
        });
        _gateway.Setup(Fetch).ReturnsAsync(Samples(2.5));

        var answer = await AskAsync(to: "2017-03-11");

        Assert.Equal([2.5], answer.Series[0].Raw!.Values.ToArray());
        Assert.False(answer.IsPartial);
        _edge.Verify(Fetch, Times.Exactly(2));
    }

    [Fact]
    public async Task A_source_that_is_late_is_given_up_where_another_has_the_same_and_what_the_others_said_is_not_asked_again()
    {
        var clock = new FakeTimeProvider();
        Hold("edge", Tier.Ssd, 0, Holding.Latest, count: 1);
        Hold("gateway", Tier.Hdd, 0, 5, count: 1);
        var next = new Window(Day.End, Instant.Day);
        _catalog.Put(HoldingOf("gateway", Tier.Hdd, 0, 5, 1) with { Window = next, Extent = next.Range });
        var cancelled = false;
        _edge.Setup(Fetch).Returns<FetchRequest, CancellationToken>(async (_, cancel) =>
        {
            try
            {
                await Task.Delay(Timeout.Infinite, cancel);
            }
            finally
            {
                cancelled = true;
            }
            return null!;
        });
        _gateway.Setup(Fetch).ReturnsAsync((FetchRequest request, CancellationToken _) => request.Parts[0].Window == Day ? Samples(1.5) : new([], [], []));

        var asking = AskAsync(clock, to: "2017-03-11");
        Assert.False(asking.IsCompleted);
        clock.Advance(TimeSpan.FromSeconds(5));
        var answer = await asking;

        Assert.True(cancelled);
        Assert.False(answer.IsPartial);
        Assert.Equal([1.5], answer.Series[0].Raw!.Values.ToArray());
        Assert.Equal([FetchOutcome.Late, FetchOutcome.Answered, FetchOutcome.Answered], answer.Costs.Select(c => c.Outcome).Order().Reverse());
    }

    [Fact]
    public async Task A_source_that_is_late_and_has_what_nobody_else_has_is_waited_for()
    {
        var clock = new FakeTimeProvider();
        Hold("edge", Tier.Ssd, 0, Holding.Latest, count: 2);
        Hold("gateway", Tier.Hdd, 0, 5, count: 1);
        var result = new TaskCompletionSource<FetchResult>();
        _edge.Setup(Fetch).Returns(result.Task);

        var asking = AskAsync(clock);
        clock.Advance(TimeSpan.FromSeconds(8));
        Assert.False(asking.IsCompleted);
        result.SetResult(Samples(4.5));

        var answer = await asking;
        Assert.Equal([4.5], answer.Series[0].Raw!.Values.ToArray());
        _gateway.Verify(Fetch, Times.Never);
    }

    [Fact]
    public async Task A_source_without_anything_in_the_range_is_not_asked()
    {
        Hold("edge", Tier.Ssd, 0, Holding.Latest, count: 1);
        Hold("gateway", Tier.Hdd, 0, 5, count: 1);
        _edge.Setup(Fetch).ReturnsAsync(Samples(3.5));

        await AskAsync();

        _gateway.Verify(Fetch, Times.Never);
    }

    private static System.Linq.Expressions.Expression<Func<IDataSource, Task<FetchResult>>> Fetch =>
        source => source.FetchAsync(It.IsAny<FetchRequest>(), It.IsAny<CancellationToken>());

    private static Mock<IDataSource> Source(string node)
    {
        var source = new Mock<IDataSource>(MockBehavior.Strict);
        source.SetupGet(s => s.Node).Returns(node);
        return source;
    }

    private static FetchResult Samples(double value)
    {
        var samples = new SampleColumns();
        samples.Add(Day.Start + 1, value);
        return new([new(0, "acme/d/m", samples, null)], [], []);
    }

    private static Holding HoldingOf(string node, Tier tier, long after, long through, long count) =>
        new("edge", Day, node, tier, after, through, Day.Range, count, 1);

    private void Hold(string node, Tier tier, long after, long through, long count) => _catalog.Put(HoldingOf(node, tier, after, through, count));

    private Task<Answer> AskAsync(TimeProvider? clock = null, string to = "2017-03-10")
    {
        var answerer = new Answerer(_catalog, node => node == "edge" ? _edge.Object : _gateway.Object, _health, clock ?? TimeProvider.System);
        var question = Question.Parse("acme/d/m", "2017-03-09", to, null, "raw", Day.End, out _)!;
        return answerer.AnswerAsync(question, answerer.Resolve(question, out _), CancellationToken.None);
    }
}
