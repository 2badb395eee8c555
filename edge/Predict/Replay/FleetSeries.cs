namespace Foretier.Predict.Replay;

/// <summary>A series of a made fleet, and how much it sends.</summary>
/// <param name="Name">account/device/measurement.</param>
/// <param name="Shape">regular, on-change, counter or radio: the kinds of volume the project was measured on.</param>
/// <param name="SamplesPerHour">On average.</param>
public sealed record FleetSeries(string Name, string Shape, double SamplesPerHour)
{
    public string Account => Name[..Name.IndexOf('/', StringComparison.Ordinal)];

    /// <summary>Average samples an hour as in the data: building sensors some 4 to 400, radio frames 1 to 20, counters 5 to 500, samplers 12 to 720.</summary>
    internal static FleetSeries Make(string name, Random random)
    {
        double Between(double low, double high) => Math.Exp(Math.Log(low) + random.NextDouble() * Math.Log(high / low));
        return random.Next(4) switch
        {
            0 => new(name, "regular", Between(12, 720)),
            1 => new(name, "on-change", Between(4, 400)),
            2 => new(name, "counter", Between(5, 500)),
            _ => new(name, "radio", Between(1, 20)),
        };
    }

    /// <summary>Hours since the fleet began from and until which it is there.</summary>
    public (int From, int Until) Life { get; init; } = (0, int.MaxValue);

    /// <summary>
    /// Samples in each hour. Regular samplers miss an hour or a day now and then, and some are set to another rate some day; senders on change follow
    /// the day; counters the day and the week; radio sensors lose frames and fall silent for days. All but regular ones are as noisy as counts are,
    /// and more of them come in winter or in summer.
    /// </summary>
    /// <param name="random">Its own.</param>
    /// <param name="start">The first hour, hours since 1970.</param>
    internal int[] Hourly(Random random, long start, int hours, TimeZoneInfo zone)
    {
        var counts = new int[hours];
        var (change, factor) = (random.NextDouble() < 0.25 ? random.Next(hours) : int.MaxValue, random.NextDouble() < 0.5 ? 0.5 : 2);
        var (season, peak, silentUntil) = (0.3 * random.NextDouble(), random.Next(8, 20), -1);
        for (var hour = Math.Max(0, Life.From); hour < Math.Min(hours, Life.Until); hour++)
        {
            var local = Access.LocalHour.Of(start + hour, zone);
            var isWeekend = local.Weekday is 0 or 6;
            var wave = Shape switch
            {
                "on-change" => 0.35 + 1.3 * Math.Exp(-Math.Pow((local.Hour - peak) / 4.0, 2)),
                "counter" => (isWeekend ? 0.5 : 1.1) * (0.1 + 1.6 * Math.Exp(-Math.Pow((local.Hour - 8) / 2.0, 2)) + 1.8 * Math.Exp(-Math.Pow((local.Hour - 17) / 2.5, 2))),
                _ => 1,
            } * (Shape == "regular" ? 1 : 1 + season * Math.Cos(Math.Tau * (local.Day - 20) / 365.25));
            // Off: an hour every few months; radio: days on end once in a while.
            if (hour > silentUntil && random.NextDouble() < (Shape == "radio" ? 1.0 / 1_500 : 1.0 / 2_500))
            {
                silentUntil = hour + (Shape == "radio" ? random.Next(6, 120) : random.Next(1, 12));
            }
            var mean = SamplesPerHour * wave * (hour >= change ? factor : 1);
            counts[hour] = hour <= silentUntil ? 0 : Shape == "regular" ? (int)Math.Round(mean) : Noisy(random, mean * (Shape == "radio" ? 0.9 : 1));
        }
        return counts;
    }

    private static int Noisy(Random random, double mean)
    {
        // Twice as far about the mean as a Poisson count: what people and weather do comes in bursts.
        var normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(Math.Tau * random.NextDouble());
        return (int)Math.Max(0, Math.Round(mean + 2 * Math.Sqrt(mean) * normal));
    }
}
