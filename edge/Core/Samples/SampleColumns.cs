namespace Foretier.Core.Samples;

/// <summary>
/// Samples of one series as columns. Times are microseconds UTC; a sample is a float64, or, where <see cref="States"/>
/// holds a string at its index, that state (its number is then 0 and means nothing). Times need not be sorted unless the user of the columns says so.
/// </summary>
public sealed class SampleColumns
{
    private long[] _times;
    private double[] _values;
    private string?[]? _states;

    // Slots that are its own to write: none behind the samples of arrays that are another's.
    private int _room;

    public SampleColumns(int capacity = 0)
    {
        _times = capacity == 0 ? [] : new long[capacity];
        _values = capacity == 0 ? [] : new double[capacity];
        _room = capacity;
    }

    private SampleColumns(long[] times, double[] values, string?[]? states, int count) =>
        (_times, _values, _states, Count, _room) = (times, values, states, count, 0);

    /// <summary>The first samples of arrays in which they will not change. Nothing is copied before somebody adds to it.</summary>
    public static SampleColumns Over(long[] times, double[] values, string?[]? states, int count) => new(times, values, states, count);

    public int Count { get; private set; }
    public ReadOnlySpan<long> Times => _times.AsSpan(0, Count);
    public ReadOnlySpan<double> Values => _values.AsSpan(0, Count);

    /// <summary>Empty while no sample is a state; else as long as <see cref="Times"/>, null at each number.</summary>
    public ReadOnlySpan<string?> States => _states is null ? default : _states.AsSpan(0, Count);

    public long FirstTime => Times[0];
    public long LastTime => Times[^1];
    public string? StateAt(int index) => _states is null ? null : States[index];

    public void Add(long time, double value, string? state = null)
    {
        if (Count >= _room)
        {
            Grow(Count + 1);
        }
        if (state is not null)
        {
            _states ??= new string?[_room];
        }
        _times[Count] = time;
        _values[Count] = value;
        if (_states is not null)
        {
            _states[Count] = state;
        }
        Count++;
    }

    public void Clear()
    {
        if (_room == 0)
        {
            (_times, _values) = ([], []);
        }
        (Count, _states) = (0, null);
    }

    /// <summary>
    /// Makes room for <paramref name="count"/> numbers and hands out both columns to be filled in place (a decoder's way in).
    /// The spans are valid until the next call on this object.
    /// </summary>
    public void Append(int count, out Span<long> times, out Span<double> values)
    {
        if (Count + count > _room)
        {
            Grow(Count + count);
        }
        times = _times.AsSpan(Count, count);
        values = _values.AsSpan(Count, count);
        _states?.AsSpan(Count, count).Clear();
        Count += count;
    }

    /// <summary>Adds <paramref name="count"/> samples of others, from index <paramref name="first"/> on.</summary>
    public void Append(SampleColumns from, int first, int count)
    {
        if (from._states is not null)
        {
            for (var i = first; i < first + count; i++)
            {
                Add(from._times[i], from._values[i], from._states[i]);
            }
            return;
        }
        Append(count, out var times, out var values);
        from.Times.Slice(first, count).CopyTo(times);
        from.Values.Slice(first, count).CopyTo(values);
    }

