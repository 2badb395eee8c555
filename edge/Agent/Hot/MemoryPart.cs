using Foretier.Core.Samples;

namespace Foretier.Agent.Hot;

/// <summary>Samples of one window in memory, by series. Belongs to the store's lock.</summary>
internal sealed class MemoryPart
{
    private long _countedAt = -1, _superseded;

    public Dictionary<int, OpenColumns> Series { get; } = [];

    /// <summary>Samples, those that will be superseded included.</summary>
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

    /// <summary>Samples that another one in here replaces.</summary>
    public long CountSuperseded()
    {
        if (_countedAt == Count)
        {
            return _superseded;
        }
        long superseded = 0;
        foreach (var columns in Series.Values)
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
