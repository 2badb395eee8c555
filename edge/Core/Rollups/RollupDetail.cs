using System.Globalization;

namespace Foretier.Core.Rollups;

/// <summary>
/// The parts of a rollup that only some functions need. Unlike the rest of a rollup, increase and durations depend on what follows what:
/// rollups that have them are merged in order of time.
/// </summary>
public sealed class RollupDetail(RollupParts parts)
{
    private Dictionary<string, long>? _durations;
    private (long Bits, string Text) _lastText;

    public RollupParts Parts { get; } = parts;

    /// <summary>Sum of squared differences from the mean of the numbers.</summary>
    public double M2 { get; internal set; }

    /// <summary>The numbers before each fall, added up: with them, last - first is what a counter grew by.</summary>
    public double Resets { get; internal set; }

    /// <summary>False where every sample is a state or NaN.</summary>
    public bool HasNumber { get; internal set; }
    public double FirstNumber { get; internal set; }
    public double LastNumber { get; internal set; }

    /// <summary>What the numbers grew by from the first to the last; after a fall a counter is taken to have begun anew at 0.</summary>
    public double Increase => HasNumber ? LastNumber - FirstNumber + Resets : 0;

    /// <summary>µs from each sample to the next, by state; from the last one on is not in it.</summary>
    public IReadOnlyDictionary<string, long> Durations => _durations ??= new(StringComparer.Ordinal);

    public QuantileSketch Sketch { get; private set; } = new();

    /// <summary>Puts back what was written down of a detail.</summary>
    public static RollupDetail Restore(RollupParts parts, double m2, double resets, (double First, double Last)? numbers,
        IEnumerable<KeyValuePair<string, long>> durations, IEnumerable<KeyValuePair<int, long>> sketch)
    {
        var detail = new RollupDetail(parts) { M2 = m2, Resets = resets, HasNumber = numbers is not null };
        (detail.FirstNumber, detail.LastNumber) = numbers ?? default;
        foreach (var (state, micros) in durations)
        {
            detail.AddDuration(state, micros);
        }
        foreach (var (key, count) in sketch)
        {
            detail.Sketch.Add(key, count);
        }
        return detail;
    }

    /// <summary>A number as a state: its shortest text that reads back to it.</summary>
    public static string StateOf(double value, string? state) => state ?? value.ToString("R", CultureInfo.InvariantCulture);

    /// <summary>Becomes a copy of another, as far as its own parts go.</summary>
    internal void Take(RollupDetail other)
    {
        (M2, Resets) = (other.M2, other.Resets);
        (HasNumber, FirstNumber, LastNumber) = (other.HasNumber, other.FirstNumber, other.LastNumber);
        if ((Parts & RollupParts.Durations) != 0)
        {
            _durations = new(other.Durations, StringComparer.Ordinal);
        }
        if ((Parts & RollupParts.Sketch) != 0)
        {
            Sketch = other.Sketch.Clone();
        }
    }

    /// <summary>Adds a sample behind those that <paramref name="before"/> has.</summary>
    internal void Add(in Rollup before, long time, double value, string? state)
    {
        if ((Parts & RollupParts.Durations) != 0 && before.Count > 0)
        {
            AddDuration(TextOf(before.Last, before.LastState), time - before.LastTime);
        }
        if (state is not null)
        {
            return;
        }
        if ((Parts & RollupParts.Spread) != 0 && before.Numbers > 0)
        {
            var distance = value - before.Mean;
            M2 += distance * distance * ((double)before.Numbers / (before.Numbers + 1));
        }
        if ((Parts & RollupParts.Increase) != 0 && !double.IsNaN(value))
        {
            if (!HasNumber)
            {
                (HasNumber, FirstNumber) = (true, value);
            }
            else if (value < LastNumber)
            {
                Resets += LastNumber;
            }
            LastNumber = value;
        }
        if ((Parts & RollupParts.Sketch) != 0)
        {
            Sketch.Add(value);
        }
    }

    /// <summary>Takes in what follows. Both rollups as they are before they merge.</summary>
    internal void Merge(in Rollup mine, in Rollup later, RollupDetail detail)
    {
        if ((Parts & RollupParts.Durations) != 0)
        {
            AddDuration(TextOf(mine.Last, mine.LastState), later.FirstTime - mine.LastTime);
            AddDurations(detail);
        }
        if ((Parts & RollupParts.Increase) != 0 && detail.HasNumber)
        {
            if (!HasNumber)
            {
                (HasNumber, FirstNumber) = (true, detail.FirstNumber);
            }
            else if (detail.FirstNumber < LastNumber)
            {
                Resets += LastNumber;
            }
            Resets += detail.Resets;
            LastNumber = detail.LastNumber;
        }
        Pool(mine, later, detail);
    }

    /// <summary>Takes in samples of another series: what does not depend on an order.</summary>
    internal void Pool(in Rollup mine, in Rollup other, RollupDetail detail)
    {
        if ((Parts & RollupParts.Spread) != 0 && other.Numbers > 0)
        {
            var distance = mine.Numbers == 0 ? 0 : other.Mean - mine.Mean;
            M2 += detail.M2 + distance * distance * ((double)mine.Numbers * other.Numbers / (mine.Numbers + other.Numbers));
        }
        if ((Parts & RollupParts.Sketch) != 0)
        {
            Sketch.Merge(detail.Sketch);
        }
    }

    internal void AddDuration(string state, long micros)
    {
        _durations ??= new(StringComparer.Ordinal);
        _durations[state] = _durations.GetValueOrDefault(state) + micros;
    }

    private void AddDurations(RollupDetail other)
    {
        foreach (var (state, micros) in other.Durations)
        {
            AddDuration(state, micros);
        }
    }

    private string TextOf(double value, string? state)
    {
        if (state is not null)
        {
            return state;
        }
        var bits = BitConverter.DoubleToInt64Bits(value);
        if (_lastText.Text is null || _lastText.Bits != bits)
        {
            _lastText = (bits, StateOf(value, null));
        }
        return _lastText.Text;
    }
}
