using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Core.Query;

/// <summary>
/// Chooses for each window the cheapest chain of holdings that has all its samples, and cuts the range where layers overlap.
/// Pure: the same catalog, map, picture of the sources and question give the same plan.
/// </summary>
/// <remarks>
/// 1. Group the series by the edges that took them in. 2. For each window of those edges find the best chain of holdings (<see cref="Route"/>).
/// 3. What its unreachable links may have is missing. 4. Sweep over time: where one layer
/// stands alone its node aggregates; where several overlap their raw samples are merged here. 5. One fetch for each node and shape.
/// </remarks>
public static class Planner
{
    /// <param name="catalog">Who holds what: the truth.</param>
    /// <param name="map">What is predicted of it: a hint.</param>
    /// <param name="question">What is asked.</param>
    /// <param name="series">The series it names.</param>
    /// <param name="sources">Who can be reached, at what cost.</param>
    /// <param name="avoid">Holdings not to ask for, because this question found that they cannot be had; null: none.</param>
    public static Plan Make(CatalogView catalog, PartitionMap map, Question question, SeriesInfo[] series, SourcePicture sources,
        Func<Holding, bool>? avoid = null)
    {
        var missing = new List<TimeRange>();
        var fetches = new List<PlannedFetch>();
        var merges = 0;

        foreach (var (edges, names) in NamesByEdges(series))
        {
            var layers = new List<PlacedLayer>();
            foreach (var edge in edges.Split('\n'))
            {
                var windows = catalog.WindowsOf(edge);
                for (var at = catalog.FirstWindow(edge, question.Range.From); at < windows.Count && windows[at].Window.Start < question.Range.To; at++)
                {
                    var (window, holdings) = windows[at];
                    var within = window.Range.Clip(question.Range);
                    var chain = holdings.Count == 1 ? Route.Only(holdings[0], question, sources, avoid) : Route.Choose(holdings, question, sources, avoid,
                        new(1, RowsOf(holdings.Max(h => h.Count), within, window.Range, names.Length, catalog.SeriesOf(edge), question)), map.Find(names[0], window.Start, edge));
                    Route.AddMissing(missing, chain, within, question.Range);
                    for (var i = 0; i < chain.Count; i++)
                    {
                        if (!chain[i].IsAvailable)
                        {
                            continue;
                        }
                        var holding = chain[i].Holding;
                        var reach = Route.ReachOf(holding).Clip(question.Range);
                        var whole = Route.WholeSteps(reach, holding.Resolution);
                        if (!whole.IsEmpty)
                        {
                            layers.Add(new(holding, whole, layers.Count));
                        }
                        // Of the steps that the question's ends cut through nobody knows a part.
                        Route.Add(missing, new TimeRange(reach.From, whole.From).Clip(holding.Extent));
                        Route.Add(missing, new TimeRange(whole.To, reach.To).Clip(holding.Extent));
                    }
                }
            }
            var shares = new List<Share>();
            foreach (var (holding, range, order, merge) in Sweep(layers, ref merges))
            {
                var raw = merge >= 0 || question.NeedsRaw;
                ShareOf(shares, holding, raw).Add(holding, range, new(merge, order), RowsOf(holding.Count, range, holding.Extent, names.Length, catalog.SeriesOf(holding.Edge), question, raw));
            }
            foreach (var share in shares)
            {
                fetches.Add(new(share.Node, share.Tier,
                    new(names, share.Parts, share.Raw, question.Step, question.Grid.Origin) { Needs = question.Needs, Edges = question.Edges },
                    share.Places, share.Work, sources.Estimate(share.Node, share.Tier, share.Work)));
            }
        }
        return new(fetches, Union(missing), catalog.Revision);
    }

    /// <summary>What one node is asked for in one shape, among the few there are.</summary>
    private static Share ShareOf(List<Share> shares, Holding holding, bool raw)
    {
        foreach (var share in shares)
        {
            if (share.Node == holding.Node && SourcePicture.TierAsked(share.Tier) == SourcePicture.TierAsked(holding.Tier) && share.Raw == raw)
            {
                return share;
            }
        }
        shares.Add(new(holding.Node, holding.Tier, raw));
        return shares[^1];
    }

