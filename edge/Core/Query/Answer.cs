using Foretier.Core.Rollups;
using Foretier.Core.Samples;

namespace Foretier.Core.Query;

/// <summary>The answer to a question with its provenance.</summary>
/// <param name="Series">In order of name, each once.</param>
/// <param name="Missing">Ranges that an unreachable source may have samples of; empty where the answer is complete.</param>
/// <param name="Watermark">Samples acknowledged before this time are in the answer, missing ranges apart; µs.</param>
public sealed record Answer(
    Question Question, IReadOnlyList<SeriesAnswer> Series, IReadOnlyList<TierUse> Tiers, IReadOnlyList<TimeRange> Missing, long Watermark, long PlanRevision) : IDisposable
{
    public bool IsPartial => Missing.Count > 0;

    /// <summary>Every fetch that was made for it, those that failed too, in the order they were made.</summary>
    public IReadOnlyList<FetchCost> Costs { get; init; } = [];

    /// <summary>False where a function was answered within an error bound.</summary>
    public bool IsExact => Question.IsExact;

    /// <summary>Gives the rows back when its points are written down; where it comes from stays.</summary>
    public void Dispose()
    {
        for (var i = 0; i < Series.Count; i++)
        {
            Series[i].Rows?.Dispose();
            Series[i].Rolling?.Dispose();
        }
    }

    public static Answer Nothing(Question question) => new(question, [], [], [], long.MaxValue, 0);

    /// <summary>The provenance of two answers to parts of one question; the series are this one's.</summary>
    public Answer And(Answer other) => this with
    {
        Tiers = ReferenceEquals(Tiers, other.Tiers) ? Tiers : TierUse.Condense([.. Tiers, .. other.Tiers]),
        Missing = Planner.Union(Missing.Concat(other.Missing)),
        Costs = ReferenceEquals(Costs, other.Costs) ? Costs : [.. Costs, .. other.Costs],
        Watermark = Math.Min(Watermark, other.Watermark),
    };
}

/// <summary>One series of an answer; Raw and Rows are null where no function needs them.</summary>
public sealed record SeriesAnswer(string Name, string? Unit, SampleColumns? Raw, BucketRows? Rows)
{
    /// <summary>Rollups that reach a window further back than the range, for rolling averages.</summary>
    public BucketRows? Rolling { get; init; }

    /// <summary>The last sample before the range, where durations need it.</summary>
    public Rollup? Before { get; init; }
}
