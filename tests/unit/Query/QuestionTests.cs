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

    private static Question? Parse(string? series, string? from, string? to, string? step, string? fn) => Question.Parse(series, from, to, step, fn, Now, out _);
}
