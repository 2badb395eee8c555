using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Core.Query;

/// <summary>
/// Chooses for each window the cheapest chain of holdings that has all its samples, and cuts the range where layers overlap.
/// Pure: the same catalog, health and question give the same plan.
/// </summary>
/// <remarks>
/// 1. Group the series by the edges that took them in. 2. For each window of those edges find the chain (0, v1] + (v1, v2] + … that
/// reaches furthest, then loses least to unreachable nodes, then costs least. 3. What its unreachable links may have is missing. 4. Sweep over time: where one layer
/// stands alone its node aggregates; where several overlap their raw samples are merged here. 5. One fetch for each node and shape.
/// </remarks>
public static class Planner
{
    public static Plan Make(CatalogView catalog, Question question, IReadOnlyCollection<SeriesInfo> series, SourceHealth health,
        IReadOnlySet<string>? avoid = null)
    {
        var missing = new List<TimeRange>();
        var shares = new Dictionary<(string Edges, string Node, Tier Tier, bool Raw), Share>();
        var merges = 0;

        foreach (var group in series.GroupBy(s => s.Name).GroupBy(named => string.Join('\n', named.Select(s => s.Edge).Order(StringComparer.Ordinal))))
        {
            var names = group.Select(named => named.Key).ToList();
            var layers = new List<PlacedLayer>();
            foreach (var edge in group.Key.Split('\n'))
            {
                foreach (var window in catalog.OfEdge(edge).Where(h => h.Window.Range.Overlaps(question.Range)).GroupBy(h => h.Window))
                {
                    var chain = BestChain([.. window], question.Range,
                        h => health.IsAvailable(h.Node) && avoid?.Contains(h.Node) != true && IsAnswerable(h, question), health);
                    missing.AddRange(MissingIn(chain, window.Key.Range.Clip(question.Range), question.Range));
                    foreach (var link in chain.Where(link => link.IsAvailable))
                    {
                        var reach = ReachOf(link.Holding).Clip(question.Range);
                        var whole = WholeSteps(reach, link.Holding.Resolution);
                        layers.Add(new(link.Holding, whole, layers.Count));
                        // Of the steps that the question's ends cut through nobody knows a part.
                        missing.Add(new TimeRange(reach.From, whole.From).Clip(link.Holding.Extent));
                        missing.Add(new TimeRange(whole.To, reach.To).Clip(link.Holding.Extent));
                    }
                }
            }
            foreach (var (range, over) in Sweep(layers))
            {
                var merge = over.Count > 1 ? merges++ : -1;
                foreach (var layer in over)
                {
                    var holding = layer.Holding;
                    var raw = merge >= 0 || question.NeedsRaw;
                    var key = (group.Key, holding.Node, holding.Tier == Tier.Memory ? Tier.Ssd : holding.Tier, raw);
                    if (!shares.TryGetValue(key, out var share))
                    {
                        shares[key] = share = new(names, holding.Tier);
                    }
                    share.Add(holding, range, merge, layer.Order);
                }
            }
        }
        var fetches = shares.Select(s => new PlannedFetch(s.Key.Node, s.Value.Tier,
            new(s.Value.Series, s.Value.Parts, s.Key.Raw, question.Step, question.Grid.Origin) { Needs = question.Needs, Edges = question.Edges },
            s.Value.Merges, s.Value.Order, health.Estimate(s.Key.Node, s.Value.Tier, s.Value.Parts.Count))).ToList();
        return new(fetches, Union(missing), catalog.Revision);
    }

    /// <summary>
    /// The time a holding may have samples of. What an edge says of its open window is old by the time it is read, so there the whole window counts.
    /// </summary>
    private static TimeRange ReachOf(Holding holding) => holding.Through != Holding.Latest ? holding.Extent
        : holding.IsWhole ? holding.Window.Range.Hull(holding.Extent) : new(holding.Extent.From, Math.Max(holding.Extent.To, holding.Window.End));

    /// <summary>Rollups without their samples answer questions whose steps they make up.</summary>
    private static bool IsAnswerable(Holding holding, Question question) => holding.Resolution == 0
        || (!question.NeedsRaw && question.Needs == Rollups.RollupParts.None && question.Grid.IsMadeOf(holding.Resolution));

    private static TimeRange WholeSteps(TimeRange range, long step)
    {
        if (step == 0)
        {
            return range;
        }
        var (from, to) = (Instant.Floor(range.From + step - 1, step), Instant.Floor(range.To, step));
        return from <= to ? new(from, to) : new(range.From, range.From);
    }

