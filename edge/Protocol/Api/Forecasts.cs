namespace Foretier.Protocol.Api;

/// <summary><c>GET /api/v1/forecast?series=account/device/measurement</c>: samples an hour that are expected, beside those that came.</summary>
/// <param name="Edge">The edge that takes the series in and forecasts it.</param>
/// <param name="Zone">Whose clock its habits are taken to follow.</param>
/// <param name="Model">What forecast it, besides seasonal baselines; null where it was those alone.</param>
/// <param name="Coming">The next 24 hours.</param>
/// <param name="Past">The last 48, oldest first.</param>
/// <param name="Open">Samples so far in the first coming hour.</param>
/// <param name="WeightsP50">How much each forecaster counts for the P50.</param>
/// <param name="WeightsP90">The same for the P90.</param>
/// <param name="Stretch">By how much the P90's distance is stretched so that nine hours in ten stay within.</param>
public sealed record ForecastReply(
    string Series, string Edge, string Zone, string? Model, IReadOnlyList<ComingHour> Coming, IReadOnlyList<PastHour> Past, long Open,
    IReadOnlyDictionary<string, double> WeightsP50, IReadOnlyDictionary<string, double> WeightsP90, double Stretch) : ApiDocument
{
    /// <summary>Which reads of it are expected in the next 24 hours, most first.</summary>
    public IReadOnlyList<ExpectedRead> Reads { get; init; } = [];
}

/// <param name="Resolution">raw, 1m, 5m, 1h or 24h: the coarsest that serves them.</param>
/// <param name="From">What would be asked for now.</param>
/// <param name="To">Its end.</param>
/// <param name="ReadsPerDay">In the next 24 hours.</param>
/// <param name="Probability">That there is any, 0..1.</param>
/// <param name="Readers">Those who read by the clock.</param>
public sealed record ExpectedRead(string Resolution, ApiTime From, ApiTime To, double ReadsPerDay, double Probability, IReadOnlyList<ExpectedReader> Readers);

/// <param name="Kind">alertRule, dashboard, dailyReport, weeklyReport or monthlyReport.</param>
/// <param name="Next">When it is expected next: the beginning of an hour.</param>
/// <param name="Confidence">How likely it comes then, 0..1.</param>
/// <param name="EverySeconds">Between two of its reads, or runs.</param>
public sealed record ExpectedReader(string Kind, ApiTime Next, double Confidence, double EverySeconds);

/// <param name="P10">In one of ten such hours fewer samples come.</param>
/// <param name="P90">In nine of ten no more.</param>
public sealed record ForecastPoint(double P10, double P50, double P90);

/// <param name="T">Its start.</param>
/// <param name="Mean">Samples expected.</param>
public sealed record ComingHour(ApiTime T, ForecastPoint Expected, double Mean);

/// <param name="T">Its start.</param>
/// <param name="Count">Samples that came; null where nobody was counting.</param>
/// <param name="Expected">What had been said of it, at most a day before; null where nothing is kept.</param>
public sealed record PastHour(ApiTime T, long? Count, ForecastPoint? Expected);

/// <summary><c>GET /api/v1/scorecard?days=</c>: how forecasts came out, at every edge.</summary>
public sealed record ScorecardReply(IReadOnlyList<NodeScorecard> Nodes) : ApiDocument;

/// <summary><c>GET /api/v1/gaps</c>: when edges were not counting samples, as far as they can be asked.</summary>
public sealed record GapsReply(IReadOnlyList<NodeGaps> Nodes) : ApiDocument;

/// <param name="Gaps">Since it was first started, oldest first; the newest 3,650.</param>
public sealed record NodeGaps(string Node, IReadOnlyList<GapEntry> Gaps) : ApiDocument;

/// <summary>A stop, a crash with up to half an hour before it, or time that its clock passed over.</summary>
public sealed record GapEntry(ApiTime From, ApiTime To) : ApiDocument;

/// <param name="Days">Over how many days.</param>
/// <param name="Model">What ran in the last cycle; null: seasonal baselines alone.</param>
/// <param name="Fallback">Why it did not run, where it should have.</param>
/// <param name="Classes">By kind of series, size and distance.</param>
/// <param name="All">Over all of them; null where no hour has been compared yet.</param>
/// <param name="Believed">Mean weight of each forecaster over all series: where a baseline is better for a series it is followed, by itself.</param>
/// <param name="KindMixes">How well the mix of kinds in the next hour was forecast, by account.</param>
public sealed record NodeScorecard(
    string Node, int Days, string? Model, string? Fallback, IReadOnlyList<ScoreLine> Classes, ScoreLine? All, IReadOnlyDictionary<string, double> Believed,
    IReadOnlyList<KindMixScore> KindMixes) : ApiDocument
{
    /// <summary>What was made ready ahead of samples and reads, and what became of it.</summary>
    public IReadOnlyList<MoveLine> Moves { get; init; } = [];
}

/// <summary>
/// The account of one kind of things made ahead: made = used + wasted + waiting, and so do their bytes, as far as they were made within the days asked for.
/// </summary>
/// <param name="What">reserved (window files), rollups, staged (samples from the archive), staged rollups.</param>
/// <param name="Made">How many.</param>
/// <param name="MovedBytes">Bytes that were read to make them.</param>
/// <param name="Bytes">Bytes they took.</param>
/// <param name="Used">How many were of use at least once.</param>
/// <param name="Wasted">How many were dropped before.</param>
/// <param name="Waiting">How many of those made at any time are there now and were of no use yet.</param>
/// <param name="Reads">Questions they answered a part of.</param>
public sealed record MoveLine(
    string What, long Made, long MovedBytes, long Bytes, long Used, long UsedBytes, long Wasted, long WastedBytes, long Waiting, long WaitingBytes, long Reads) : ApiDocument;

/// <param name="Kind">gauge, counter, state or event; null = all.</param>
/// <param name="Size">Samples an hour that such series are expected to have.</param>
/// <param name="Distance">How far ahead the hours were forecast.</param>
/// <param name="Hours">Hours compared.</param>
/// <param name="Samples">Samples in them.</param>
/// <param name="Wql">Mean weighted quantile loss of P50 and P90; smaller is better.</param>
/// <param name="Baselines">The same of SN24, SN168 and HoW4.</param>
/// <param name="BestBaseline">The best of these.</param>
/// <param name="WqlModel">The same of the model alone, in the hours for which it ran.</param>
/// <param name="Mase">Mean absolute error of P50 over that of the same hour the day before.</param>
/// <param name="CoverageP90">Share of the hours with no more samples than the P90.</param>
/// <param name="CoverageP90From1">Of those whose P90 is at least 1.</param>
/// <param name="OverReservation">P90 that was not used, over samples.</param>
/// <param name="UnderReservation">Samples beyond P90, over samples.</param>
public sealed record ScoreLine(
    string? Kind, string? Size, string? Distance, long Hours, double Samples, double? Wql, IReadOnlyDictionary<string, double?> Baselines, string BestBaseline, double? WqlModel,
    double? Mase, double? CoverageP90, double? CoverageP90From1, double? OverReservation, double? UnderReservation, double? OverReservationHoW4) : ApiDocument;

/// <param name="Brier">Mean Brier score a sample, 0 = certain and right.</param>
/// <param name="BrierYesterday">Of taking the mix of the same hour yesterday.</param>
public sealed record KindMixScore(string Account, double Brier, double BrierYesterday);
