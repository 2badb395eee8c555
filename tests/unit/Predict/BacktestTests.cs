using Foretier.Core.Samples;
using Foretier.Predict.Backtest;
using Foretier.Predict.Score;
using static Foretier.Tests.Unit.Predict.Days;

namespace Foretier.Tests.Unit.Predict;

public class BacktestTests
{
    [Fact]
    public async Task Baselines_are_scored_as_they_are_defined()
    {
        var random = new Random(1);
        var counts = Enumerable.Range(0, 1_400).Select(hour => 20 + hour % 24 + random.Next(0, 9)).ToArray();
        var score = Assert.Single((await RunAsync(new HourlySeries("a", Monday, counts, TimeZoneInfo.Utc))).Series);
        // 29 origins from hour 672 on; the last whose 24 hours are there begins at 1372.
        Assert.Equal(29 * 24, score.Sums.Hours);
        double day = 0, week = 0, mean = 0;
        for (var origin = 672; origin + 24 <= counts.Length; origin += 25)
        {
            for (var hour = origin; hour < origin + 24; hour++)
            {
                day += Math.Abs(counts[hour] - counts[hour - 24]);
                week += Math.Abs(counts[hour] - counts[hour - 168]);
                mean += Math.Abs(counts[hour] - Enumerable.Range(1, 4).Average(weeks => counts[hour - weeks * 168]));
            }
        }
        var n = score.Sums.Hours;
        Assert.Equal(day / n, score.Sums.MeanError(Forecaster.SN24), 1e-3);
        Assert.Equal(week / n, score.Sums.MeanError(Forecaster.SN168), 1e-3);
        Assert.Equal(mean / n, score.Sums.MeanError(Forecaster.HoW4), 2e-2);
        Assert.InRange(score.Sums.Coverage(Forecaster.SN24), 0.85, 0.95);
        Assert.True(score.Relative(Forecaster.Ours) < score.Relative(Forecaster.HoW4));
    }

    [Fact]
    public async Task What_came_later_changes_no_earlier_forecast()
    {
        var random = new Random(2);
        var counts = Enumerable.Range(0, 1_400).Select(_ => random.Next(0, 50)).ToArray();
        var flood = (int[])counts.Clone();
        // The last origin is 1372: what comes after it can be in no forecast.
        Array.Fill(flood, 100_000, 1_372, 28);
        var (usual, flooded) = (await RunAsync(new HourlySeries("a", Monday, counts, TimeZoneInfo.Utc)), await RunAsync(new HourlySeries("a", Monday, flood, TimeZoneInfo.Utc)));
        var reserved = usual.Sums.OverReservation(Forecaster.Ours) * usual.Sums.Volume - usual.Sums.UnderReservation(Forecaster.Ours) * usual.Sums.Volume + usual.Sums.Volume;
        var reservedBefore = flooded.Sums.OverReservation(Forecaster.Ours) * flooded.Sums.Volume - flooded.Sums.UnderReservation(Forecaster.Ours) * flooded.Sums.Volume + flooded.Sums.Volume;
        Assert.Equal(reserved, reservedBefore, 1);
    }

    [Fact]
    public async Task Series_without_anything_to_compare_count_for_coverage_only()
    {
        var random = new Random(3);
        var score = await RunAsync(
            new("silent", Monday, new int[1_400], TimeZoneInfo.Utc),
            new("every week the same", Monday, [.. Enumerable.Range(0, 1_400).Select(hour => hour % 168)], TimeZoneInfo.Utc),
            new("short", Monday, new int[RollingOrigin.HoursMin - 1], TimeZoneInfo.Utc),
            new("usual", Monday, [.. Enumerable.Range(0, 1_400).Select(_ => random.Next(0, 50))], TimeZoneInfo.Utc));
        Assert.Equal((3, 1, 1), (score.Series.Count, score.Rated, score.Skipped));
        Assert.True(double.IsFinite(score.Wql(Forecaster.Ours)) && double.IsFinite(score.Mase));
        Assert.Equal(3 * 29 * 24, score.Sums.Hours);
        Assert.True(double.IsNaN(new BacktestScore([], 1).Wql(Forecaster.Ours)));
    }

    [Fact]
    public async Task Same_series_give_the_same_scores_whatever_stands_beside_them_in_the_file()
    {
        var random = new Random(4);
        HourlySeries one = new("a", Monday, [.. Enumerable.Range(0, 900).Select(_ => random.Next(0, 50))], TimeZoneInfo.Utc);
        var (alone, twice) = (await RunAsync(one), await RunAsync(one, one));
        Assert.Equal(alone.Sums.Wql(Forecaster.HoW4), twice.Series[1].Sums.Wql(Forecaster.HoW4));
        Assert.Equal(alone.Sums.Hours, twice.Series[1].Sums.Hours);
    }

    private static Task<BacktestScore> RunAsync(params HourlySeries[] series) => RollingOrigin.RunAsync(series, null, null, default);
}
