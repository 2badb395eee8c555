using Foretier.Core.Samples;
using Foretier.Predict.Volume;
using static Foretier.Tests.Unit.Predict.Days;

namespace Foretier.Tests.Unit.Predict;

public class HourOfWeekMeanTests
{
    private const string Series = "acme/boiler/temperature";

    [Fact]
    public void Series_in_its_first_hour_is_forecast_from_its_pace()
    {
        var history = new VolumeHistory();
        for (var second = 0; second < 900; second += 10)
        {
            history.Observe(Series, Monday + 20 * Instant.Minute + second * Instant.Second, 1);
        }
        var forecast = history.ForecastOf(Series, Monday + 35 * Instant.Minute, 24);
        Assert.All(forecast.Mean, mean => Assert.InRange(mean, 359, 361));
        Assert.All(forecast.P90, p90 => Assert.True(p90 > 360));
    }

    [Fact]
    public void One_early_sample_does_not_promise_a_flood()
    {
        var history = new VolumeHistory();
        history.Observe(Series, Monday, 1);
        Assert.InRange(history.ForecastOf(Series, Monday + Instant.Second, 1).Mean[0], 1, 10);
    }

    [Fact]
    public void Series_that_began_within_an_hour_is_judged_by_the_rest_of_it()
    {
        var history = new VolumeHistory();
        history.Observe(Series, Monday + 45 * Instant.Minute, 15);
        Assert.Equal(60, history.ForecastOf(Series, Monday + Instant.Hour, 1).Mean[0]);
    }

    [Fact]
    public void Without_a_whole_day_every_hour_is_forecast_as_the_mean_of_all()
    {
        var history = new VolumeHistory();
        history.Fill(Series, Monday, Monday + 4 * Instant.Hour, time => time.Hour < 2 ? 10 : 20);
        Assert.Equal(15, history.ForecastOf(Series, Monday + 4 * Instant.Hour, 24).Mean[10]);
    }

    [Fact]
    public void After_a_day_the_hour_of_the_day_is_known()
    {
        var history = new VolumeHistory();
        history.Fill(Series, Monday, Monday + 2 * Instant.Day, time => time.Hour is >= 8 and < 18 ? 60 : 0);
        var forecast = history.ForecastOf(Series, Monday + 2 * Instant.Day, 24);
        Assert.Equal([0, 60, 0], new[] { forecast.Mean[3], forecast.Mean[12], forecast.Mean[20] });
    }

    [Fact]
    public void After_two_weeks_the_weekend_is_known()
    {
        var history = new VolumeHistory();
        history.Fill(Series, Monday, Monday + 14 * Instant.Day, OfficeHours);
        var forecast = history.ForecastOf(Series, Monday + 14 * Instant.Day, 7 * 24);
        for (var hour = 0; hour < 7 * 24; hour++)
        {
            Assert.Equal(OfficeHours(Instant.ToDateTimeOffset(Monday + hour * Instant.Hour)), forecast.Mean[hour]);
            Assert.Equal(forecast.Mean[hour], forecast.P90[hour]);
        }
    }

    [Fact]
    public void What_happened_more_than_four_weeks_ago_is_forgotten()
    {
        var history = new VolumeHistory();
        history.Fill(Series, Monday, Monday + 7 * Instant.Day, _ => 1000);
        history.Fill(Series, Monday + 7 * Instant.Day, Monday + 35 * Instant.Day, _ => 5);
        Assert.All(history.ForecastOf(Series, Monday + 35 * Instant.Day, 24).Mean, mean => Assert.Equal(5, mean));
    }

