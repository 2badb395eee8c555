using Foretier.Protocol.Api;

namespace Foretier.Agent.Hot;

/// <summary>What the store has made its device write, and what that means for the device. Bytes.</summary>
/// <param name="UsedMax">What journal and window files may take.</param>
/// <param name="DayMax">What may be written in 24 hours; 0: as much as it takes.</param>
/// <param name="Endurance">What the device takes in its life.</param>
public readonly record struct FlashWear(long Used, long UsedMax, long Day, long DayMax, long Total, long Endurance)
{
    private const double DaysOfYear = 365.25;

    /// <summary>At the rate of the last 24 hours; null while nothing was written in them.</summary>
    public double? LifeYears => Day > 0 ? Math.Max(0, Endurance - Total) / (Day * DaysOfYear) : null;

    public FlashEntry ToEntry(string node) => new(node, Used, UsedMax, Day, DayMax > 0 ? DayMax : null, Total, Endurance, LifeYears is { } years ? Math.Round(years, 2) : null);
}
