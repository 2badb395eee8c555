using CsCheck;
using Foretier.Core.Samples;
using Foretier.Predict.Models;
using Foretier.Predict.Volume;
using static Foretier.Tests.Unit.Predict.Days;

namespace Foretier.Tests.Unit.Predict;

public class VolumeForecasterTests
{
    private const string Series = "acme/boiler/temperature";
    private static readonly TimeZoneInfo _utc = TimeZoneInfo.Utc;

    [Fact]
    public async Task Series_in_its_first_hour_is_forecast_from_its_pace()
    {
        var history = new VolumeHistory();
        for (var second = 0; second < 900; second += 10)
        {
            history.Observe(Series, Monday + 20 * Instant.Minute + second * Instant.Second, 1);
        }
        var forecast = await ForecastAsync(new(), history, Monday + 35 * Instant.Minute);
        Assert.All(forecast.Bands, band => Assert.InRange(band.P50, 350, 370));
        Assert.All(forecast.Bands, band => Assert.True(band.P90 > 370 && band.P10 < 350));
    }

    [Fact]
    public async Task Weekly_habit_of_four_weeks_is_forecast_as_it_was()
    {
        var history = new VolumeHistory();
        history.Fill(Series, Monday, Monday + 28 * Instant.Day, OfficeHours);
        var forecaster = new VolumeForecaster();
        SeriesForecast? forecast = null;
        for (var hour = 14 * 24; hour <= 28 * 24; hour++)
        {
            forecast = await ForecastAsync(forecaster, history, Monday + hour * Instant.Hour, 48);
        }
        for (var hour = 0; hour < 48; hour++)
        {
            Assert.InRange(forecast!.Bands[hour].P50, 0.75 * OfficeHours(Hour(28 * 24 + hour)), 1.05 * OfficeHours(Hour(28 * 24 + hour)) + 0.1);
        }
    }

    [Fact]
    public async Task Bands_never_cross_nor_fall_below_nothing_whatever_came()
    {
        await Gen.Int[-1, 5].Array[0, 300].Select(Gen.Int[1, 3_000_000], Gen.Int[24, 80]).SampleAsync(async (counts, size, hours) =>
        {
            var forecaster = new VolumeForecaster();
            for (var end = 0; end <= counts.Length; end += 20)
            {
                var at = end;
                var forecasts = await forecaster.ForecastAsync([new(Series, _utc)], (_, into) =>
                {
                    for (var i = 0; i < into.Length; i++)
                    {
                        var hour = at - into.Length + i;
                        into[i] = hour < 0 || counts[hour] < 0 ? -1 : counts[hour] == 5 ? 5 * size : counts[hour];
                    }
                    return new(Monday + at * Instant.Hour, into, 1, 0.5);
                }, hours, null, null, default);
                Assert.Equal(hours, forecasts[0].Bands.Count);
                Assert.All(forecasts[0].Bands, band => Assert.True(band.P10 >= 0 && band.P10 <= band.P50 && band.P50 <= band.P90 && float.IsFinite(band.P90), band.ToString()));
                Assert.All(forecasts[0].Mean, mean => Assert.True(mean >= 0 && double.IsFinite(mean)));
            }
        }, iter: 60);
    }

    [Fact]
    public async Task What_was_learned_survives_a_restart_and_goes_on_the_same()
    {
        var history = Noisy(60);
        var forecaster = new VolumeForecaster();
        for (var hour = 24; hour < 40 * 24; hour += 5)
        {
            await ForecastAsync(forecaster, history, Monday + hour * Instant.Hour);
        }
        using var file = new MemoryStream();
        forecaster.Save(file);
        file.Position = 0;
        var again = VolumeForecaster.Load(file);
        for (var hour = 40 * 24; hour < 44 * 24; hour += 5)
        {
            var expected = await ForecastAsync(forecaster, history, Monday + hour * Instant.Hour);
            var actual = await ForecastAsync(again, history, Monday + hour * Instant.Hour);
            Assert.Equal(expected.Bands, actual.Bands);
            Assert.Equal(expected.Mean, actual.Mean);
        }
    }

