using Foretier.Core.Samples;

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

    /// <summary>Bytes of so much of it at a resolution: samples at 3 bytes, rollup rows at 24, but never more rollups than samples.</summary>
    /// <param name="step">µs; 0 = raw.</param>
    /// <param name="hours">How long a stretch.</param>
    public double BytesOf(long step, double hours)
    {
        var samples = SamplesPerHour * hours;
        return step == 0 ? samples * 3 : Math.Min(samples, hours * ((double)Instant.Hour / step)) * 24;
    }
}
