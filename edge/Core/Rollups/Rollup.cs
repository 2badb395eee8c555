namespace Foretier.Core.Rollups;

/// <summary>
/// What is kept of the samples of one step: mergeable, so that a rollup over any union of disjoint sets of samples is the merge of theirs,
/// in any order, but for the parts of its detail that depend on order. Count, min, max, first and last are exact; the sum is compensated (Neumaier) and within 1e-12·Σ|x| of the exact one.
/// States count, and can be first and last; numbers alone have a sum, a minimum and a maximum.
/// </summary>
public struct Rollup
{
    private double _sumLow;

    /// <summary>All samples.</summary>
    public long Count;

    /// <summary>Those of them that are numbers.</summary>
    public long Numbers;

    public double Min;
    public double Max;
    public double SumHigh;
    public long FirstTime;
    public long LastTime;
    public double First;
    public double Last;
    public string? FirstState;
    public string? LastState;

    /// <summary>What only some functions need; null where none was asked for.</summary>
    public RollupDetail? Detail;

    public readonly bool IsEmpty => Count == 0;
    public readonly double Sum => SumHigh + _sumLow;
    public readonly double SumLow => _sumLow;

    /// <summary>The mean of the numbers; NaN where there is none.</summary>
    public readonly double Mean => Numbers == 0 ? double.NaN : Sum / Numbers;

    /// <summary>Where there is a detail, samples are added in order of time.</summary>
    public void Add(long time, double value, string? state = null)
    {
        Detail?.Add(this, time, value, state);
        if (Count == 0 || time < FirstTime)
        {
            (FirstTime, First) = (time, value);
            Put(ref FirstState, state);
        }
        if (Count == 0 || time >= LastTime)
        {
            (LastTime, Last) = (time, value);
            Put(ref LastState, state);
        }
        Count++;
        if (state is not null)
        {
            return;
        }
        if (Numbers++ == 0)
        {
            Min = Max = value;
        }
        else
        {
            Min = Math.Min(Min, value);
            Max = Math.Max(Max, value);
        }
        AddToSum(ref SumHigh, ref _sumLow, value);
    }

    /// <summary>
    /// The same as adding each: numbers, in order of time, at least one, to a rollup without a detail. What is counted stays in registers meanwhile,
    /// and states that are not there are not written.
    /// </summary>
    public void AddNumbers(ReadOnlySpan<long> times, ReadOnlySpan<double> values)
    {
        if (Count == 0 || times[0] < FirstTime)
        {
            (FirstTime, First) = (times[0], values[0]);
            Put(ref FirstState, null);
        }
        if (Count == 0 || times[^1] >= LastTime)
        {
            (LastTime, Last) = (times[^1], values[^1]);
            Put(ref LastState, null);
        }
        var (min, max, high, low) = Numbers == 0 ? (values[0], values[0], SumHigh, _sumLow) : (Min, Max, SumHigh, _sumLow);
        foreach (var value in values)
        {
            min = Math.Min(min, value);
            max = Math.Max(max, value);
            AddToSum(ref high, ref low, value);
        }
        (Min, Max, SumHigh, _sumLow) = (min, max, high, low);
        Count += values.Length;
        Numbers += values.Length;
    }

    private static void Put(ref string? into, string? state)
    {
        // Writing a reference, even none, is a call; and most series have no states.
        if (state is not null || into is not null)
        {
            into = state;
        }
    }

    /// <summary>Takes in other samples of the series; where there is a detail, those after its own.</summary>
    public void Merge(in Rollup other)
    {
        if (other.Count > 0 && Count > 0 && Detail is not null)
        {
            Detail.Merge(this, other, DetailOf(other));
        }
        MergeBase(other);
    }

    /// <summary>Takes in samples of another series, which may lie at the same times: increase and durations stay as they are.</summary>
    public void Pool(in Rollup other)
    {
        if (other.Count > 0 && Count > 0 && Detail is not null)
        {
            Detail.Pool(this, other, DetailOf(other));
        }
        MergeBase(other);
    }

    private static RollupDetail DetailOf(in Rollup other) =>
        other.Detail ?? throw new InvalidOperationException("a rollup without the detail that was asked for");

    private void MergeBase(in Rollup other)
    {
        if (other.Count == 0)
        {
            return;
        }
        if (Count == 0)
        {
            // Its own copy: a detail changes as samples are added.
            var detail = Detail;
            detail?.Take(DetailOf(other));
            this = other;
            Detail = detail;
            return;
        }
        if (other.FirstTime < FirstTime)
        {
            (FirstTime, First, FirstState) = (other.FirstTime, other.First, other.FirstState);
        }
        if (other.LastTime >= LastTime)
        {
            (LastTime, Last, LastState) = (other.LastTime, other.Last, other.LastState);
        }
        Count += other.Count;
        if (other.Numbers > 0)
        {
            Min = Numbers == 0 ? other.Min : Math.Min(Min, other.Min);
            Max = Numbers == 0 ? other.Max : Math.Max(Max, other.Max);
            Numbers += other.Numbers;
            AddToSum(ref SumHigh, ref _sumLow, other.SumHigh);
            AddToSum(ref SumHigh, ref _sumLow, other._sumLow);
        }
    }

    /// <summary>Puts a sum back that was stored as its two halves.</summary>
    public void RestoreSum(double high, double low) => (SumHigh, _sumLow) = (high, low);

    private static void AddToSum(ref double high, ref double low, double value)
    {
        var total = high + value;
        // Infinite totals stay infinite: their "rest" would be NaN.
        if (double.IsFinite(total))
        {
            low += Math.Abs(high) >= Math.Abs(value) ? high - total + value : value - total + high;
        }
        else if (double.IsNaN(total))
        {
            // Whose bits the sum of two NaNs has is the compiler's choice, and of ∞ − ∞ the processor's.
            total = double.NaN;
        }
        high = total;
    }
}
