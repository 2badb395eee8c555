using System.Globalization;
using System.Text;
using Foretier.Core.Samples;
using Foretier.Core.Segments;
using Foretier.Predict.Volume;

namespace Foretier.Predict.Score;

/// <summary>
/// A model beside the one that serves: both forecast the same series from the same history, and a <see cref="Scorecard"/> holds both against what came.
/// In it <see cref="Forecaster.Ours"/> is the one that serves, alone (HoW4 where none does), and <see cref="Forecaster.Model"/> the other one.
/// Some 1,500 bytes a series, of at most <see cref="SeriesMax"/>. No clock, no I/O. Not thread-safe.
/// </summary>
/// <remarks>One forecast in 25 hours is compared, as the serving one is learned from: between them there is nothing to ask the other model.</remarks>
public sealed class ModelTrial
{
    /// <summary>Of more series these many are enough to tell models apart: chosen by their names, the same ones each time.</summary>
    public const int SeriesMax = 500;

    /// <summary>Numbers of a model's answer to one series: P10, P50 and P90 of 24 hours.</summary>
    public const int AnswerLength = ExpertBands.DayHours * Levels;

    private const int Levels = 3;

    /// <summary>Better is a loss of at most so much of the serving one's; two percent are beyond chance.</summary>
    private const double BetterAt = 0.98;

    /// <summary>No class of series may fare worse than so, if it has as many hours.</summary>
    private const double ClassWorseAt = 1.05;
    private const int ClassHoursMin = 200;

    /// <summary>Its P90 has to hold in nine hours of ten, give or take one; or as well as the serving one's.</summary>
    private const double Coverage = 0.9, CoverageOff = 0.1, CoverageSlack = 0.02;

    /// <summary>Four series of a day.</summary>
    private const int HoursMin = 96;

    private readonly Dictionary<string, (PendingDay Day, double Mean)> _pending = new(StringComparer.Ordinal);
    private readonly Dictionary<TimeZoneInfo, LocalHours> _zones = [];
    private readonly BaselineExperts _baselines = new();
    private readonly ExpertBands _bands = new();
    private Scorecard _card = new();

    /// <summary>Which series are compared.</summary>
    public static IEnumerable<string> Sample(IReadOnlyCollection<string> series) => series.Count <= SeriesMax ? series
        : series.OrderBy(name => Crc32C.Compute(Encoding.UTF8.GetBytes(name))).Take(SeriesMax);

    /// <summary>Whether a series has nothing, or nothing more, to wait for.</summary>
    /// <param name="end">The full hour from which it would be forecast, µs.</param>
    public bool IsDue(string series, long end) => !_pending.TryGetValue(series, out var pending) || end / Instant.Hour >= pending.Day.Origin + SeriesLearner.PeriodHours;

    /// <summary>Holds what was said of a series against the hours that have closed since.</summary>
    public void Learn(string series, string kind, in HourlyHistory history)
    {
        if (!_pending.TryGetValue(series, out var pending) || pending.Day.IsOver)
        {
            return;
        }
        if (pending.Day.IsOvertaken(history))
        {
            _pending.Remove(series);
            return;
        }
        while (pending.Day.TryClose(history, out var hour, out var count))
        {
            if (count >= 0)
            {
                _card.Add(kind, pending.Mean, pending.Day.Close(hour, count));
            }
        }
    }

