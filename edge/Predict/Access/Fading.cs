namespace Foretier.Predict.Access;

/// <summary>Counts that lose half their worth every so many hours. Reads may come in any order of time. Not thread-safe.</summary>
internal struct Fading
{
    private double _sum;
    private long _hour;

    /// <param name="hour">When the reads came, hours since 1970.</param>
    /// <param name="halfLife">Hours; the same in every call.</param>
    public void Add(long hour, double count, double halfLife)
    {
        if (hour > _hour)
        {
            _sum = _sum == 0 ? 0 : _sum * double.Exp2((_hour - hour) / halfLife);
            _hour = hour;
        }
        _sum += hour == _hour ? count : count * double.Exp2((hour - _hour) / halfLife);
    }

    /// <summary>What the reads are worth at an hour that none of them is after.</summary>
    public readonly double At(long hour, double halfLife) => _sum == 0 ? 0 : _sum * double.Exp2((_hour - hour) / halfLife);
}