    [Fact]
    public async Task What_is_kept_of_a_series_has_a_bound()
    {
        var forecaster = new VolumeForecaster();
        // Each another history, or the file would be small by their likeness.
        var random = new Random(4);
        var histories = new VolumeHistory();
        foreach (var name in Enumerable.Range(0, 100).Select(i => $"acme/d{i:000}/t"))
        {
            histories.Fill(name, Monday, Monday + 30 * Instant.Day, _ => random.Next(0, 100_000));
        }
        var batch = Enumerable.Range(0, 100).Select(i => new ForecastItem($"acme/d{i:000}/t", _utc)).ToList();
        for (var day = 1; day < 30; day++)
        {
            var now = Monday + day * Instant.Day;
            await forecaster.ForecastAsync(batch, (i, into) => histories.Read(histories.Find($"acme/d{i:000}/t")!, now, into), 24, null, null, default);
        }
        using var file = new MemoryStream();
        forecaster.Save(file);
        Assert.InRange(file.Length / 100.0, 10, 2_200);
        forecaster.Keep(name => name == "acme/d001/t");
        Assert.Equal(1, forecaster.Count);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(60)]
    [InlineData(500)]
    public async Task Damaged_state_is_refused(int at)
    {
        var forecaster = new VolumeForecaster();
        await ForecastAsync(forecaster, Noisy(3), Monday + 2 * Instant.Day);
        using var file = new MemoryStream();
        forecaster.Save(file);
        var bytes = file.ToArray();
        bytes[at] ^= 0x10;
        Assert.Throws<InvalidDataException>(() => VolumeForecaster.Load(new MemoryStream(bytes)));
        Assert.Throws<InvalidDataException>(() => VolumeForecaster.Load(new MemoryStream(file.ToArray()[..^4])));
    }

    [Fact]
    public async Task Clock_that_was_ahead_for_a_while_does_not_end_learning()
    {
        var history = Noisy(30);
        var forecaster = new VolumeForecaster();
        await ForecastAsync(forecaster, history, Monday + 20 * Instant.Day);
        await ForecastAsync(forecaster, history, Monday + 29 * Instant.Day);
        var learned = 0;
        for (var hour = 20 * 24 + 1; hour < 23 * 24; hour++)
        {
            await ForecastAsync(forecaster, history, Monday + hour * Instant.Hour, closed: _ => learned++);
        }
        Assert.InRange(learned, 24, 72);
    }

    [Fact]
    public async Task What_had_been_said_of_the_last_two_days_is_kept_for_each_hour()
    {
        var history = Noisy(20);
        var forecaster = new VolumeForecaster();
        var said = new Dictionary<long, Band>();
        for (var hour = 10 * 24; hour < 20 * 24; hour++)
        {
            var forecast = await ForecastAsync(forecaster, history, Monday + hour * Instant.Hour);
            var origin = forecast.Start / Instant.Hour;
            if ((hour - 10 * 24) % 25 == 0)
            {
                for (var h = 0; h < 24; h++)
                {
                    said[origin + h] = forecast.Bands[h];
                }
            }
        }
        var now = Monday / Instant.Hour + 20 * 24 - 1;
        for (var back = 3; back < 45; back++)
        {
            Assert.Equal(said.TryGetValue(now - back, out var band) ? band : null, forecaster.Said(Series, now - back));
        }
        Assert.Null(forecaster.Said(Series, now - 60));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(16)] // in the middle of the import
    public async Task Forecast_made_before_the_past_was_imported_is_not_learned_from(int daysBefore)
    {
        var history = new VolumeHistory();
        history.Observe(Series, Monday, 1);
        history.Fill(Series, Monday + 2 * Instant.Day, Monday + (2 + daysBefore) * Instant.Day, _ => 60);
        var forecaster = new VolumeForecaster();
        var now = Monday + 30 * Instant.Day;
        await ForecastAsync(forecaster, history, now);
        history.Fill(Series, Monday + (2 + daysBefore) * Instant.Day, now + Instant.Day, _ => 60);
        var expected = new List<double>();
        for (var hour = 1; hour < 26; hour++)
        {
            await ForecastAsync(forecaster, history, now + hour * Instant.Hour, closed: closed => expected.Add(closed.Ours.P50));
        }
        Assert.True(expected.Count > 15);
        Assert.All(expected, p50 => Assert.InRange(p50, 55, 65));
    }

    [Fact]
    public async Task Hours_nobody_counted_are_not_learned_from()
    {
        var history = Noisy(20);
        history.MarkGap(new(Monday + 15 * Instant.Day, Monday + 17 * Instant.Day));
        var forecaster = new VolumeForecaster();
        var hours = new List<long>();
        for (var hour = 10 * 24; hour < 20 * 24; hour++)
        {
            await ForecastAsync(forecaster, history, Monday + hour * Instant.Hour, closed: closed => hours.Add(closed.Hour * Instant.Hour));
        }
        Assert.True(hours.Count > 150);
        Assert.DoesNotContain(hours, hour => hour >= Monday + 15 * Instant.Day && hour < Monday + 17 * Instant.Day);
        Assert.Equal(hours.Count, hours.Distinct().Count());
    }

