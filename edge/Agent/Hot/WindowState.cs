using Foretier.Core.Partitions;
using Foretier.Core.Samples;

namespace Foretier.Agent.Hot;

/// <summary>Samples of one window in memory, by series. Belongs to the store's lock.</summary>
internal sealed class MemoryPart
{
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
        return superseded;
    }
}

/// <summary>All there is of one window on this edge. Belongs to the store's lock.</summary>
internal sealed class WindowState(Window window)
{
    public Window Window => window;

    /// <summary>Takes new samples.</summary>
    public MemoryPart Open { get; set; } = new();

    public bool IsEmpty => Open.Count == 0;
    public TimeRange Extent => Open.Extent;

    /// <summary>When the oldest and the newest sample in <see cref="Open"/> came; clock time stamps.</summary>
    public long OldestAt { get; set; }
    public long NewestAt { get; set; }

    /// <summary>What the catalog was told last.</summary>
    public TimeRange Published { get; set; } = TimeRange.Nothing;
    public bool IsDirty { get; set; }
}
