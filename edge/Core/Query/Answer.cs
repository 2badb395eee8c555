using Foretier.Core.Rollups;
using Foretier.Core.Samples;

namespace Foretier.Core.Query;

/// <summary>The answer to a question with its provenance.</summary>
/// <param name="Missing">Ranges that an unreachable source may have samples of; empty where the answer is complete.</param>
/// <param name="Watermark">Samples acknowledged before this time are in the answer, missing ranges apart; µs.</param>
public sealed record Answer(
    Question Question, IReadOnlyList<SeriesAnswer> Series, IReadOnlyList<TierUse> Tiers, IReadOnlyList<TimeRange> Missing, long Watermark, long PlanRevision)
{
    public bool IsPartial => Missing.Count > 0;
}

/// <summary>One series of an answer; Raw and Rows are null where no function needs them.</summary>
public sealed record SeriesAnswer(string Name, string? Unit, SampleColumns? Raw, BucketRows? Rows);
