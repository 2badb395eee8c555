using Foretier.Core.Samples;

namespace Foretier.Predict.Volume;

/// <summary>How many samples an hour one series has had. Thread-safe; adding is a lock nobody contends for and one cell.</summary>
public sealed class SeriesVolume
{
    /// <summary>Hours that <see cref="Read"/> can give, all of them closed: 28 days.</summary>
    public const int HoursRead = 28 * 24;

    private readonly Lock _lock = new();
    private readonly HourCounts _counts;
    private long _firstTime;

    internal SeriesVolume(string series)
        : this(series, new(), long.MaxValue)
    {
    }

    private SeriesVolume(string series, HourCounts counts, long firstTime)
    {
        Series = series;
        _counts = counts;
        _firstTime = firstTime;
    }

    public string Series { get; }

    /// <summary>Counts samples by the hour their time lies in. What is older than the history is not counted.</summary>
    public void Observe(long time, int count)
    {
        if (count <= 0 || time < Instant.Earliest)
        {
            return;
        }
        lock (_lock)
        {
            if (_counts.Add(time / Instant.Hour, count))
            {
                _firstTime = _counts.First == _counts.Last ? Math.Min(time, InHour(_firstTime, _counts.First)) : Math.Min(time, _firstTime);
            }
        }
    }

    /// <summary>Samples counted in a range, by whole hours.</summary>
    public long CountIn(TimeRange range)
    {
        lock (_lock)
        {
            var total = 0L;
            for (var hour = Math.Max(_counts.First, range.From / Instant.Hour); hour <= Math.Min(_counts.Last, (range.To - 1) / Instant.Hour); hour++)
            {
                total += _counts[hour];
            }
            return total;
        }
    }

    /// <summary>
    /// The closed hours before <paramref name="now"/>, as many as <paramref name="into"/> takes, oldest first, −1 where nothing is known:
    /// before the first sample, and where <paramref name="unknown"/> says that nobody was counting.
    /// </summary>
    internal HourlyHistory Read(long now, Span<int> into, IReadOnlySet<long> unknown)
    {
        var open = now / Instant.Hour;
        lock (_lock)
        {
            for (var i = 0; i < into.Length; i++)
            {
                var hour = open - into.Length + i;
                into[i] = _counts.First < 0 || hour < _counts.First || unknown.Contains(hour) ? -1
                    : hour == _counts.First ? FirstHour(hour) : _counts[hour];
            }
            var openFrom = Math.Max(open * Instant.Hour, InHour(_firstTime, open));
            return new(open * Instant.Hour, into, _counts[open], Math.Max(0, now - openFrom) / (double)Instant.Hour);
        }
    }

    internal bool LastIsWithin(TimeRange range)
    {
        lock (_lock)
        {
            return range.Contains(_counts.Last * Instant.Hour);
        }
    }

    /// <summary>A series that began in the middle of an hour was not counted before; with too little of the hour to judge by, it says nothing.</summary>
    private int FirstHour(long hour)
    {
        var from = InHour(_firstTime, hour);
        var share = from == long.MaxValue ? 1 : ((hour + 1) * Instant.Hour - from) / (double)Instant.Hour;
        return share < 0.1 ? -1 : (int)Math.Min(int.MaxValue, Math.Round(_counts[hour] / share));
    }

    private static long InHour(long time, long hour) => time / Instant.Hour == hour ? time : long.MaxValue;

    internal void Save(BinaryWriter writer)
    {
        lock (_lock)
        {
            writer.Write(Series);
            writer.Write(_firstTime);
            _counts.Save(writer);
        }
    }

    internal static SeriesVolume Load(BinaryReader reader)
    {
        var series = reader.ReadString();
        var firstTime = reader.ReadInt64();
        return new(series, HourCounts.Load(reader), firstTime);
    }
}

/// <summary>What a forecaster sees of one series.</summary>
/// <param name="end">The end of the last closed hour, µs.</param>
/// <param name="counts">Samples in each closed hour, oldest first, −1 = unknown.</param>
/// <param name="openCount">Samples so far in the hour that began at <paramref name="end"/>.</param>
/// <param name="openShare">How much of that hour has been watched, 0..1.</param>
public readonly ref struct HourlyHistory(long end, ReadOnlySpan<int> counts, int openCount, double openShare)
{
    public long End { get; } = end;
    public ReadOnlySpan<int> Counts { get; } = counts;
    public int OpenCount { get; } = openCount;
    public double OpenShare { get; } = openShare;
}
