using Foretier.Core.Samples;

namespace Foretier.Agent.Hot;

/// <summary>Samples of one window in memory, by series. Belongs to the store's lock.</summary>
internal sealed class MemoryPart
{
    private long _countedAt = -1, _superseded;

    public Dictionary<int, OpenColumns> Series { get; } = [];

    // Of the series that something was deleted of; null while there is none.
    private Dictionary<int, List<Erasure>>? _erasures;

    /// <summary>True while there is nothing to flush: no sample and no deletion.</summary>
    public bool IsEmpty => Count == 0 && _erasures is null;

    /// <summary>What was deleted, of files and parts before this one too.</summary>
    public IEnumerable<(int Series, TimeRange Range)> Erased =>
        _erasures is null ? [] : _erasures.SelectMany(series => series.Value.Select(erasure => (series.Key, erasure.Range)));

    public IEnumerable<int> TouchedSeries => _erasures is null ? Series.Keys : Series.Keys.Union(_erasures.Keys);

    /// <summary>Samples, those that will be superseded or are deleted included.</summary>
    public long Count { get; private set; }
    public long Bytes { get; private set; }

    /// <summary>Journal position of the oldest record in it.</summary>
    public long FirstPosition { get; private set; } = long.MaxValue;
    public TimeRange Extent { get; private set; } = TimeRange.Nothing;

    /// <returns>The bytes it grew by.</returns>
    public long Add(long position, in IncomingSample sample)
    {
        if (!Series.TryGetValue(sample.Series, out var columns))
        {
            Series[sample.Series] = columns = new();
        }
        columns.Add(sample.Time, sample.Value, sample.State);
        var bytes = OpenColumns.BytesPerSample + (sample.State is null ? 0 : 2L * sample.State.Length + 24);
        Count++;
        Bytes += bytes;
        FirstPosition = Math.Min(FirstPosition, position);
        Extent = Extent.Hull(new(sample.Time, sample.Time + 1));
        return bytes;
    }

    /// <summary>Ends the series' samples of the range that came before, here and below. Those that come now are new ones.</summary>
    public void Erase(long position, int series, TimeRange range)
    {
        Series.Remove(series, out var before);
        _erasures ??= [];
        if (!_erasures.TryGetValue(series, out var erasures))
        {
            _erasures[series] = erasures = [];
        }
        erasures.Add(new(before, range));
        FirstPosition = Math.Min(FirstPosition, position);
        Extent = Extent.Hull(range);
    }

    /// <summary>What there is of a series at this moment; false where that is nothing.</summary>
    public bool TryTake(int series, out SeriesSnapshot snapshot)
    {
        var erasures = _erasures?.GetValueOrDefault(series);
        var isThere = Series.TryGetValue(series, out var columns);
        snapshot = new(columns?.Take(), erasures is null ? [] : [.. erasures.Select(erasure => (erasure.Before?.Take(), erasure.Range))]);
        return isThere || erasures is not null;
    }

    /// <summary>Samples that another one in here replaces, as far as no deletion stands between them.</summary>
    public long CountSuperseded()
    {
        if (_countedAt == Count)
        {
            return _superseded;
        }
        long superseded = 0;
        foreach (var columns in Series.Values.Concat(_erasures?.Values.SelectMany(series => series).Select(erasure => erasure.Before).OfType<OpenColumns>() ?? []))
        {
            var snapshot = columns.Take();
            if (!snapshot.IsAscending)
            {
                snapshot.Sorted(out var n);
                superseded += n;
            }
        }
        (_countedAt, _superseded) = (Count, superseded);
        return superseded;
    }
}

/// <param name="Before">What had come of the series since the erasure before; null if nothing.</param>
internal sealed record Erasure(OpenColumns? Before, TimeRange Range);

/// <summary>Samples and deletions of one series in the order in which they came: each deletion with the samples before it, then the samples after the last.</summary>
internal readonly record struct SeriesSnapshot(OpenColumns.Snapshot? Last, IReadOnlyList<(OpenColumns.Snapshot? Before, TimeRange Range)> Erasures)
{
    /// <summary>Samples, those that do not hold too.</summary>
    public int Count => (Last?.Count ?? 0) + (Erasures.Count == 0 ? 0 : Erasures.Sum(erasure => erasure.Before?.Count ?? 0));

    /// <summary>The samples that hold, sorted, each time once: those of a range, and maybe some around it.</summary>
    public SampleColumns Sorted(TimeRange range)
    {
        if (Erasures.Count == 0)
        {
            return Last?.Sorted(range) ?? new();
        }
        var samples = new SampleColumns();
        foreach (var (before, erased) in Erasures)
        {
            samples = (before is { } some ? SampleColumns.MergeLastWins([samples, some.Sorted(range)], out _) : samples).Without(erased);
        }
        return Last is { } last ? SampleColumns.MergeLastWins([samples, last.Sorted(range)], out _) : samples;
    }
}