    /// <summary>Names of the series by the edges that took them in, mostly one; several, of a device that moved, in order and joined by line ends.</summary>
    private static IEnumerable<(string Edges, string[] Names)> NamesByEdges(SeriesInfo[] series)
    {
        foreach (var one in series)
        {
            if (one.Edge != series[0].Edge)
            {
                return ByEdges(series);
            }
        }
        return series is [] ? [] : [(series[0].Edge, Array.ConvertAll(series, static one => one.Name))];
    }

    private static IEnumerable<(string Edges, string[] Names)> ByEdges(SeriesInfo[] series)
    {
        var edgesOf = new Dictionary<string, string>(series.Length, StringComparer.Ordinal);
        foreach (var one in series)
        {
            edgesOf[one.Name] = !edgesOf.TryGetValue(one.Name, out var others) ? one.Edge
                : string.Join('\n', others.Split('\n').Append(one.Edge).Order(StringComparer.Ordinal));
        }
        return edgesOf.GroupBy(one => one.Value, one => one.Key, StringComparer.Ordinal).Select(group => (group.Key, group.ToArray()));
    }

    /// <summary>Samples or rollups that a stretch of a holding will bring, as far as its count tells: series alike, evenly over time.</summary>
    private static long RowsOf(long count, TimeRange range, TimeRange extent, int asked, int seriesOfEdge, Question question, bool raw = false)
    {
        var share = (double)Math.Min(asked, seriesOfEdge) / Math.Max(1, seriesOfEdge) * range.Clip(extent).Length / Math.Max(1, extent.Length);
        var samples = (long)(count * share);
        return raw || question.NeedsRaw || question.Edges is not null ? samples
            : Math.Min(samples, question.Step == 0 ? asked : asked * (range.Length / question.Step + 1));
    }

    /// <summary>Cuts time where layers begin and end, and numbers the stretches that have several. Where each layer is alone, as mostly, nothing is to be done.</summary>
    private static List<PlacedLayer> Sweep(List<PlacedLayer> layers, ref int merges)
    {
        layers.Sort(static (one, other) => one.Range.From != other.Range.From ? one.Range.From.CompareTo(other.Range.From) : one.Order.CompareTo(other.Order));
        if (!Overlap(layers))
        {
            return layers;
        }
        var cut = new List<PlacedLayer>();
        var active = new List<PlacedLayer>();
        for (var (next, at) = (0, 0L); next < layers.Count || active.Count > 0;)
        {
            at = active.Count == 0 ? layers[next].Range.From : at;
            while (next < layers.Count && layers[next].Range.From == at)
            {
                active.Add(layers[next++]);
            }
            var until = active.Min(l => l.Range.To);
            if (next < layers.Count)
            {
                until = Math.Min(until, layers[next].Range.From);
            }
            var merge = active.Count > 1 ? merges++ : -1;
            cut.AddRange(active.OrderBy(l => l.Order).Select(l => l with { Range = new(at, until), Merge = merge }));
            active.RemoveAll(l => l.Range.To == until);
            at = until;
        }
        return cut;
    }

    /// <param name="layers">In the order in which they begin.</param>
    private static bool Overlap(List<PlacedLayer> layers)
    {
        for (var i = 1; i < layers.Count; i++)
        {
            if (layers[i].Range.From < layers[i - 1].Range.To)
            {
                return true;
            }
        }
        return false;
    }

    public static IReadOnlyList<TimeRange> Union(IEnumerable<TimeRange> ranges)
    {
        if (ranges is IReadOnlyCollection<TimeRange> { Count: 0 })
        {
            return [];
        }
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

    /// <param name="Order">Among the layers of its group, oldest first.</param>
    /// <param name="Merge">As <see cref="PartPlace"/> has it.</param>
    private readonly record struct PlacedLayer(Holding Holding, TimeRange Range, int Order, int Merge = -1);

    private sealed class Share(string node, Tier tier, bool raw)
    {
        public string Node { get; } = node;
        public Tier Tier { get; } = tier;
        public bool Raw { get; } = raw;
        public List<FetchPart> Parts { get; } = [];
        public List<PartPlace> Places { get; } = [];
        public FetchWork Work { get; private set; }

        public void Add(Holding holding, TimeRange range, PartPlace place, long rows)
        {
            Work = new(Parts.Count + 1, Work.Rows + rows);
            Parts.Add(new(holding.Edge, holding.Window, holding.After, holding.Through, range));
            Places.Add(place);
        }
    }
}
