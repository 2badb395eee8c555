using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Core.Query;

public enum FetchOutcome
{
    Answered,

    /// <summary>What was planned is not there any more: planned anew.</summary>
    Moved,

    /// <summary>The source cannot be reached, or did not answer in its time: another holder was asked.</summary>
    Failed,

    /// <summary>It took much longer than expected and another holder could be asked: given up.</summary>
    Late,
}

/// <summary>What a fetch was expected to cost, and what it did.</summary>
/// <param name="Milliseconds">From the question until the answer was here, or until it was given up.</param>
public sealed record FetchCost(string Node, Tier Tier, FetchWork Work, double EstimatedMilliseconds, double Milliseconds, FetchOutcome Outcome);

/// <param name="Result">Null where there is none.</param>
internal sealed record Fetched(PlannedFetch Fetch, FetchResult? Result, FetchCost Cost)
{
    public bool IsWhole => Result is { Gone.Count: 0, Lost.Count: 0 };

    /// <summary>Of what is not in the result.</summary>
    public IEnumerable<TimeRange> Unanswered =>
        Result is null ? Fetch.Request.Parts.Select(part => part.Range) : Result.Gone.Concat(Result.Lost).Select(number => Fetch.Request.Parts[number].Range);
}
