using Foretier.Predict.Score;

namespace Foretier.Predict.Backtest;

/// <summary>How the forecasts of one series came out.</summary>
/// <param name="DayDifference">Mean absolute difference of an hour from the same hour of the day before, over the whole series: what MASE is scaled by.</param>
public sealed record SeriesScore(string Name, ScoreSums Sums, double DayDifference)
{
    /// <summary>
    /// Whether it can be compared: some sample came in the hours forecast, and a week's repetition did not get each of them right.
    /// Others have no relative loss; they count for coverage and reservation only.
    /// </summary>
    public bool IsRated => Sums.Hours > 0 && Sums.Volume > 0 && Sums.Wql(Forecaster.SN168) > 0;

    /// <summary>wQL against that of SN168.</summary>
    public double Relative(Forecaster of) => Sums.Wql(of) / Sums.Wql(Forecaster.SN168);

    /// <summary>Mean absolute scaled error of P50 (m = 24); NaN where the series repeats itself daily.</summary>
    public double Mase => DayDifference > 0 ? Sums.MeanError(Forecaster.Ours) / DayDifference : double.NaN;
}

/// <summary>Series scored together: those of a file, or of all files.</summary>
/// <param name="Skipped">Series too short to be forecast.</param>
public sealed record BacktestScore(IReadOnlyList<SeriesScore> Series, int Skipped)
{
    private const double LossMin = 1e-6;

    private ScoreSums? _sums;

    /// <summary>Over all series and hours.</summary>
    public ScoreSums Sums => _sums ??= Series.Aggregate(new ScoreSums(), (sums, one) =>
    {
        sums.Add(one.Sums);
        return sums;
    });

    /// <summary>Series compared by wQL.</summary>
    public int Rated => Series.Count(one => one.IsRated);

    /// <summary>Geometric mean over the rated series of wQL relative to SN168's; NaN where there is none.</summary>
    public double Wql(Forecaster of)
    {
        var rated = Series.Where(one => one.IsRated && (of != Forecaster.Model || one.Sums.ModelHours > 0)).ToList();
        return rated.Count == 0 ? double.NaN : Math.Exp(rated.Average(one => Math.Log(Math.Max(LossMin, one.Relative(of)))));
    }

    /// <summary>The baseline that would have been the best to take for all of these series.</summary>
    public Forecaster BestBaseline => ScoreSums.Baselines.MinBy(Wql);

    /// <summary>Mean over the series that have one.</summary>
    public double Mase => Series.Where(one => one.IsRated && !double.IsNaN(one.Mase)).Select(one => one.Mase).DefaultIfEmpty(double.NaN).Average();

    public static BacktestScore Of(IEnumerable<BacktestScore> files)
    {
        var all = files.ToList();
        return new([.. all.SelectMany(file => file.Series)], all.Sum(file => file.Skipped));
    }
}
