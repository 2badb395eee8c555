using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Core.Query;

/// <summary>
/// The specification's routeQuery, for one window of one edge: which holdings together have its samples, and who is asked for each.
/// </summary>
/// <remarks>
/// predictedPartition and accessPattern come from the map; the tier it prefers is the dataSource where costs are alike. A dataSource that isAvailable is
/// queried, else the next holder, the archive too; what none of them has is missing.
/// </remarks>
internal sealed class Route
{
    /// <summary>What being on the tier that the map prefers is worth: enough to choose between equals, too little against a measured difference.</summary>
    private const double PreferredShare = 0.9;

    private readonly Question _question;
    private readonly SourcePicture _sources;
    private readonly Func<Holding, bool>? _avoid;
    private readonly IReadOnlyList<Holding> _holdings;
    private readonly FetchWork _work;
    private readonly Tier? _preferred;

    /// <summary>The flush that an edge says is the last there is; 0: there may be more.</summary>
    private readonly long _settled;

    private Route(IReadOnlyList<Holding> holdings, Question question, SourcePicture sources, Func<Holding, bool>? avoid, FetchWork work, Tier? preferred) =>
        (_holdings, _question, _sources, _avoid, _work, _preferred, _settled) =
        (holdings, question, sources, avoid, work, preferred, holdings.Max(holding => holding.Settled));

    /// <summary>The chain (0, v1] + (v1, v2] + … that reaches furthest (to where the edge says that all is settled is far enough), then loses least to unreachable nodes, then costs least.</summary>
    /// <param name="holdings">Of one window of one edge; a handful.</param>
    /// <param name="question">What is asked.</param>
    /// <param name="sources">Who can be reached, at what cost.</param>
    /// <param name="avoid">Holdings that this question found it cannot have; null: none.</param>
    /// <param name="work">Of the whole window.</param>
    /// <param name="predictedPartition">Of the series, in this window; null where the map says nothing.</param>
    public static IReadOnlyList<Link> Choose(IReadOnlyList<Holding> holdings, Question question, SourcePicture sources, Func<Holding, bool>? avoid, FetchWork work,
        PartitionEntry? predictedPartition)
    {
        Path Best(IReadOnlyList<Holding> among) => new Route(among, question, sources, avoid, work, predictedPartition is null ? null : PreferredTier(predictedPartition)).Best(0);
        var best = Best(holdings);
        // Where layers overlap their samples are merged: rollups alone cannot take part.
        if (best.Chain.Count > 1 && best.Chain.Any(link => link.Holding.Resolution > 0) && holdings.Where(holding => holding.Resolution == 0).ToList() is { Count: > 0 } samples
            && Best(samples) is var whole && whole.Reached == best.Reached && whole.Lost <= best.Lost)
        {
            return whole.Chain;
        }
        return best.Chain;
    }

    /// <summary>The chain where there is nobody to choose from, as mostly: neither cost nor map need be asked.</summary>
    public static IReadOnlyList<Link> Only(Holding holding, Question question, SourcePicture sources, Func<Holding, bool>? avoid) =>
        holding.Through <= holding.After ? []
        : [new(holding, !ReachOf(holding).Overlaps(question.Range) || IsAvailable(holding, question, sources, avoid), holding.After)];

    /// <summary>Frequently read data is best read from the SSD, as the specification has it; else the map's own word counts.</summary>
    private static Tier PreferredTier(PartitionEntry predictedPartition)
    {
        var accessPattern = predictedPartition.Access;
        return accessPattern == AccessPattern.Frequent ? Tier.Ssd : predictedPartition.Prefer;
    }

    /// <summary>
    /// The time a holding may have samples of. What an edge says of its open window is old by the time it is read, so there the whole window counts.
    /// </summary>
    public static TimeRange ReachOf(Holding holding) => holding.Through != Holding.Latest ? holding.Extent
        : holding.IsWhole ? holding.Window.Range.Hull(holding.Extent) : new(holding.Extent.From, Math.Max(holding.Extent.To, holding.Window.End));