    private static List<Link> BestChain(List<Holding> holdings, TimeRange range, Func<Holding, bool> isAvailable, SourceHealth health)
    {
        // A window has a handful of holdings: an exhaustive search is the simple way. A link that cannot be reached is part of a chain too:
        // what follows it is still worth having. One that has nothing in the range costs nothing and need not be reachable.
        Path Best(long after)
        {
            var best = new Path(after, 0, 0, 0, []);
            foreach (var holding in holdings.Where(h => h.After <= after && h.Through > after))
            {
                var isAsked = ReachOf(holding).Overlaps(range);
                var isReached = !isAsked || isAvailable(holding);
                var rest = Best(holding.Through);
                var path = new Path(rest.Reached, rest.Lost + (isReached ? 0 : holding.Count), rest.Have + (isReached ? holding.Count : 0),
                    rest.Cost + (isAsked && isReached ? health.Estimate(holding.Node, holding.Tier, 1) : 0),
                    [new(holding, isReached, after), .. rest.Chain]);
                if (path.IsBetterThan(best))
                {
                    best = path;
                }
            }
            if (best.Chain.Count == 0 && holdings.Select(h => h.After).Where(a => a > after).DefaultIfEmpty().Min() is > 0 and var next)
            {
                // Nobody is known to have the flushes before: they are missing, those after them need not be.
                return Best(next);
            }
            return best;
        }
        return Best(0).Chain;
    }

    private static IEnumerable<TimeRange> MissingIn(List<Link> chain, TimeRange window, TimeRange range)
    {
        long reached = 0, have = 0;
        foreach (var (holding, isAvailable, after) in chain)
        {
            if (after > reached)
            {
                yield return window;
            }
            // An edge's whole holding with no more samples than the links before it has nothing to add, as far as it was last heard.
            else if (!isAvailable && !(after > 0 && holding.IsWhole && holding.Count <= have))
            {
                yield return ReachOf(holding).Clip(range);
            }
            have += isAvailable ? holding.Count : 0;
            reached = holding.Through;
        }
    }

    /// <summary>Cuts time where layers begin and end; gives each stretch with the layers over it, oldest first. Neighbours with the same layers stay one.</summary>
    private static List<(TimeRange Range, List<PlacedLayer> Over)> Sweep(List<PlacedLayer> layers)
    {
        var stretches = new List<(TimeRange, List<PlacedLayer>)>();
        var starts = layers.Where(l => !l.Range.IsEmpty).OrderBy(l => l.Range.From).ToList();
        var active = new List<PlacedLayer>();
        var next = 0;
        var at = starts.Count > 0 ? starts[0].Range.From : 0;
        while (next < starts.Count || active.Count > 0)
        {
            if (active.Count == 0)
            {
                at = starts[next].Range.From;
            }
            while (next < starts.Count && starts[next].Range.From == at)
            {
                active.Add(starts[next++]);
            }
            var until = active.Min(l => l.Range.To);
            if (next < starts.Count)
            {
                until = Math.Min(until, starts[next].Range.From);
            }
            stretches.Add((new(at, until), [.. active.OrderBy(l => l.Order)]));
            active.RemoveAll(l => l.Range.To == until);
            at = until;
        }
        return stretches;
    }

    public static List<TimeRange> Union(IEnumerable<TimeRange> ranges)
    {
        var union = new List<TimeRange>();
        foreach (var range in ranges.Where(r => !r.IsEmpty).OrderBy(r => r.From))
        {
            if (union.Count > 0 && range.From <= union[^1].To)
            {
                union[^1] = union[^1].Hull(range);
            }
            else
            {
                union.Add(range);
            }
        }
        return union;
    }

    /// <param name="After">The flush up to which the links before it have everything; beyond the last one's Through where there is a gap.</param>
    private readonly record struct Link(Holding Holding, bool IsAvailable, long After);

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

    private readonly record struct PlacedLayer(Holding Holding, TimeRange Range, int Order);

    private sealed class Share(List<string> series, Tier tier)
    {
        public List<string> Series { get; } = series;
        public Tier Tier { get; } = tier;
        public List<FetchPart> Parts { get; } = [];
        public List<int> Merges { get; } = [];
        public List<int> Order { get; } = [];

        public void Add(Holding holding, TimeRange range, int merge, int order)
        {
            Parts.Add(new(holding.Edge, holding.Window, holding.After, holding.Through, range));
            Merges.Add(merge);
            Order.Add(order);
        }
    }
}
