using Foretier.Cli.Simulate;
using Foretier.Core.Samples;

namespace Foretier.Tests.Unit.Cli;

public sealed class FleetTests
{
    private const long Noon = 1_700_000_000 / 86_400 * Instant.Day + 12 * Instant.Hour;

    private static IEnumerable<string> Readings(int seed) =>
        from device in Enumerable.Range(0, 5)
        from measurement in Enumerable.Range(0, Fleet.Measurements.Count)
        from hour in Enumerable.Range(0, 48)
        select new Fleet(5, seed).ValueAt(device, measurement, Noon + hour * Instant.Hour);

    [Fact]
    public void The_same_seed_gives_the_same_readings_and_another_seed_others()
    {
        Assert.Equal(Readings(1), Readings(1));
        Assert.NotEqual(Readings(1), Readings(2));
    }

    [Fact]
    public void Afternoons_are_warmer_than_nights()
    {
        var fleet = new Fleet(20, 7);
        double Mean(int hour) => Enumerable.Range(0, 20).Average(device =>
            double.Parse(fleet.ValueAt(device, 0, Noon + (hour - 12) * Instant.Hour), System.Globalization.CultureInfo.InvariantCulture));
        Assert.InRange(Mean(16) - Mean(4), 8, 16);
    }
}