    /// <summary>Turns a sample that is there already into a state.</summary>
    public void SetState(int index, string state)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count, nameof(index));
        if (_room == 0)
        {
            Grow(Count);
        }
        _states ??= new string?[_room];
        _states[index] = state;
        _values[index] = 0;
    }

    private void Grow(int least)
    {
        _room = Math.Max(least, Math.Max(4, (int)Math.Min(2L * Count, Array.MaxLength)));
        var (times, values) = (new long[_room], new double[_room]);
        Times.CopyTo(times);
        Values.CopyTo(values);
        if (_states is not null)
        {
            var states = new string?[_room];
            States.CopyTo(states);
            _states = states;
        }
        (_times, _values) = (times, values);
    }

    /// <summary>The samples of <paramref name="range"/>; the times must be sorted.</summary>
    public SampleColumns Slice(TimeRange range)
    {
        int from = LowerBound(range.From), to = LowerBound(range.To);
        var slice = new SampleColumns(to - from);
        for (var i = from; i < to; i++)
        {
            slice.Add(_times[i], _values[i], _states?[i]);
        }
        return slice;
    }

    /// <summary>All but the samples of <paramref name="range"/>, these columns themselves where there are none; the times must be sorted.</summary>
    public SampleColumns Without(TimeRange range)
    {
        int from = LowerBound(range.From), to = LowerBound(range.To);
        if (to <= from)
        {
            return this;
        }
        var rest = new SampleColumns(Count - (to - from));
        for (var i = 0; i < Count; i = i == from - 1 ? to : i + 1)
        {
            if (i < from || i >= to)
            {
                rest.Add(_times[i], _values[i], _states?[i]);
            }
        }
        return rest;
    }

    /// <summary>Index of the first sample not before <paramref name="time"/>; the times must be sorted.</summary>
    public int LowerBound(long time)
    {
        var i = Times.BinarySearch(time);
        if (i < 0)
        {
            return ~i;
        }
        while (i > 0 && _times[i - 1] == time)
        {
            i--;
        }
        return i;
    }

    /// <summary>
    /// Merges columns that are each sorted and free of duplicates, oldest layer first: at equal times the sample of the later layer wins.
    /// </summary>
    /// <param name="superseded">How many samples lost to a later one.</param>
    public static SampleColumns MergeLastWins(IReadOnlyList<SampleColumns> layers, out int superseded)
    {
        superseded = 0;
        if (layers.Count == 0)
        {
            return new();
        }
        var merged = layers[0];
        for (var i = 1; i < layers.Count; i++)
        {
            merged = MergeTwo(merged, layers[i], ref superseded);
        }
        return merged;
    }

    private static SampleColumns MergeTwo(SampleColumns older, SampleColumns newer, ref int superseded)
    {
        if (older.Count == 0)
        {
            return newer;
        }
        if (newer.Count == 0)
        {
            return older;
        }
        var merged = new SampleColumns(older.Count + newer.Count);
        // What lies before the newer ones, which is often all there is, goes as a whole, and so does what lies behind them.
        int a = older.LowerBound(newer.FirstTime), b = 0;
        merged.Append(older, 0, a);
        while (b < newer.Count)
        {
            if (a < older.Count && older._times[a] < newer._times[b])
            {
                merged.Add(older._times[a], older._values[a], older._states?[a]);
                a++;
                continue;
            }
            if (a < older.Count && older._times[a] == newer._times[b])
            {
                a++;
                superseded++;
            }
            merged.Add(newer._times[b], newer._values[b], newer._states?[b]);
            b++;
        }
        merged.Append(older, a, older.Count - a);
        return merged;
    }

    /// <summary>Sorts by time; of several samples with one time the one added last stays.</summary>
    /// <param name="superseded">How many were dropped.</param>
    public SampleColumns SortLastWins(out int superseded)
    {
        superseded = 0;
        var sorted = true;
        for (var i = 1; i < Count && sorted; i++)
        {
            sorted = _times[i] > _times[i - 1];
        }
        if (sorted)
        {
            return this;
        }
        var order = new int[Count];
        for (var i = 0; i < order.Length; i++)
        {
            order[i] = i;
        }
        Array.Sort(order, (x, y) => _times[x] != _times[y] ? _times[x].CompareTo(_times[y]) : x.CompareTo(y));
        var result = new SampleColumns(Count);
        for (var i = 0; i < order.Length; i++)
        {
            if (i + 1 < order.Length && _times[order[i + 1]] == _times[order[i]])
            {
                superseded++;
                continue;
            }
            result.Add(_times[order[i]], _values[order[i]], _states?[order[i]]);
        }
        return result;
    }
}
