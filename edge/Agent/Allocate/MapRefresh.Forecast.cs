using System.Text.Json;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Predict.Models;
using Foretier.Predict.Score;
using Foretier.Predict.Volume;
using Foretier.Protocol.Api;

namespace Foretier.Agent.Allocate;

public sealed partial class MapRefresh
{
    /// <summary>What was learned of 10,000 series is some 15 MB: saved every six hours it wears the flash little, and a crash costs six hours of learning.</summary>
    private const long LearnedEvery = 6 * Instant.Hour;

    /// <summary>Hours of the past that a forecast is shown beside.</summary>
    private const int PastHours = 48;

    private long _learnedAt;
    private InferenceException? _toldOf;

    /// <summary>Full cycles since the start, those of them that did without their model, series, and how long the last one took.</summary>
    internal CycleFigures Cycles => _cycle.Figures;

    /// <summary>The model that forecast last, null where it was baselines alone.</summary>
    internal string? Model => _cycle.Model;

    /// <summary>What is expected of a series, beside what came; null where it is unknown, or not forecast yet.</summary>
    internal ForecastReply? ForecastOf(string series)
    {
        if (Volumes.Find(series) is not { } volume)
        {
            return null;
        }
        var now = Instant.Now(_clock);
        return _cycle.Read((forecaster, _, forecast) =>
        {
            if (forecast is null)
            {
                return null;
            }
            var counts = new int[PastHours];
            var history = Volumes.Read(volume, forecast.Start + 1, counts);
            var past = counts.Select((count, i) =>
            {
                var hour = forecast.Start / Instant.Hour - PastHours + i;
                return new PastHour(new(hour * Instant.Hour), count < 0 ? null : count, PointOf(forecaster.Said(series, hour)));
            }).ToList();
            var coming = forecast.Bands.Take(24).Select((band, i) => new ComingHour(new(forecast.Start + i * Instant.Hour), PointOf(band)!, Math.Round(forecast.Mean[i], 2))).ToList();
            var (p50, p90, stretch) = forecaster.Explain(series) ?? throw new InvalidOperationException("a forecast without a learner");
            var open = volume.CountIn(new(forecast.Start, Math.Max(now, forecast.Start + 1)));
            return new ForecastReply(series, _options.Node, ZoneOf(series.Split('/')[0]).Id, _cycle.Model, coming, past, open, Named(p50), Named(p90), Math.Round(stretch, 3)) { Reads = ReadsOf(series, now) };
        }, series);
    }

    private List<ExpectedRead> ReadsOf(string series, long now) => [.. Expected.Of(series).OrderByDescending(reads => reads.ReadsPerDay).Select(reads =>
    {
        var range = reads.Shape.RangeAt(now);
        return new ExpectedRead(FetchScan.NameOf(reads.Step), new(range.From), new(range.To), Math.Round(reads.ReadsPerDay, 2), Math.Round(reads.Probability, 4), [.. reads.Readers.Select(reader =>
            new ExpectedReader(JsonNamingPolicy.CamelCase.ConvertName(reader.Kind.ToString()), new(reader.Next), Math.Round(reader.Confidence, 3), Math.Round(reader.Every.TotalSeconds, 1)))]);
    })];

    /// <summary>When nobody was counting samples here.</summary>
    internal NodeGaps GapsOfEdge() => new(_options.Node, [.. Volumes.Gaps.Select(gap => new GapEntry(new(gap.From), new(gap.To)))]);

    /// <summary>How forecasts compared with what came over the last days.</summary>
    internal NodeScorecard ScorecardOf(int days)
    {
        var now = Instant.Now(_clock) / Instant.Hour;
        return _cycle.Read((forecaster, card, _) =>
        {
            var sums = card.Sum(now, days);
            var lines = sums.OrderBy(one => (one.Key.Kind, one.Key.Volume, one.Key.Distance)).Select(one => LineOf(one.Key, one.Value)).ToList();
            var all = new ScoreSums();
            foreach (var part in sums.Values)
            {
                all.Add(part);
            }
            return new NodeScorecard(_options.Node, days, _cycle.Model, _cycle.Failure?.Message, lines, all.Hours == 0 ? null : LineOf(null, all), Named(forecaster.Believed()),
                [.. _cycle.KindMix.Scores.Select(score => new KindMixScore(score.Account, Math.Round(score.Brier, 4), Math.Round(score.BrierYesterday, 4)))]);
        });
    }

    /// <returns>Whether thousands of series were forecast.</returns>
    private async Task<bool> ForecastAsync(long now, CancellationToken cancel)
    {
        const int large = 2_000;
        var series = await _cycle.RunAsync(now, _planner.HoursFrom(now), cancel).ConfigureAwait(false);
        if (_cycle.Failure is { } failure && !ReferenceEquals(failure, _toldOf))
        {
            _log.LogWarning("Forecasts come from seasonal baselines: {Reason}", failure.Message);
        }
        _toldOf = _cycle.Failure;
        return series >= large;
    }

    private static ScoreLine LineOf(ScoreClass? of, ScoreSums sums)
    {
        var best = ScoreSums.Baselines.MinBy(baseline => double.IsNaN(sums.Wql(baseline)) ? double.MaxValue : sums.Wql(baseline));
        return new(of?.Kind, of?.Volume switch { VolumeClass.Below1 => "<1/h", VolumeClass.Below10 => "1-10/h", VolumeClass.Below100 => "10-100/h", VolumeClass.From100 => ">=100/h", _ => null },
            of?.Distance switch { Distance.Hour1 => "1h", Distance.Hours2To6 => "2-6h", Distance.Hours7To24 => "7-24h", _ => null },
            sums.Hours, sums.Volume, Told(sums.Wql(Forecaster.Ours)),
            ScoreSums.Baselines.ToDictionary(baseline => baseline.ToString(), baseline => Told(sums.Wql(baseline))), best.ToString(), Told(sums.Wql(Forecaster.Model)),
            Told(sums.MeanError(Forecaster.Ours) / sums.MeanError(Forecaster.SN24)), Told(sums.Coverage(Forecaster.Ours)), Told(sums.CoverageFrom1),
            Told(sums.OverReservation(Forecaster.Ours)), Told(sums.UnderReservation(Forecaster.Ours)), Told(sums.OverReservation(Forecaster.HoW4)));
    }

    private static double? Told(double figure) => double.IsFinite(figure) ? Math.Round(figure, 4) : null;

    private static ForecastPoint? PointOf(Band? band) => band is { } known ? new(Math.Round(known.P10, 2), Math.Round(known.P50, 2), Math.Round(known.P90, 2)) : null;

    private static Dictionary<string, double> Named(IReadOnlyDictionary<Expert, float> weights) =>
        weights.OrderByDescending(weight => weight.Value).ToDictionary(weight => weight.Key.ToString(), weight => Math.Round(weight.Value, 3));
}