    /// <summary>Takes in what both say of a series.</summary>
    /// <param name="history">They said it from this.</param>
    /// <param name="candidate">Of <see cref="AnswerLength"/>.</param>
    /// <param name="serving">The same; empty where none serves.</param>
    public void Put(string series, TimeZoneInfo zone, in HourlyHistory history, ReadOnlySpan<float> candidate, ReadOnlySpan<float> serving)
    {
        if (!_zones.TryGetValue(zone, out var local))
        {
            _zones[zone] = local = new(zone);
        }
        _bands.Reset(ExpertBands.DayHours);
        _baselines.Forecast(history, local.Around(history.End, history.Counts.Length, ExpertBands.DayHours), _bands);
        _bands.HasModel = true;
        Read(candidate, _bands[Expert.Model]);
        Span<Band> served = new Band[ExpertBands.DayHours];
        if (serving.IsEmpty)
        {
            _bands[Expert.HoW4].CopyTo(served);
        }
        else
        {
            Read(serving, served);
        }
        double sum = 0;
        foreach (var band in _bands[Expert.HoW4])
        {
            sum += band.P50;
        }
        var origin = history.End / Instant.Hour;
        _pending[series] = (PendingDay.Of(origin, _baselines.KnownHours, PendingDay.BasisOf(origin, origin, history.Counts), _bands, served), sum / ExpertBands.DayHours);
    }

    /// <summary>Sums over the last days.</summary>
    /// <param name="hour">Now, in hours since 1970.</param>
    /// <param name="days">1 to 90.</param>
    public ScoreSums Sum(long hour, int days)
    {
        var all = new ScoreSums();
        foreach (var part in _card.Sum(hour, days).Values)
        {
            all.Add(part);
        }
        return all;
    }

    /// <summary>Whether enough was compared to tell anything by.</summary>
    public static bool IsEnough(ScoreSums sums) => sums.Hours >= HoursMin && sums.Volume > 0;

    /// <summary>Why the other model is not to serve, in words; null where it is better. To be asked once there <see cref="IsEnough"/>.</summary>
    /// <inheritdoc cref="Sum"/>
    public string? WhyNotBetter(long hour, int days)
    {
        var all = Sum(hour, days);
        var (wql, served) = (all.Wql(Forecaster.Model), all.Wql(Forecaster.Ours));
        if (!(wql <= BetterAt * served))
        {
            return Text($"it is not better than the one that serves: wQL {wql:0.000} against {served:0.000} over {all.Hours} hours");
        }
        var (covered, servedCovered) = (all.Coverage(Forecaster.Model), all.Coverage(Forecaster.Ours));
        if (Math.Abs(covered - Coverage) > Math.Max(CoverageOff, Math.Abs(servedCovered - Coverage) + CoverageSlack))
        {
            return Text($"its P90 holds in {covered:0.000} of the hours, that of the one that serves in {servedCovered:0.000}");
        }
        var worst = _card.Sum(hour, days).Where(one => one.Value.Hours >= ClassHoursMin && one.Value.Volume > 0)
            .OrderByDescending(one => one.Value.Wql(Forecaster.Model) / one.Value.Wql(Forecaster.Ours)).FirstOrDefault();
        return worst.Value is { } sums && sums.Wql(Forecaster.Model) > ClassWorseAt * sums.Wql(Forecaster.Ours)
            ? Text($"it is worse for one class of series ({worst.Key.Kind}, {worst.Key.Volume}, {worst.Key.Distance}): wQL {sums.Wql(Forecaster.Model):0.000} against {sums.Wql(Forecaster.Ours):0.000}")
            : null;
    }

    /// <summary>Forgets the series that are not to be compared any more.</summary>
    public void Keep(Func<string, bool> isWanted)
    {
        foreach (var gone in _pending.Keys.Where(name => !isWanted(name)).ToList())
        {
            _pending.Remove(gone);
        }
    }

    /// <summary>The scores; of what was said lately a restart costs a day.</summary>
    public void Save(Stream to) => _card.Save(to);

    /// <exception cref="InvalidDataException">The bytes are no scores, or are damaged.</exception>
    public static ModelTrial Load(Stream from) => new() { _card = Scorecard.Load(from) };

    private static void Read(ReadOnlySpan<float> answer, Span<Band> into)
    {
        for (var h = 0; h < into.Length; h++)
        {
            into[h] = new Band(answer[h * Levels], answer[h * Levels + 1], answer[h * Levels + 2]).Ordered();
        }
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
