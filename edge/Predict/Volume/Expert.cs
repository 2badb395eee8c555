namespace Foretier.Predict.Volume;

/// <summary>Who has a say in a forecast. The number is the place in saved states, and is never given to another.</summary>
public enum Expert : byte
{
    /// <summary>volume-lstm, where it ran; it says nothing of hours beyond the first 24.</summary>
    Model,

    /// <summary>Seasonal naive, a day: the same hour of the day, the last time; P90 from its own errors. A baseline of the scorecard.</summary>
    SN24,

    /// <summary>Seasonal naive, a week: the same hour of the week, the last time; P90 from its own errors. A baseline of the scorecard.</summary>
    SN168,

    /// <summary>The mean of the same hour of the week over four weeks; P90 from its own errors. A baseline of the scorecard.</summary>
    HoW4,

    /// <summary>The mean of the same hour of the day over four weeks; P90 from its own errors.</summary>
    HoD,

    /// <summary><see cref="HoW4"/> at the level of the last two days, spread and all.</summary>
    Level,

    /// <summary>Quantiles of what the same hour of the day had over four weeks.</summary>
    Days,

    /// <summary>Quantiles of what the same hour of the day and its neighbours had over one week.</summary>
    LastDays,

    /// <summary>Quantiles of what the same hour of the week and its neighbours had over four weeks.</summary>
    Weeks,

    /// <summary>Quantiles of what the same hour had over four weeks, working days and weekends apart.</summary>
    DayKind,
}

/// <summary>The forecasts of all experts for one series, kept from series to series as a buffer.</summary>
internal sealed class ExpertBands
{
    public const int Experts = (int)Expert.DayKind + 1;

    /// <summary>Hours that the model speaks of, and that are learned from.</summary>
    public const int DayHours = 24;

    private Band[] _bands = [];

    public int Hours { get; private set; }

    /// <summary>Whether <see cref="Expert.Model"/> has said something.</summary>
    public bool HasModel { get; set; }

    public void Reset(int hours)
    {
        (Hours, HasModel) = (hours, false);
        if (_bands.Length < Experts * hours)
        {
            _bands = new Band[Experts * hours];
        }
    }

    public Span<Band> this[Expert expert] => _bands.AsSpan((int)expert * Hours, Hours);

    /// <summary>Whether an expert speaks of an hour.</summary>
    public bool Speaks(Expert expert, int hour) => expert != Expert.Model || (HasModel && hour < DayHours);
}
