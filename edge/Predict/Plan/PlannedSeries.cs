using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Predict.Volume;

namespace Foretier.Predict.Plan;

/// <summary>What the planner needs to know of a series in one cycle: figures only, so that ten thousand forecasts need not be at hand at once.</summary>
internal sealed class PlannedSeries
{
    /// <summary>Days whose largest volume a series keeps its room for: a quiet Sunday is no reason to regroup.</summary>
    private const int RoomDays = 7;

    /// <summary>With fewer days than this, sums of hourly percentiles stand in for the errors of whole days: too much rather than too little.</summary>
    public const int ErrorDaysMin = 5;

    private readonly SeriesVolume _volume;
    private readonly Window _first;
    private readonly (double Mean, double P90, double Busiest)[] _expected;

    /// <param name="windows">Days in a row, those to be planned.</param>
    public PlannedSeries(string account, SeriesVolume volume, SeriesForecast forecast, double readsPerDay, IReadOnlyList<Window> windows)
    {
        (Account, _volume, ReadsPerDay, Start, _first) = (account, volume, readsPerDay, forecast.Start, windows[0]);
        _expected = [.. windows.Select(window => (forecast.MeanIn(window.Range), forecast.P90In(window.Range), forecast.BusiestP90In(window.Range)))];
        DayErrors = forecast.DayErrors.Count(error => !double.IsNaN(error)) >= ErrorDaysMin ? forecast.DayErrors : null;
    }

    public string Account { get; }
    public string Name => _volume.Series;
    public double ReadsPerDay { get; }

    /// <summary>Of its forecast.</summary>
    public long Start { get; }

    /// <summary>See <see cref="SeriesForecast.DayErrors"/>; null where there are too few to judge by.</summary>
    public double[]? DayErrors { get; }

    /// <summary>Samples there already; late ones of a closed hour included.</summary>
    public long Counted(Window window) => _volume.CountIn(window.Range);

    /// <summary>What was counted before the forecast begins, plus what it expects of the rest.</summary>
    public double Mean(Window window) => _volume.CountIn(window.Range.Clip(new(0, Start))) + Expected(window).Mean;

    /// <summary>What the hourly percentiles leave for surprises; the most there can be.</summary>
    public double HourlyMargin(Window window) => Expected(window).P90 - Expected(window).Mean;

    public double BusiestP90(Window window) => Expected(window).Busiest;

    /// <summary>Samples to find room for when grouping.</summary>
    public double Room(Window window)
    {
        var room = Mean(window) + WindowErrors.Margin([this], window, 0.9);
        for (var day = 1; day <= RoomDays; day++)
        {
            var start = Instant.Floor(Start, Instant.Day) - day * Instant.Day;
            room = Math.Max(room, _volume.CountIn(new(start, start + Instant.Day)));
        }
        return room;
    }

    private (double Mean, double P90, double Busiest) Expected(Window window) => _expected[(window.Start - _first.Start) / _first.Length];
}

/// <summary>How far the total of a window may lie from what is expected of it.</summary>
internal static class WindowErrors
{
    /// <summary>The p-quantile of the error of the members' sum, in samples.</summary>
    public static double Margin(IReadOnlyList<PlannedSeries> members, Window window, double p)
    {
        Span<double> sums = stackalloc double[SeriesForecast.ErrorDays];
        sums.Fill(double.NaN);
        double unproven = 0, hourly = 0;
        foreach (var member in members)
        {
            var margin = member.HourlyMargin(window);
            hourly += margin;
            if (member.DayErrors is not { } errors)
            {
                unproven += margin;
                continue;
            }
            for (var day = 0; day < sums.Length; day++)
            {
                var error = errors[day];
                sums[day] = double.IsNaN(error) ? sums[day] : double.IsNaN(sums[day]) ? error : sums[day] + error;
            }
        }
        var known = 0;
        foreach (var sum in sums)
        {
            if (!double.IsNaN(sum))
            {
                sums[known++] = sum;
            }
        }
        var quantile = Quantile.Of(sums[..known], p, PlannedSeries.ErrorDaysMin);
        if (double.IsNaN(quantile))
        {
            return p > 0.5 ? hourly : 0;
        }
        // Errors of a part of the day: as of independent hours, which for those that hang together errs to the safe side.
        var start = members[0].Start;
        var share = Math.Clamp((window.End - Math.Max(start, window.Start)) / (double)window.Length, 0, 1);
        return quantile * Math.Sqrt(share) + (p > 0.5 ? unproven : 0);
    }
}
