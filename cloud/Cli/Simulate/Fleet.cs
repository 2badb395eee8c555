using System.Globalization;
using Foretier.Core.Samples;

namespace Foretier.Cli.Simulate;

/// <summary>A measurement that every simulated device has.</summary>
/// <param name="Unit">SenML; null for a state.</param>
internal sealed record Measurement(string Name, string? Unit);

/// <summary>
/// A fleet of devices whose readings follow the day: every value is a function of seed, device, measurement and time and of nothing else,
/// so that the same seed gives the same readings in any order and at any speed.
/// </summary>
internal sealed class Fleet(int devices, int seed)
{
    public static IReadOnlyList<Measurement> Measurements { get; } = [new("temperature", "Cel"), new("humidity", "%RH"), new("power", "W"), new("heating", null)];

    public int Devices => devices;

    public int Series => devices * Measurements.Count;

    public static string NameOf(int device) => string.Create(CultureInfo.InvariantCulture, $"sim-{device + 1:000}");

    /// <summary>The reading as JSON: a number with two decimals, or <c>"on"</c> and <c>"off"</c>.</summary>
    public string ValueAt(int device, int measurement, long micros)
    {
        var hour = micros % Instant.Day / (double)Instant.Hour;
        var weekend = (micros / Instant.Day + 4) % 7 is 0 or 6;
        // -1 in the coldest hour of the night (05:00 UTC), +1 in the afternoon; every device a little earlier or later.
        var day = -Math.Cos((hour - 5 + Unit(device, 1)) / 24 * 2 * Math.PI);
        var noise = Unit(device, measurement + 10, micros) - 0.5;
        var outside = 12 + 6 * day + 4 * (Unit(device, 2) - 0.5) + 3 * (Unit(device, 3, micros / Instant.Day) - 0.5);
        return measurement switch
        {
            0 => Text(outside + 0.4 * noise),
            1 => Text(Math.Clamp(60 - 15 * day + 20 * (Unit(device, 4) - 0.5) + 2 * noise, 5, 100)),
            2 => Text(Math.Max(0, 40 + 200 * Unit(device, 5) * (hour is > 6 and < 22 ? (weekend ? 0.6 : 1) : 0.1) * (1 + 0.3 * day) + 15 * noise)),
            _ => outside < 11 ? "\"on\"" : "\"off\"",
        };
    }

    private static string Text(double value) => value.ToString("0.0#", CultureInfo.InvariantCulture);

    /// <summary>0..1, evenly, the same for the same arguments (SplitMix64).</summary>
    private double Unit(int device, int what, long when = 0)
    {
        var x = (ulong)seed * 0x9E3779B97F4A7C15 ^ (ulong)device * 0xBF58476D1CE4E5B9 ^ (ulong)what * 0x94D049BB133111EB ^ (ulong)when * 0xD6E8FEB86659FD93;
        for (var round = 0; round < 2; round++)
        {
            x ^= x >> 30;
            x *= 0xBF58476D1CE4E5B9;
            x ^= x >> 27;
            x *= 0x94D049BB133111EB;
            x ^= x >> 31;
        }
        return (x >> 11) * (1.0 / (1UL << 53));
    }
}
