using Foretier.Core.Query;
using Foretier.Core.Samples;

namespace Foretier.Tests.Unit.Query;

public class QuestionTests
{
    private const long Now = 1_700_000_000L * Instant.Second;

    [Fact]
    public void Left_out_parameters_mean_raw_samples_of_the_last_hour()
    {
        var question = Parse("acme/*/temp", null, null, null, null)!;
        Assert.Equal(new TimeRange(Now - Instant.Hour, Now), question.Range);
        Assert.Equal([Fn.Raw], question.Functions);
    }

    [Fact]
    public void Times_may_be_relative_and_several_functions_asked_at_once()
    {
        var question = Parse("acme/*/temp", "-6h", "now", "5m", "avg,max")!;
        Assert.Equal(6 * Instant.Hour, question.Range.Length);
        Assert.Equal([Fn.Avg, Fn.Max], question.Functions);
        // Steps are aligned to the clock, the range is not: it touches one more.
        Assert.Equal(73, question.Grid.Count);
    }

    [Theory]
    [InlineData("acme/temp", null, null, null, null, "bad_series")]
    [InlineData("", null, null, null, null, "bad_series")]
    [InlineData("a/b/c", "yesterday", null, null, null, "bad_time")]
    [InlineData("a/b/c", "2023-01-02", "2023-01-01", null, null, "bad_range")]
    [InlineData("a/b/c", "2023-01-01", "2023-01-01", null, null, "bad_range")]
    [InlineData("a/b/c", null, null, "0s", null, "bad_step")]
    [InlineData("a/b/c", null, null, "0", null, "bad_step")]
    [InlineData("a/b/c", null, null, "-1m", null, "bad_step")]
    [InlineData("a/b/c", null, null, "soon", null, "bad_step")]
    [InlineData("a/b/c", null, null, "1m", "median", "bad_function")]
    [InlineData("a/b/c", "2000-01-01", "2023-01-01", "1s", "avg", "too_many_points")]
    public void What_cannot_be_asked_is_refused_by_code_with_a_way_out(string series, string? from, string? to, string? step, string? fn, string code)
    {
        Assert.Null(Question.Parse(series, from, to, step, fn, Now, out var error));
        Assert.Equal(code, error!.Code);
        Assert.True(error.Detail.Length > 20);
    }

    [Theory]
    [InlineData("raw", "1h", null, null, null, null, "bad_step")]
    [InlineData("raw", null, null, "device", null, null, "bad_by")]
    [InlineData("avg", null, "null", null, null, null, "bad_fill")]
    [InlineData("avg", "1h", "zero", null, null, null, "bad_fill")]
    [InlineData("avg", "1h", "null,previous", null, null, null, "bad_fill")]
    [InlineData("avg", "1h", null, "site", null, null, "bad_by")]
    [InlineData("avg", "1d", null, null, null, "Europe/Atlantis", "bad_zone")]
    [InlineData("rolling_avg", "1h", null, null, null, null, "bad_window")]
    [InlineData("rolling_avg", null, null, null, "1h", null, "bad_step")]
    [InlineData("rolling_avg", "1h", null, null, "90m", null, "bad_window")]
    [InlineData("avg", "1h", null, null, "2h", null, "bad_window")]
    [InlineData("p101", "1h", null, null, null, null, "bad_function")]
    public void What_does_not_fit_together_is_refused_by_code_with_a_way_out(string fn, string? step, string? fill, string? by, string? window, string? zone, string code)
    {
        Assert.Null(Question.Parse(new("a/b/c", "-6h", "now", step, fn) { Fill = fill, By = by, Window = window, Zone = zone }, Now, out var error));
        Assert.Equal(code, error!.Code);
        Assert.True(error.Detail.Length > 20);
    }

    [Theory]
    [InlineData("2017-03-26", 23)]
    [InlineData("2017-10-29", 25)]
    [InlineData("2017-06-01", 24)]
    public void A_day_of_a_time_zone_is_as_long_as_it_is_there(string day, int hours)
    {
        var noon = $"{day}T12:00:00Z";
        var question = Question.Parse(new("a/b/c", noon, $"{day}T13:00:00Z", "1d", "avg") { Zone = "Europe/Rome" }, Now, out _)!;
        Assert.Equal(hours * Instant.Hour, Assert.Single(question.Grid.Buckets()).Length);
    }

    [Fact]
    public void A_cursor_goes_on_only_with_the_query_that_gave_it()
    {
        var cursor = new PageCursor(new(1, 2_000_000), 7, "acme/d/m", 3, "starting\nup", 99);
        var text = cursor.ToText("series=a");
        Assert.Equal(cursor, PageCursor.Parse(text, "series=a", out _));
        foreach (var (wrong, query) in new[] { (text, "series=b"), (text[1..], "series=a"), ("no cursor", "series=a"), ("", "series=a") })
        {
            Assert.Null(PageCursor.Parse(wrong, query, out var error));
            Assert.Equal("bad_cursor", error!.Code);
        }
    }

    private static Question? Parse(string? series, string? from, string? to, string? step, string? fn) => Question.Parse(series, from, to, step, fn, Now, out _);
}
