namespace Foretier.Predict.Replay.Events;

/// <summary>How a policy did in the days that are scored. Shares are 0..1; NaN where there was nothing to take a share of.</summary>
/// <param name="HotHit">Reads that found all they asked for on the fast tier ÷ reads.</param>
/// <param name="HotHitBytes">Bytes found there ÷ bytes asked for.</param>
/// <param name="PreSynthHit">Closed rollup buckets that had been built before they were asked for ÷ those asked for.</param>
/// <param name="SynthWaste">Rollups (of a series' day) built ahead and not read within their time to live ÷ those built ahead; 0 where none were.</param>
/// <param name="MoveAmp">Bytes promoted and demoted ÷ bytes ingested.</param>
/// <param name="Reservation">How room was reserved for what was written.</param>
/// <param name="Cost">USD, by <see cref="TierModel"/>: what was held, reserved, moved.</param>
/// <param name="LatencyMean">Modelled, seconds.</param>
/// <param name="LatencyP95">Modelled, seconds: 95 of 100 reads wait no longer.</param>
public sealed record EventScore(
    string Policy, long Reads, double HotHit, double HotHitBytes, double PreSynthHit, double SynthWaste, long Promotions, long Demotions, double MoveAmp,
    ReservationScore Reservation, double Cost, double LatencyMean, double LatencyP95)
{
    public long Moves => Promotions + Demotions;

    /// <summary>Modelled, seconds.</summary>
    public double LatencyP99 { get; init; }

    /// <summary>What the same reads take where all they ask for is built and on the fast tier, whatever room that would take: modelled, seconds. No placement gets its p95 below that.</summary>
    public (double Mean, double P95) OnFlash { get; init; }

    /// <summary>By scored day: hot hits, rollups found built, mean latency in seconds.</summary>
    public IReadOnlyList<DayScore> Daily { get; init; } = [];
}

/// <param name="HotHit">As of <see cref="EventScore"/>, of one day; NaN where nothing was read.</param>
public readonly record struct DayScore(double HotHit, double PreSynthHit, double LatencyMean);

/// <summary>How well the room reserved for partitions (R) fitted what was written to them (V), over all windows.</summary>
/// <param name="OverRes">Σ max(R−V, 0) ÷ ΣV.</param>
/// <param name="UnderRes">Σ max(V−R, 0) ÷ ΣV.</param>
/// <param name="Coverage">Partitions and windows with V ≤ R ÷ all.</param>
/// <param name="PreAllocHit">Bytes that went into a partition that was there, within what it had reserved ÷ bytes written.</param>
/// <param name="ReservedByteHours">What was reserved in vain × the hours it was kept, for its price.</param>
public readonly record struct ReservationScore(double OverRes, double UnderRes, double Coverage, double PreAllocHit, double ReservedByteHours);
