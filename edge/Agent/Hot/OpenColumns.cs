using Foretier.Core.Samples;

namespace Foretier.Agent.Hot;

/// <summary>
/// Samples of one series of one window in memory, in the order they arrived. Only ever appended to (by one thread at a time, under the
/// store's lock), so that a snapshot is three references and a count.
/// </summary>
internal sealed class OpenColumns
{
    /// <summary>What one sample takes: time, value, and about one reference for states and slack.</summary>
    public const int BytesPerSample = 24;

    private long[] _times = new long[4];
    private double[] _values = new double[4];
    private string?[]? _states;

    public int Count { get; private set; }
    public long FirstTime { get; private set; } = long.MaxValue;
    public long LastTime { get; private set; } = long.MinValue;

    /// <summary>True while every sample came later than the one before.</summary>
    public bool IsAscending { get; private set; } = true;

    public void Add(long time, double value, string? state)
    {
        if (Count == _times.Length)
        {
            // New arrays: snapshots go on reading the old ones.
            Array.Resize(ref _times, Count * 2);
            Array.Resize(ref _values, Count * 2);
            if (_states is not null)
            {
                Array.Resize(ref _states, Count * 2);
            }
        }
        if (state is not null)
        {
            _states ??= new string?[_times.Length];
            _states[Count] = state;
        }
        IsAscending &= time > LastTime;
        _times[Count] = time;
        _values[Count] = value;
        FirstTime = Math.Min(FirstTime, time);
        LastTime = Math.Max(LastTime, time);
        Count++;
    }

    public Snapshot Take() => new(_times, _values, _states, Count, IsAscending);

    /// <summary>The samples there were at one moment; safe to read while more are added.</summary>
    public readonly record struct Snapshot(long[] Times, double[] Values, string?[]? States, int Count, bool IsAscending)
    {
        /// <summary>Sorted, each time once, the sample that came last.</summary>
        public SampleColumns Sorted(out int superseded) => Whole.SortLastWins(out superseded);

        /// <summary>Sorted, each time once: those of a range, and where nothing has to be done for it also those around it.</summary>
        public SampleColumns Sorted(TimeRange range)
        {
            if (IsAscending)
            {
                return Whole;
            }
            var within = new SampleColumns();
            for (var i = 0; i < Count; i++)
            {
                if (range.Contains(Times[i]))
                {
                    within.Add(Times[i], Values[i], States?[i]);
                }
            }
            return within.SortLastWins(out _);
        }

        private SampleColumns Whole => SampleColumns.Over(Times, Values, States, Count);
    }
}