    private Path Best(long after)
    {
        // A window has a handful of holdings: an exhaustive search is the simple way. A link that cannot be reached is part of a chain too:
        // what follows it is still worth having. One that has nothing in the range costs nothing and need not be reachable.
        var best = new Path(_settled > 0 && after >= _settled ? Holding.Latest : after, 0, 0, 0, []);
        var next = long.MaxValue;
        foreach (var holding in _holdings)
        {
            if (holding.After > after)
            {
                next = Math.Min(next, holding.After);
            }
            if (holding.After > after || holding.Through <= after)
            {
                continue;
            }
            var isAsked = ReachOf(holding).Overlaps(_question.Range);
            var isReached = !isAsked || IsAvailable(holding, _question, _sources, _avoid);
            var rest = Best(holding.Through);
            var path = new Path(rest.Reached, rest.Lost + (!isReached ? holding.Count : IsCut(holding) ? 1 : 0), rest.Have + (isReached ? holding.Count : 0),
                rest.Cost + (isAsked && isReached ? CostOf(holding) : 0), [new(holding, isReached, after), .. rest.Chain]);
            if (path.IsBetterThan(best))
            {
                best = path;
            }
        }
        // Nobody is known to have the flushes before: they are missing, those after them need not be.
        return best.Chain.Count == 0 && next is > 0 and < long.MaxValue ? Best(next) : best;
    }

    private static bool IsAvailable(Holding holding, Question question, SourcePicture sources, Func<Holding, bool>? avoid) =>
        sources.IsAvailable(holding.Node) && avoid?.Invoke(holding) != true && IsAnswerable(holding, question);

    /// <summary>Rollups without their samples answer questions whose steps they make up.</summary>
    private static bool IsAnswerable(Holding holding, Question question) => holding.Resolution == 0
        || (!question.NeedsRaw && question.Needs == Rollups.RollupParts.None && question.Grid.IsMadeOf(holding.Resolution));

    /// <summary>The question ends within a step that only samples could answer for.</summary>
    private bool IsCut(Holding holding) =>
        holding.Resolution > 0 && ReachOf(holding).Clip(_question.Range) is { IsEmpty: false } reach && WholeSteps(reach, holding.Resolution) != reach;

    /// <summary>The whole steps of a range.</summary>
    public static TimeRange WholeSteps(TimeRange range, long step)
    {
        if (step == 0)
        {
            return range;
        }
        var (from, to) = (Instant.Floor(range.From + step - 1, step), Instant.Floor(range.To, step));
        return from <= to ? new(from, to) : new(range.From, range.From);
    }

    private double CostOf(Holding holding)
    {
        var isPreferred = _preferred is { } tier && SourcePicture.TierAsked(holding.Tier) == SourcePicture.TierAsked(tier);
        return _sources.Estimate(holding.Node, holding.Tier, _work) * (isPreferred ? PreferredShare : 1);
    }

    /// <summary>Adds the ranges of which the chain may lack samples.</summary>
    public static void AddMissing(List<TimeRange> missing, IReadOnlyList<Link> chain, TimeRange window, TimeRange range)
    {
        long reached = 0, have = 0;
        foreach (var (holding, isAvailable, after) in chain)
        {
            if (after > reached)
            {
                Add(missing, window);
            }
            // An edge's whole holding with no more samples than the links before it has nothing to add, as far as it was last heard.
            else if (!isAvailable && !(after > 0 && holding.IsWhole && holding.Count <= have))
            {
                Add(missing, ReachOf(holding).Clip(range));
            }
            have += isAvailable ? holding.Count : 0;
            reached = holding.Through;
        }
    }

    public static void Add(List<TimeRange> missing, TimeRange range)
    {
        if (!range.IsEmpty)
        {
            missing.Add(range);
        }
    }

    /// <param name="After">The flush up to which the links before it have everything; beyond the last one's Through where there is a gap.</param>
    internal readonly record struct Link(Holding Holding, bool IsAvailable, long After);

    /// <param name="Lost">Samples of its links that cannot be reached.</param>
    /// <param name="Have">Samples of those that can.</param>
    private sealed record Path(long Reached, long Lost, long Have, double Cost, List<Link> Chain)
    {
        public bool IsBetterThan(Path other) =>
            Reached != other.Reached ? Reached > other.Reached
            : Lost != other.Lost ? Lost < other.Lost
            // Where something is lost anyway, a second copy of a part of it counts more than its price.
            : Lost > 0 && Have != other.Have ? Have > other.Have
            : Cost < other.Cost;
    }
}
