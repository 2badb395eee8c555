using System.Globalization;

namespace Foretier.Tests.Benchmarks;

/// <summary>The table that a benchmark prints: what was measured, against what it is held, and whether it holds.</summary>
internal sealed class Targets
{
    public bool AllMet { get; private set; } = true;

    /// <summary>A figure that is only told.</summary>
    public static void Tell(string what, string figure) => Console.WriteLine($"  {what,-64} {figure}");

    public void AtLeast(string what, double value, double target, string unit) => Judge(what, value, target, unit, value >= target, "≥");

    public void AtMost(string what, double value, double target, string unit) => Judge(what, value, target, unit, value <= target, "≤");

    private void Judge(string what, double value, double target, string unit, bool met, string relation)
    {
        AllMet &= met;
        Tell(what, string.Create(CultureInfo.InvariantCulture, $"{Text(value)} {unit} ({relation} {Text(target)}) {(met ? "met" : "MISSED")}"));
    }

    private static string Text(double value) => value.ToString(Math.Abs(value) >= 1000 ? "N0" : "0.###", CultureInfo.InvariantCulture);
}
