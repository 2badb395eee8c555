namespace Foretier.Predict.Replay.Events;

/// <summary>Decides which segments are on the fast tier, and which rollups are built. Told of reads as they come, and asked at each epoch.</summary>
internal abstract class SegmentPolicy(string name)
{
    public string Name => name;

    /// <summary>Whether every rollup is built as samples come, and kept wherever they are.</summary>
    public virtual bool HasAllRollups => false;

    /// <summary>At the beginning of an hour, before anything in it is written or read.</summary>
    public virtual ValueTask EpochAsync(SegmentTiers tiers, CancellationToken cancel) => ValueTask.CompletedTask;

    /// <summary>A read, after it was answered.</summary>
    public virtual void Read(in TraceRead read, SegmentTiers tiers)
    {
    }
}

/// <summary>Segments in the order of their last use.</summary>
internal sealed class UseOrder
{
    private readonly Dictionary<(int Series, int Resolution, int Day), LinkedListNode<(int Series, int Resolution, int Day)>> _nodes = [];
    private readonly LinkedList<(int Series, int Resolution, int Day)> _order = new();

    public bool Has(int series, int resolution, int day) => _nodes.ContainsKey((series, resolution, day));

    /// <summary>The one that was used longest ago, and those before it.</summary>
    public IEnumerable<(int Series, int Resolution, int Day)> OldestFirst()
    {
        for (var (node, next) = (_order.Last, _order.Last?.Previous); node is not null; (node, next) = (next, next?.Previous))
        {
            yield return node.Value;
        }
    }

    public void Use(int series, int resolution, int day)
    {
        if (_nodes.TryGetValue((series, resolution, day), out var node))
        {
            _order.Remove(node);
            _order.AddFirst(node);
            return;
        }
        _nodes[(series, resolution, day)] = _order.AddFirst((series, resolution, day));
    }

    public void Remove(int series, int resolution, int day)
    {
        if (_nodes.Remove((series, resolution, day), out var node))
        {
            _order.Remove(node);
        }
    }
}

/// <summary>
/// What was read or written last: each read brings what it missed, a rollup that is not there is built for it; in place of what has gone unused
/// longest. What is written today is there anyway.
/// </summary>
internal sealed class LruSegments(int count) : SegmentPolicy("lru")
{
    private readonly UseOrder _order = new();

    public override ValueTask EpochAsync(SegmentTiers tiers, CancellationToken cancel)
    {
        for (var series = 0; series < count && tiers.Hour % 24 == 0; series++)
        {
            _order.Use(series, 0, tiers.Today);
        }
        MakeRoom(tiers, 0);
        return ValueTask.CompletedTask;
    }

    public override void Read(in TraceRead read, SegmentTiers tiers)
    {
        var (first, last) = tiers.DaysOf(read);
        for (var day = first; day <= last; day++)
        {
            var size = tiers.SizeOf(read.Series, read.Resolution, day);
            if (size <= 0 || size > tiers.Capacity / 2)
            {
                continue;
            }
            if (!tiers.IsHot(read.Series, read.Resolution, day))
            {
                MakeRoom(tiers, size);
            }
            tiers.Promote(read.Series, read.Resolution, day, isAhead: false);
            _order.Use(read.Series, read.Resolution, day);
        }
    }

    private void MakeRoom(SegmentTiers tiers, double size)
    {
        foreach (var (series, resolution, day) in _order.OldestFirst())
        {
            if (tiers.Used + size <= tiers.Capacity)
            {
                return;
            }
            if (resolution > 0 || day != tiers.Today)
            {
                tiers.Demote(series, resolution, day);
                _order.Remove(series, resolution, day);
            }
        }
    }
}

/// <summary>Everything at all resolutions, of so many days as there is room for by the first 28 days.</summary>
internal sealed class StaticSegments(EventTrace trace) : SegmentPolicy("static")
{
    private const int Watched = 28;

    private int _days = Watched;

    public override bool HasAllRollups => true;

    public override ValueTask EpochAsync(SegmentTiers tiers, CancellationToken cancel)
    {
        if (tiers.Hour % 24 != 0)
        {
            return ValueTask.CompletedTask;
        }
        if (tiers.Today == Watched)
        {
            var bytes = 0.0;
            Each((series, resolution) => bytes += tiers.SizeOf(series, resolution, 0, Watched));
            _days = Math.Max(1, (int)(tiers.Capacity / (bytes / Watched)));
        }
        Each((series, resolution) =>
        {
            if (tiers.Used <= tiers.Capacity)
            {
                tiers.Promote(series, resolution, tiers.Today, isAhead: true);
            }
            for (var day = Math.Max(0, tiers.Today - Math.Max(Watched, _days)); day <= tiers.Today - _days; day++)
            {
                tiers.Demote(series, resolution, day);
            }
        });
        // Where days have grown since, the oldest leave earlier.
        for (var day = Math.Max(0, tiers.Today - _days); day < tiers.Today && tiers.Used > tiers.Capacity; day++)
        {
            Each((series, resolution) => tiers.Demote(series, resolution, day));
        }
        return ValueTask.CompletedTask;
    }

    private void Each(Action<int, int> act)
    {
        for (var series = 0; series < trace.Series.Count; series++)
        {
            for (var resolution = 0; resolution < Resolutions.Count; resolution++)
            {
                act(series, resolution);
            }
        }
    }
}
