using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Node.Access;
using Foretier.Protocol;

namespace Foretier.Tests.Unit.Node;

public class AccessBookTests
{
    private const long Now = 1_741_564_800L * Instant.Second;

    private readonly List<AccessCount> _counted = [];
    private readonly AccessBook _book;

    public AccessBookTests() => _book = new(new FixedClock(), _counted.Add, below: null);

    [Theory]
    [InlineData("raw", null, new[] { 0L })]
    [InlineData("avg", "60", new[] { Instant.Minute })]
    [InlineData("avg", "90", new[] { 0L })]
    [InlineData("avg", "7d", new[] { Instant.Day })]
    [InlineData("avg", null, new[] { Instant.Day })]
    [InlineData("avg,max", "2h", new[] { Instant.Hour })]
    public void A_question_counts_once_for_each_series_and_resolution(string fn, string? step, long[] steps)
    {
        var question = Question.Parse("acme/*/t", "2025-03-08", "2025-03-10", step, fn, Now, out var error);
        Assert.True(error is null, error?.Detail);
        _book.Asked(question!, [new("acme/d/t", "edge-1", null, "gauge"), new("acme/d/t", "edge-2", null, "gauge"), new("acme/e/t", "edge-1", null, "gauge")]);
        var shape = ReadShape.Of(question!.Range, Now).Value;
        Assert.Equal(new[] { "acme/d/t", "acme/e/t" }.SelectMany(s => steps.Select(each => new AccessCount(s, each, shape, Now / Instant.Hour, 1))), _counted);
    }

    [Fact]
    public void A_message_that_is_sent_again_counts_once_and_one_of_another_run_counts()
    {
        AccessCount count = new("acme/d/t", 0, 0, 9, 4);
        _book.Told(new("router", 7, 1, [count]));
        _book.Told(new("router", 7, 1, [count]));
        _book.Told(new("router", 7, 2, [count]));
        _book.Told(new("router", 8, 1, [count]));
        _book.Told(new("router-2", 7, 1, [count]));
        Assert.Equal(4, _counted.Count);
    }

    [Fact]
    public void Impossible_counts_are_left_out()
    {
        _book.Told(new("router", 7, 1, [new("", 0, 0, 9, 1), new("acme/d/t", -1, 0, 9, 1), new("acme/d/t", 0, 0, 9, 0), new("acme/d/t", 0, 0, long.MaxValue, 1), null!]));
        Assert.Empty(_counted);
    }

    [Fact]
    public void What_waits_is_added_up_told_in_messages_of_bounded_size_and_given_up_where_it_is_too_much()
    {
        var pending = new PendingCounts(keysMax: 6_000);
        for (var i = 0; i < 5_000; i++)
        {
            pending.Add("here", new($"a/d/{i}", 0, 0, 1, 1));
            pending.Add("here", new($"a/d/{i}", 0, 0, 1, 2));
        }
        pending.Add("away", new("a/e/0", 0, 0, 1, 1));
        string? LinkOf(string edge) => edge == "here" ? "gw" : null;
        var first = pending.Take(LinkOf)["gw"];
        Assert.Equal(AccessMessage.CountsMax, first.Count);
        Assert.All(first, c => Assert.Equal(3, c.Count));
        Assert.Equal(5_000 - AccessMessage.CountsMax, pending.Take(LinkOf)["gw"].Count);
        Assert.Empty(pending.Take(LinkOf));
        Assert.Equal(0, pending.Dropped);
        for (var i = 0; i < 6_000; i++)
        {
            pending.Add("gone", new($"a/d/{i}", 0, 0, 1, 1));
        }
        Assert.Equal(5_999, pending.Dropped);
        Assert.Single(pending.Take(edge => edge == "away" ? "gw" : null)["gw"]);
    }

    [Fact]
    public void A_series_of_two_edges_behind_one_link_is_told_once()
    {
        var pending = new PendingCounts(keysMax: 10);
        foreach (var edge in new[] { "edge-1", "edge-2" })
        {
            pending.Add(edge, new("a/d/t", 0, 0, 1, 5));
        }
        Assert.Equal([new("a/d/t", 0, 0, 1, 5)], pending.Take(_ => "gw")["gw"]);
    }

    private sealed class FixedClock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => Instant.ToDateTimeOffset(Now);
    }
}
