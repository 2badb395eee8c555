using Foretier.Core.Samples;

namespace Foretier.Predict.Place;

/// <summary>What is expected to be read of a stretch of a series at a resolution.</summary>
/// <param name="ReadsPerDay">In the next 24 hours.</param>
/// <param name="Due">When somebody who reads by the clock comes next, the beginning of an hour, µs; <see cref="long.MaxValue"/>: nobody.</param>
/// <param name="DueReads">Reads to expect in that hour.</param>
public readonly record struct Demand(double ReadsPerDay, long Due = long.MaxValue, double DueReads = 0)
{
    public static readonly Demand None = new(0);

    /// <summary>Of a whole made of parts that are read together, such as the series of a partition.</summary>
    public Demand Plus(Demand other) => new(ReadsPerDay + other.ReadsPerDay, Math.Min(Due, other.Due),
        Due == other.Due ? DueReads + other.DueReads : Due < other.Due ? DueReads : other.DueReads);
}
