namespace Foretier.Predict.Volume;

/// <summary>Sums of a history by hour of the week and of the day, and which hours they came from. A working space, filled anew for each series.</summary>
internal sealed class SeasonalSums
{
    /// <summary>28 days, and one more where clocks were put back.</summary>
    private const int DaysMax = SeriesVolume.HoursRead / 24 + 1;

    /// <summary>√(1 − 1/n²); of more than 28 it is 1 to three digits.</summary>
    private static readonly float[] _shrink = [.. Enumerable.Range(0, DaysMax + 1).Select(n => n < 2 ? 0 : MathF.Sqrt(1 - 1f / (n * n)))];

    private readonly double[] _week = new double[LocalHours.OfWeek], _day = new double[24];
    private readonly int[] _weekCount = new int[LocalHours.OfWeek], _dayCount = new int[24], _listed = new int[24];
    private readonly short[] _hours = new short[24 * DaysMax];
    private double _sum;

    /// <summary>Hours of which the count is known.</summary>
    public int Known { get; private set; }

    public float Mean => Known > 0 ? (float)(_sum / Known) : 0;

    public void Read(ReadOnlySpan<int> counts, ReadOnlySpan<byte> slots)
    {
        Array.Clear(_week);
        Array.Clear(_day);
        Array.Clear(_weekCount);
        Array.Clear(_dayCount);
        Array.Clear(_listed);
        (_sum, Known) = (0, 0);
        for (var i = 0; i < counts.Length; i++)
        {
            if (counts[i] < 0)
            {
                continue;
            }
            int week = slots[i], day = week % 24;
            _week[week] += counts[i];
            _weekCount[week]++;
            _day[day] += counts[i];
            _dayCount[day]++;
            _sum += counts[i];
            Known++;
            if (_listed[day] < DaysMax)
            {
                _hours[day * DaysMax + _listed[day]++] = (short)i;
            }
        }
    }

    /// <summary>The known hours of the history that are of this hour of the day, oldest first.</summary>
    public ReadOnlySpan<short> HoursOf(int day) => _hours.AsSpan(day * DaysMax, _listed[day]);

    /// <summary>The mean of hours alike: of the week (while there is only one, of the day), or of the day; of all where there is none.</summary>
    public float MeanOf(int week, bool isOfWeek) => (float)(isOfWeek && _weekCount[week] > 1 ? _week[week] / _weekCount[week]
        : _dayCount[week % 24] > 0 ? _day[week % 24] / _dayCount[week % 24] : Mean);

    /// <summary>
    /// How far a count lies from the mean of the other n−1 like it, reduced to how far one more would lie from the mean of all n:
    /// their variances are n/(n−1) and (n+1)/n, and the root of the ratio is √(1 − 1/n²).
    /// </summary>
    public float ErrorWithout(int count, int week, bool isOfWeek, out float expected)
    {
        var (sum, n) = isOfWeek && _weekCount[week] > 1 ? (_week[week], _weekCount[week])
            : _dayCount[week % 24] > 1 ? (_day[week % 24], _dayCount[week % 24]) : (_sum, Known);
        expected = (float)((sum - count) / (n - 1));
        return (count - expected) * (n < _shrink.Length ? _shrink[n] : 1);
    }
}
