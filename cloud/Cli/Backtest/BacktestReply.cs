using Foretier.Predict.Backtest;
using Foretier.Predict.Models;
using Foretier.Predict.Score;

namespace Foretier.Cli.Backtest;

/// <summary>The document of <c>backtest --json</c>.</summary>
/// <param name="Forecaster">What was tested.</param>
internal sealed record BacktestReply(string Forecaster, BacktestModel? Model, IReadOnlyList<BacktestFigures> Files, BacktestFigures Pooled);

/// <param name="TrainedUntil">Figures on data up to that day, of the kinds it was trained on, are no evidence of how it does on others.</param>
internal sealed record BacktestModel(string Id, int Version, DateOnly TrainedUntil, IReadOnlyList<string> TrainedOn)
{
    public static BacktestModel Of(ModelManifest manifest) =>
        new(manifest.Id, manifest.Version, manifest.TrainedUntil, [.. manifest.Data.Select(data => data.Name)]);
}

/// <summary>Figures of a file, or of all; those that cannot be told are left out.</summary>
/// <param name="File">As it was named; none in what is pooled.</param>
/// <param name="Model">Where each file has its own.</param>
/// <param name="Series">Series forecast.</param>
/// <param name="Rated">Those of them that wql and mase are of: some sample came, and SN168 did not get every hour right.</param>
/// <param name="Skipped">Series too short, or with too few events.</param>
/// <param name="Hours">Hours compared, over all series.</param>
/// <param name="Samples">Samples in them.</param>
/// <param name="Wql">Geometric mean over the rated series of wQL (P50 and P90) relative to SN168's.</param>
/// <param name="WqlBestBaseline">The same of the best single baseline.</param>
/// <param name="Baselines">The same of each.</param>
/// <param name="WqlModel">The same of the model alone.</param>
/// <param name="Mase">Mean over the series, scaled by the mean difference from the day before (m = 24).</param>
/// <param name="CoverageP90">Share of the hours with no more samples than the P90.</param>
/// <param name="CoverageP90From1">Of the hours whose P90 is at least 1.</param>
internal sealed record BacktestFigures(
    string? File, BacktestModel? Model, int Series, int Rated, int Skipped, long Hours, double Samples, double? Wql, double? WqlBestBaseline, string? BestBaseline, IReadOnlyDictionary<string, double?> Baselines,
    double? WqlModel, double? Mase, double? CoverageP90, double? CoverageP90From1, double? OverReservation, double? OverReservationHoW4, double? UnderReservation,
    double? CoverageHoW4)
{
    public static BacktestFigures Of(string? file, BacktestModel? model, BacktestScore score)
    {
        var isRated = score.Rated > 0;
        var best = score.BestBaseline;
        return new(file, model, score.Series.Count, score.Rated, score.Skipped, score.Sums.Hours, score.Sums.Volume,
            Told(score.Wql(Forecaster.Ours)), Told(score.Wql(best)), isRated ? best.ToString() : null,
            ScoreSums.Baselines.ToDictionary(baseline => baseline.ToString(), baseline => Told(score.Wql(baseline))),
            Told(score.Wql(Forecaster.Model)), Told(score.Mase), Told(score.Sums.Coverage(Forecaster.Ours)), Told(score.Sums.CoverageFrom1),
            Told(score.Sums.OverReservation(Forecaster.Ours)), Told(score.Sums.OverReservation(Forecaster.HoW4)), Told(score.Sums.UnderReservation(Forecaster.Ours)),
            Told(score.Sums.Coverage(Forecaster.HoW4)));
    }

    private static double? Told(double figure) => double.IsFinite(figure) ? figure : null;
}
