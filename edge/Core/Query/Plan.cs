using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Core.Query;

/// <summary>How a question will be answered: what is fetched from whom, and what nobody reachable has.</summary>
/// <param name="Fetches">Independent of each other; they run in parallel.</param>
/// <param name="Missing">Ranges of the question that some unreachable node may hold samples of, and no reachable one is known to.</param>
/// <param name="CatalogRevision">The picture of the catalog it was made from.</param>
public sealed record Plan(IReadOnlyList<PlannedFetch> Fetches, IReadOnlyList<TimeRange> Missing, long CatalogRevision);

/// <param name="Places">Of each part.</param>
/// <param name="Work">How much it asks for.</param>
/// <param name="EstimatedMilliseconds">What it is expected to take.</param>
public sealed record PlannedFetch(
    string Node, Tier Tier, FetchRequest Request, IReadOnlyList<PartPlace> Places, FetchWork Work, double EstimatedMilliseconds)
{
    /// <summary>True where both ask the same of the same source: the answer to one is the answer to the other.</summary>
    public bool AsksSameAs(PlannedFetch other) => Node == other.Node && Request.Raw == other.Request.Raw
        && Request.Series.SequenceEqual(other.Request.Series) && Request.Parts.SequenceEqual(other.Request.Parts);
}

/// <summary>Where a part goes in the answer.</summary>
/// <param name="Merge">
/// -1 where its samples stand alone, else the number of the merge it takes part in. Parts of one merge overlap in time; they come as raw samples and the
/// later layer wins.
/// </param>
/// <param name="Order">Its place among all layers of the edges that its series share, oldest first: parts of one merge go by it.</param>
public readonly record struct PartPlace(int Merge, int Order);
