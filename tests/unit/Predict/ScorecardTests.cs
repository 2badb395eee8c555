using Foretier.Predict.Score;
using Foretier.Predict.Volume;

namespace Foretier.Tests.Unit.Predict;

public class ScorecardTests
{
    private const long Day = 24;

    [Fact]
    public void Days_beyond_ninety_are_dropped_and_with_them_those_of_a_clock_that_was_ahead()
    {
        var card = new Scorecard();
        for (var day = 20_000; day < 20_200; day++)
        {
            card.Add("gauge", 5, Hour(day * Day, 5));
        }
        Assert.Equal(90, card.Sum(20_199 * Day, 90).Values.Sum(sums => sums.Hours));
        card.Add("gauge", 5, Hour(30_000 * Day, 5));
        card.Trim(20_199 * Day);
        Assert.Equal(89, card.Sum(20_199 * Day, 90).Values.Sum(sums => sums.Hours));
        Assert.Equal(7, card.Sum(20_199 * Day, 7).Values.Sum(sums => sums.Hours));
    }

    [Fact]
    public void Classes_tell_kind_size_and_distance_apart_and_survive_saving()
    {
        var card = new Scorecard();
        card.Add("state", 0.2, Hour(480_000, 1, horizon: 1));
        card.Add("gauge", 50, Hour(480_000, 40, horizon: 6));
        card.Add("gauge", 5_000, Hour(480_001, 4_000, horizon: 24));
        card.Add("a kind of tomorrow", 5, Hour(480_001, 4, horizon: 7));
        using var file = new MemoryStream();
        card.Save(file);
        file.Position = 0;
        var sums = Scorecard.Load(file).Sum(480_001, 7);
        Assert.Equal(
            [new("gauge", VolumeClass.Below10, Distance.Hours7To24), new("gauge", VolumeClass.Below100, Distance.Hours2To6),
                new("gauge", VolumeClass.From100, Distance.Hours7To24), new ScoreClass("state", VolumeClass.Below1, Distance.Hour1)],
            sums.Keys.OrderBy(of => (of.Kind, of.Volume)));
        foreach (var (of, saved) in card.Sum(480_001, 7))
        {
            Assert.Equal(saved.Wql(Forecaster.HoW4), sums[of].Wql(Forecaster.HoW4), 1e-5);
            Assert.Equal(saved.Coverage(Forecaster.Ours), sums[of].Coverage(Forecaster.Ours));
        }
        var bytes = file.ToArray();
        bytes[^3] ^= 1;
        Assert.Throws<InvalidDataException>(() => Scorecard.Load(new MemoryStream(bytes)));
    }

    [Fact]
    public void Sums_are_the_losses_as_they_are_defined()
    {
        var sums = new ScoreSums();
        sums.Add(new ClosedHour(0, 1, 10, new(2, 8, 12), new(0, 10, 10), new(0, 0, 0), new(0, 20, 30), null));
        sums.Add(new ClosedHour(1, 2, 0, new(0, 0, 0.5f), new(0, 1, 2), new(0, 0, 0), new(0, 2, 4), null));
        // P50: 0.5·2 + 0, P90: 0.1·2 + 0.1·0.5, over 10 samples.
        Assert.Equal((1 + 0.25) / 10, sums.Wql(Forecaster.Ours), 1e-9);
        Assert.Equal((5 + 9) / 10.0, sums.Wql(Forecaster.SN168), 1e-9);
        Assert.Equal((2 + 0.5) / 10, sums.OverReservation(Forecaster.Ours), 1e-9);
        Assert.Equal(10 / 10.0, sums.UnderReservation(Forecaster.SN168), 1e-9);
        Assert.Equal(0.5, sums.Coverage(Forecaster.SN168));
        Assert.Equal((1, 1.0), (sums.HoursFrom1, sums.CoverageFrom1));
        Assert.Equal(1, sums.MeanError(Forecaster.Ours), 1e-9);
    }

    [Fact]
    public void Brier_score_of_a_mix_is_nothing_for_the_certain_and_right_and_two_for_the_certain_and_wrong()
    {
        static KindCounts Mix(double gauge, double state)
        {
            var counts = new KindCounts();
            counts.Add(0, gauge);
            counts.Add(2, state);
            return counts;
        }
        Assert.Equal(0, Mix(5, 0).Brier(Mix(9, 0)));
        Assert.Equal(2, Mix(5, 0).Brier(Mix(0, 1)));
        Assert.Equal(0.5, Mix(1, 1).Brier(Mix(7, 0)));
        var kinds = new KindMix();
        kinds.Add("acme", Mix(3, 1), Mix(30, 10), Mix(1, 0));
        kinds.Add("silent", Mix(3, 1), Mix(0, 0), Mix(1, 0));
        using var file = new MemoryStream();
        kinds.Save(file);
        file.Position = 0;
        var (account, ours, yesterday) = Assert.Single(KindMix.Load(file).Scores);
        Assert.Equal("acme", account);
        Assert.Equal(0.375, ours, 1e-9);
        Assert.Equal(0.5, yesterday, 1e-9);
    }

    private static ClosedHour Hour(long hour, int count, int horizon = 3) =>
        new(hour, horizon, count, new(0, count, count + 1), new(0, count, count + 2), new(0, count, count), new(0, count + 1, count + 3), new(0, count, count));
}
