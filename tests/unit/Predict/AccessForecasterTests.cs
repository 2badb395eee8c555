using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Predict.Access;
using Foretier.Predict.Models;

namespace Foretier.Tests.Unit.Predict;

public class AccessForecasterTests
{
    /// <summary>2025-03-10, a Monday.</summary>
    private const long Monday = 1_741_564_800L * Instant.Second;

    private static readonly ReadShape _lastWeek = ReadShape.Of(new(0, 7 * Instant.Day), 7 * Instant.Day);
    private static readonly ReadShape _lastHour = ReadShape.Of(new(0, Instant.Hour), Instant.Hour);

    [Fact]
    public async Task A_weekly_report_is_expected_on_its_day_and_no_other()
    {
        var log = new AccessLog();
        for (var week = 8; week > 0; week--)
        {
            log.Record("acme/d/t", Instant.Day, _lastWeek, Monday - 7 * week * Instant.Day + 7 * Instant.Hour);
        }
        var forecaster = new AccessForecaster();
        var sunday = await forecaster.MakeAsync(log, Monday - 6 * Instant.Hour, CancellationToken.None);
        Assert.InRange(sunday.Probability("acme/d/t", Instant.Day), 0.85, 1);
        Assert.InRange(sunday.ReadsPerDay("acme/d/t"), 0.85, 1.1);
        var expected = Assert.Single(sunday.Of("acme/d/t"));
        Assert.Equal((ReaderKind.WeeklyReport, Monday + 7 * Instant.Hour), (Assert.Single(expected.Readers).Kind, expected.Readers[0].Next));
        Assert.True(expected.Shape.RangeAt(Monday).Length >= 7 * Instant.Day);
        var tuesday = await forecaster.MakeAsync(log, Monday + Instant.Day, CancellationToken.None);
        Assert.InRange(tuesday.Probability("acme/d/t", Instant.Day), 0, 0.3);
        Assert.Equal(0, tuesday.Probability("acme/d/t", 0));
        Assert.Empty(tuesday.Of("acme/d/other"));
    }

    [Fact]
    public async Task The_ranker_is_asked_once_an_hour_and_again_when_something_new_is_read()
    {
        var log = new AccessLog();
        log.Record("acme/d/t", 0, _lastHour, Monday - Instant.Day, 5);
        var ranker = new FakeRanker(3.5f);
        var forecaster = new AccessForecaster(startRanker: _ => Task.FromResult<IInference>(ranker));
        var first = await forecaster.MakeAsync(log, Monday, CancellationToken.None);
        Assert.InRange(first.ReadsPerDay("acme/d/t"), 0.7 * 3.5, 0.7 * 3.5 + 0.1);
        Assert.Same(first, await forecaster.MakeAsync(log, Monday + 40 * Instant.Minute, CancellationToken.None));
        log.Record("acme/d/u", 0, _lastHour, Monday + 41 * Instant.Minute);
        var second = await forecaster.MakeAsync(log, Monday + 42 * Instant.Minute, CancellationToken.None);
        Assert.True(second.ReadsPerDay("acme/d/u") > 0);
        await forecaster.MakeAsync(log, Monday + Instant.Hour, CancellationToken.None);
        Assert.Equal((3, 3), (ranker.Runs, ranker.Ends));
        Assert.Equal("access-ranker 1", second.Model);
        Assert.Null(forecaster.Failure);
    }

    [Fact]
    public async Task A_ranker_that_fails_is_done_without_until_the_next_hour()
    {
        var log = new AccessLog();
        log.Record("acme/d/t", 0, _lastHour, Monday - Instant.Day, 5);
        var works = false;
        var forecaster = new AccessForecaster(startRanker: _ => works ? Task.FromResult<IInference>(new FakeRanker(9)) : throw new InferenceException(InferenceFailure.Missing, "no model"));
        var without = await forecaster.MakeAsync(log, Monday, CancellationToken.None);
        Assert.Equal(log.ReadsPerDay("acme/d/t", Monday), without.ReadsPerDay("acme/d/t"));
        Assert.Equal(("no model", (string?)null), (forecaster.Failure?.Message, without.Model));
        works = true;
        Assert.InRange((await forecaster.MakeAsync(log, Monday + Instant.Hour, CancellationToken.None)).ReadsPerDay("acme/d/t"), 6, 7);
        Assert.Null(forecaster.Failure);
    }

    [Fact]
    public async Task Nothing_read_is_nothing_expected_and_starts_no_ranker()
    {
        var forecaster = new AccessForecaster(startRanker: _ => throw new InvalidOperationException("started for nothing"));
        var forecast = await forecaster.MakeAsync(new(), Monday, CancellationToken.None);
        Assert.Empty(forecast.All);
        Assert.Equal(long.MaxValue, forecast.Since);
    }

    private sealed class FakeRanker(float reads) : IInference
    {
        public int Runs { get; private set; }
        public int Ends { get; private set; }

        public ModelManifest Manifest { get; } = new("access-ranker", 1, 1, "", new(2025, 1, 1), "1.14", new("golden.json", ""), [], "none");

        public Task<Tensor> RunAsync(IReadOnlyList<Tensor> inputs, CancellationToken cancel)
        {
            Runs++;
            return Task.FromResult(new Tensor([.. Enumerable.Repeat(reads, inputs[0].Batch)], [inputs[0].Batch, 1]));
        }

        public ValueTask DisposeAsync()
        {
            Ends++;
            return ValueTask.CompletedTask;
        }
    }
}
