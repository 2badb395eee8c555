using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Tests.Differential;

namespace Foretier.Tests.Unit.Query;

/// <summary>What a page costs: what is read for it, as its source is asked. (That pages together are the whole the differential test holds.)</summary>
public class PagerTests
{
    private const string Name = "acme/d/m";
    private static readonly Window Day = Window.DayOf(1_489_017_600L * Instant.Second);

    [Theory]
    [InlineData("avg", "")]
    [InlineData("max,p90", "null")]
    [InlineData("rolling_avg", "")]
    public async Task A_page_of_steps_reads_a_few_pages_of_time_and_not_the_whole_range(string functions, string fill)
    {
        const int limit = 10;
        var (asked, points) = await ReadAllAsync(new(Name, "2017-03-09", "2017-03-10", "1m", functions) { Fill = fill, Window = functions == "rolling_avg" ? "5m" : null }, limit);

        Assert.Equal(1_440 * functions.Split(',').Length, points);
        Assert.All(asked, range => Assert.InRange(range.Length, 1, (limit + 1 + 5) * Instant.Minute));
    }

    [Fact]
    public async Task A_page_of_what_needs_the_steps_before_it_reads_the_whole_range()
    {
        var (asked, points) = await ReadAllAsync(new(Name, "2017-03-09", "2017-03-10", "1h", "rate"), 10);

        Assert.Equal(24, points);
        Assert.All(asked, range => Assert.Equal(Day.Range, range));
    }

    /// <summary>Page after page to the end: which ranges were read of a sample every half minute, and how many points there were.</summary>
    private static async Task<(List<TimeRange> Asked, int Points)> ReadAllAsync(QuestionText text, int limit)
    {
        var catalog = new Catalog();
        var series = new SeriesInfo(Name, "edge", null, "gauge");
        catalog.Put(series);
        catalog.Put(new Holding("edge", Day, "edge", Tier.Ssd, 0, Holding.Latest, Day.Range, 2_880, 1));
        var health = new SourceHealth(TimeProvider.System);
        health.Connected("edge");
        var samples = new SampleColumns();
        for (var time = Day.Start; time < Day.End; time += 30 * Instant.Second)
        {
            samples.Add(time, time % 97, null);
        }
        var source = new Recorder(new LayerSource("edge", new() { [("edge", Day, 0)] = new() { [Name] = [Layer.Of(1, samples)] } }));
        var pager = new Pager(new Answerer(catalog, _ => source, health, TimeProvider.System));
        var question = Question.Parse(text, Day.End, out _)!;
        var points = 0;
        PageCursor? cursor = null;
        do
        {
            var page = await pager.AskAsync(question, [series], limit, cursor, CancellationToken.None);
            points += page.Results.Sum(result => result.Points.Count());
            cursor = page.Next;
        }
        while (cursor is not null);
        return (source.Asked, points);
    }

    private sealed class Recorder(IDataSource source) : IDataSource
    {
        public List<TimeRange> Asked { get; } = [];
        public string Node => source.Node;

        public Task<FetchResult> FetchAsync(FetchRequest request, CancellationToken cancel)
        {
            Asked.AddRange(request.Parts.Select(part => part.Range));
            return source.FetchAsync(request, cancel);
        }
    }
}
