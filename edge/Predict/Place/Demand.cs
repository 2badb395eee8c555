using Foretier.Core.Samples;
using Foretier.Predict.Access;

namespace Foretier.Predict.Place;

/// <summary>What is expected to be read of a stretch of a series at a resolution.</summary>
/// <param name="ReadsPerDay">In the next 24 hours.</param>
/// <param name="Due">When somebody who reads by the clock comes next, the beginning of an hour, µs; <see cref="long.MaxValue"/>: nobody.</param>
/// <param name="DueReads">Reads to expect in that hour.</param>
public readonly record struct Demand(double ReadsPerDay, long Due = long.MaxValue, double DueReads = 0)
{
    public static readonly Demand None = new(0);

    private static readonly long[] _standard = [Instant.Minute, 5 * Instant.Minute, Instant.Hour, Instant.Day];

    /// <summary>What a forecast says of a series at a resolution within a range: of those reads that the resolution is the coarsest to serve.</summary>
    /// <param name="step">0: raw samples; else the step of a rollup: 1 min, 5 min, 1 h or 1 d, µs.</param>
    /// <param name="now">µs.</param>
    public static Demand Of(AccessForecast forecast, string series, long step, TimeRange range, long now)
    {
        var demand = None;
        foreach (var expected in forecast.Of(series))
        {
            if (ServedBy(expected.Step) != step)
            {
                continue;
            }
            demand = expected.Shape.RangeAt(now).Overlaps(range) ? demand with { ReadsPerDay = demand.ReadsPerDay + expected.ReadsPerDay } : demand;
            foreach (var reader in expected.Readers)
            {
                if (reader.Next < demand.Due && expected.Shape.RangeAt(Math.Max(now, reader.Next)).Overlaps(range))
                {
                    demand = demand with { Due = reader.Next, DueReads = reader.ReadsIn(reader.Next / Instant.Hour, reader.Next / Instant.Hour + 1) };
                }
            }
        }
        return demand;
    }

    /// <summary>The coarsest standard step that a query's step can be put together from; 0, raw, where there is none.</summary>
    public static long ServedBy(long step) => Array.FindLast(_standard, s => step > 0 && step % s == 0);

    /// <summary>Of a whole made of parts that are read together, such as the series of a partition.</summary>
    public Demand Plus(Demand other) => new(ReadsPerDay + other.ReadsPerDay, Math.Min(Due, other.Due),
        Due == other.Due ? DueReads + other.DueReads : Due < other.Due ? DueReads : other.DueReads);
}
