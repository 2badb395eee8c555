namespace Foretier.Predict.Replay.Events;

/// <summary>A read of a stretch of one series at one resolution.</summary>
/// <param name="Time">When it was asked, seconds since 1970.</param>
/// <param name="Series">An index into <see cref="EventTrace.Series"/>.</param>
/// <param name="Resolution">An index into <see cref="Resolutions.Names"/>.</param>
/// <param name="From">What was asked for, seconds since 1970, half-open.</param>
public readonly record struct TraceRead(long Time, int Series, int Resolution, long From, long To);

/// <summary>What was written and read of many series, from the midnight (UTC) of its first day on.</summary>
public sealed class EventTrace
{
    /// <summary>Series × days that one replay can hold in memory: about 100 bytes each.</summary>
    private const long SeriesDaysMax = 20_000_000;

    private readonly int[][] _samples;

    /// <param name="start">Its first midnight, seconds since 1970.</param>
    /// <param name="samples">Of each series, samples written in each hour from there on.</param>
    /// <param name="reads">In order of time, none before the start.</param>
    /// <exception cref="InvalidDataException">It is too long for so many series.</exception>
    public EventTrace(string name, long start, int days, IReadOnlyList<string> series, int[][] samples, IReadOnlyList<TraceRead> reads)
    {
        (Name, Start, Days, Series, _samples, Reads) = (name, start, days, series, samples, reads);
        if ((long)days * series.Count > SeriesDaysMax)
        {
            throw new InvalidDataException($"{series.Count} series over {days} days are more than a replay can hold: {SeriesDaysMax} series times days");
        }
    }

    public string Name { get; }
    public long Start { get; }
    public int Days { get; }
    public IReadOnlyList<string> Series { get; }
    public IReadOnlyList<TraceRead> Reads { get; }

    /// <summary>Which time zone an account lives by.</summary>
    public Func<string, TimeZoneInfo> ZoneOf { get; init; } = _ => TimeZoneInfo.Utc;

    public int SamplesIn(int series, int hour) => _samples[series][hour];

    public long SamplesOn(int series, int day)
    {
        var sum = 0L;
        for (var hour = day * 24; hour < day * 24 + 24; hour++)
        {
            sum += _samples[series][hour];
        }
        return sum;
    }

    /// <summary>What stands before the first slash.</summary>
    public static string AccountOf(string series) => series.IndexOf('/', StringComparison.Ordinal) is var slash and >= 0 ? series[..slash] : series;
}