    [Fact]
    public async Task Daily_habit_keeps_its_local_hour_when_daylight_saving_begins()
    {
        var zone = TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin");
        // Clocks went ahead on Sunday 2026-03-29.
        var change = Instant.From(new DateTimeOffset(2026, 3, 30, 0, 0, 0, TimeSpan.Zero));
        var history = new VolumeHistory();
        history.Fill(Series, change - 28 * Instant.Day, change, time => TimeZoneInfo.ConvertTime(time, zone).Hour == 9 ? 100 : 2);
        var forecast = (await new VolumeForecaster().ForecastAsync([new(Series, zone)], (_, into) => history.Read(history.Find(Series)!, change, into), 24, null, null, default))[0];
        Assert.InRange(forecast.Bands[7].P50, 30, 100);
        Assert.InRange(forecast.Bands[8].P50, 0, 8);
    }

    [Fact]
    public async Task Model_that_is_right_is_believed_and_one_that_is_wrong_is_not()
    {
        async Task<float> WeightAsync(Func<int, float> says)
        {
            var random = new Random(3);
            var counts = Enumerable.Range(0, 60 * 24).Select(_ => random.Next(0, 100)).ToArray();
            var forecaster = new VolumeForecaster();
            for (var hour = 24; hour < 58 * 24; hour += 25)
            {
                var end = hour;
                await using var model = new Said(h => says(counts[end + h]));
                await forecaster.ForecastAsync([new(Series, _utc)], (_, into) =>
                {
                    for (var i = 0; i < into.Length; i++)
                    {
                        into[i] = end - into.Length + i is >= 0 and var at ? counts[at] : -1;
                    }
                    return new(Monday + end * Instant.Hour, into, 0, 0);
                }, 24, model, null, default);
            }
            return forecaster.Explain(Series)!.Value.P50[Expert.Model];
        }
        Assert.InRange(await WeightAsync(count => count), 0.9f, 1f);
        Assert.InRange(await WeightAsync(count => 1_000), 0f, 0.05f);
    }

    [Fact]
    public async Task Model_that_fails_changes_nothing_and_the_batch_can_be_forecast_without_it()
    {
        var history = Noisy(10);
        var now = Monday + 9 * Instant.Day;
        var forecaster = new VolumeForecaster();
        await using var model = new Said(_ => throw new InferenceException(InferenceFailure.Killed, "gone"));
        HourlyHistory Read(int index, Span<int> into) => history.Read(history.Find(Series)!, now, into);
        await Assert.ThrowsAsync<InferenceException>(() => forecaster.ForecastAsync([new(Series, _utc)], Read, 24, model, null, default));
        var without = await forecaster.ForecastAsync([new(Series, _utc)], Read, 24, null, null, default);
        Assert.Equal((await ForecastAsync(new(), history, now)).Bands, without[0].Bands);
    }

    private static async Task<SeriesForecast> ForecastAsync(
        VolumeForecaster forecaster, VolumeHistory history, long now, int hours = 24, Action<ClosedHour>? closed = null) =>
        (await forecaster.ForecastAsync([new(Series, _utc)], (_, into) => history.Read(history.Find(Series)!, now, into), hours, null,
            closed is null ? null : (_, hour) => closed(hour), default))[0];

    private static DateTimeOffset Hour(int hour) => Instant.ToDateTimeOffset(Monday + hour * Instant.Hour);

    private static int OfficeHours(DateTimeOffset time) =>
        time.DayOfWeek is DayOfWeek.Saturday or DayOfWeek.Sunday ? 1 : time.Hour is >= 8 and < 18 ? 60 : 4;

    private static VolumeHistory Noisy(int days)
    {
        var random = new Random(11);
        var history = new VolumeHistory();
        history.Fill(Series, Monday, Monday + days * Instant.Day, time => random.Next(0, 20) + time.Hour);
        return history;
    }

    /// <summary>A model that says the same of all three quantiles.</summary>
    private sealed class Said(Func<int, float> of) : IInference
    {
        public ModelManifest Manifest => throw new NotSupportedException();

        public Task<Tensor> RunAsync(IReadOnlyList<Tensor> inputs, CancellationToken cancel)
        {
            var rows = inputs[0].Batch;
            Assert.Equal([rows, 672], inputs[0].Shape);
            Assert.Equal([rows, 192, 4], inputs[1].Shape);
            return Task.FromResult(new Tensor([.. Enumerable.Range(0, rows * 72).Select(i => of(i / 3 % 24))], [rows, 24, 3]));
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
