using Foretier.Core.Query;
using Foretier.Core.Samples;

namespace Foretier.Predict.Access;

/// <summary>What is expected to be read of a series in the next 24 hours, at one step and over one stretch of time.</summary>
/// <param name="Step">µs; 0 for raw samples.</param>
/// <param name="Shape">How old and how long what will be asked for is; its range tells what to have at hand.</param>
/// <param name="ReadsPerDay">Reads in the next 24 hours.</param>
/// <param name="Probability">That there is any, 0..1.</param>
/// <param name="Readers">Those among them who read by the clock.</param>
public sealed record ExpectedReads(string Series, long Step, ReadShape Shape, double ReadsPerDay, double Probability, IReadOnlyList<PeriodicReader> Readers);

/// <summary>What is expected to be read in the next 24 hours, as of one moment. Immutable.</summary>
public sealed class AccessForecast
{
    private readonly Dictionary<string, ExpectedReads[]> _bySeries;

    internal AccessForecast(long madeAt, long since, string? model, IEnumerable<ExpectedReads> expected)
    {
        (MadeAt, Since, Model) = (madeAt, since, model);
        _bySeries = expected.GroupBy(e => e.Series, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.ToArray(), StringComparer.Ordinal);
    }

    /// <summary>When it was made, µs.</summary>
    public long MadeAt { get; }

    /// <summary>When the first read was logged, µs; <see cref="long.MaxValue"/> where there was none: then nothing is known rather than nothing expected.</summary>
    public long Since { get; }

    /// <summary>The ranker that it is by; null: by EWMA-28d.</summary>
    public string? Model { get; }

    /// <summary>All that is expected, most reads first.</summary>
    public IEnumerable<ExpectedReads> All => _bySeries.Values.SelectMany(e => e).OrderByDescending(e => e.ReadsPerDay).ThenBy(e => e.Series, StringComparer.Ordinal);

    /// <summary>By the log alone, without a model and without looking for who reads by the clock.</summary>
    /// <param name="now">µs.</param>
    public static AccessForecast Of(AccessLog log, long now) => new(now, log.Since, null,
        log.Averages(now).Select(a => new ExpectedReads(a.Reads.Series, a.Reads.Step, a.Reads.Shape, a.ReadsPerDay, 1 - Math.Exp(-a.ReadsPerDay), [])));

    /// <summary>What is expected of a series, by step and shape.</summary>
    public IReadOnlyList<ExpectedReads> Of(string series) => _bySeries.TryGetValue(series, out var expected) ? expected : [];

    /// <summary>Reads of a series in the next 24 hours, at whatever step.</summary>
    public double ReadsPerDay(string series) => Of(series).Sum(e => e.ReadsPerDay);

    /// <summary>The steps at which a series is expected to be read, ascending (0 = raw), with the reads of the next 24 hours.</summary>
    public IReadOnlyList<(long Step, double ReadsPerDay)> StepsOf(string series) =>
        [.. Of(series).GroupBy(e => e.Step).OrderBy(g => g.Key).Select(g => (g.Key, g.Sum(e => e.ReadsPerDay)))];

    /// <summary>How likely a series is read at a step in the next 24 hours, 0..1.</summary>
    public double Probability(string series, long step) => 1 - Of(series).Where(e => e.Step == step).Aggregate(1.0, (none, e) => none * (1 - e.Probability));
}