    [Fact]
    public void Weekly_pattern_follows_the_local_clock_when_daylight_saving_begins()
    {
        // A zone one hour ahead, two from Monday 2026-01-26T01:00Z on, in the middle of what is forecast.
        var day = new DateTime(2026, 1, 26);
        var rule = TimeZoneInfo.AdjustmentRule.CreateAdjustmentRule(new(2026, 1, 1), new(2026, 12, 31), TimeSpan.FromHours(1),
            TimeZoneInfo.TransitionTime.CreateFixedDateRule(new(1, 1, 1, 2, 0, 0), day.Month, day.Day),
            TimeZoneInfo.TransitionTime.CreateFixedDateRule(new(1, 1, 1, 3, 0, 0), 10, 25));
        var zone = TimeZoneInfo.CreateCustomTimeZone("Test", TimeSpan.FromHours(1), "Test", "Test", "Test summer", [rule]);
        var history = new VolumeHistory();
        var change = Monday + 21 * Instant.Day;
        history.Fill(Series, Monday, change, time => TimeZoneInfo.ConvertTime(time, zone).Hour == 9 ? 100 : 0);

        Assert.Equal(100, history.ForecastOf(Series, change - Instant.Day, 24, zone).Mean[8]);
        var forecast = history.ForecastOf(Series, change, 24, zone);
        Assert.Equal(0, forecast.Mean[8]);
        Assert.Equal(100, forecast.Mean[7]);
    }

    [Fact]
    public void Hours_nobody_counted_do_not_pull_the_forecast_down()
    {
        var history = new VolumeHistory();
        history.Fill(Series, Monday, Monday + 10 * Instant.Day, _ => 40);
        history.Fill(Series, Monday + 13 * Instant.Day, Monday + 14 * Instant.Day, _ => 40);
        Assert.Equal(20, history.ForecastOf(Series, Monday + 14 * Instant.Day, 168).Mean[3 * 24]);

        history.MarkGap(new(Monday + 10 * Instant.Day, Monday + 13 * Instant.Day));
        Assert.All(history.ForecastOf(Series, Monday + 14 * Instant.Day, 168).Mean, mean => Assert.Equal(40, mean));
    }

    [Fact]
    public void Restart_of_a_few_minutes_is_no_gap()
    {
        var history = new VolumeHistory();
        history.Fill(Series, Monday, Monday + 2 * Instant.Hour, _ => 40);
        history.MarkGap(new(Monday + Instant.Hour, Monday + Instant.Hour + 5 * Instant.Minute));
        var counts = new int[2];
        history.Read(history.Find(Series)!, Monday + 2 * Instant.Hour, counts);
        Assert.Equal([40, 40], counts);
    }

    [Fact]
    public void Nine_of_ten_hours_of_irregular_arrivals_stay_within_the_90th_percentile()
    {
        var random = new Random(7);
        int Arrivals(DateTimeOffset time)
        {
            // Poisson around a daily wave, and now and then a burst.
            double limit = Math.Exp(-(6 + 4 * Math.Sin(time.Hour / 24.0 * Math.Tau))), product = random.NextDouble();
            var n = 0;
            for (; product > limit; n++)
            {
                product *= random.NextDouble();
            }
            return random.NextDouble() < 0.05 ? n * 3 : n;
        }
        var history = new VolumeHistory();
        history.Fill(Series, Monday, Monday + 60 * Instant.Day, _ => 0);
        int within = 0, all = 0;
        for (var day = 0; day < 60; day++)
        {
            var start = Monday + day * Instant.Day;
            var forecast = day >= 7 ? history.ForecastOf(Series, start, 24) : null;
            for (var hour = 0; hour < 24; hour++)
            {
                var count = Arrivals(Instant.ToDateTimeOffset(start + hour * Instant.Hour));
                history.Observe(Series, start + hour * Instant.Hour, count);
                all += forecast is null ? 0 : 1;
                within += forecast is not null && count <= forecast.P90[hour] ? 1 : 0;
            }
        }
        Assert.InRange((double)within / all, 0.87, 0.94);
    }

    private static int OfficeHours(DateTimeOffset time) =>
        time.DayOfWeek is DayOfWeek.Saturday or DayOfWeek.Sunday ? 1 : time.Hour is >= 8 and < 18 ? 60 : 4;
}
