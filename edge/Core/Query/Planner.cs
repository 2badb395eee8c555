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
    public static Plan Make(CatalogView catalog, PartitionMap map, Question question, IReadOnlyCollection<SeriesInfo> series, SourcePicture sources,
        Func<Holding, bool>? avoid = null)
    {
        var missing = new List<TimeRange>();
        var shares = new Dictionary<(string Edges, string Node, Tier Tier, bool Raw), Share>();
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
                        new(1, RowsOf(holdings.Max(h => h.Count), within, window.Range, names.Count, catalog.SeriesOf(edge), question)), map.Find(names[0], window.Start, edge));
                    Route.AddMissing(missing, chain, within, question.Range);
                    foreach (var link in chain)
                    {
                        if (!link.IsAvailable)
                        {
                            continue;
                        }
                        var reach = Route.ReachOf(link.Holding).Clip(question.Range);
                        var whole = Route.WholeSteps(reach, link.Holding.Resolution);
                        layers.Add(new(link.Holding, whole, layers.Count));
                        // Of the steps that the question's ends cut through nobody knows a part.
                        Route.Add(missing, new TimeRange(reach.From, whole.From).Clip(link.Holding.Extent));
                        Route.Add(missing, new TimeRange(whole.To, reach.To).Clip(link.Holding.Extent));
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
                    var key = (edges, holding.Node, holding.Tier == Tier.Memory ? Tier.Ssd : holding.Tier, raw);
                    if (!shares.TryGetValue(key, out var share))
                    {
                        shares[key] = share = new(names, holding.Tier);
                    }
                    share.Add(holding, range, merge, layer.Order, RowsOf(holding.Count, range, holding.Extent, names.Count, catalog.SeriesOf(holding.Edge), question, raw));
                }
            }
        }
        var fetches = shares.Select(s => new PlannedFetch(s.Key.Node, s.Value.Tier,
            new(s.Value.Series, s.Value.Parts, s.Key.Raw, question.Step, question.Grid.Origin) { Needs = question.Needs, Edges = question.Edges },
            s.Value.Merges, s.Value.Order, s.Value.Work, sources.Estimate(s.Key.Node, s.Value.Tier, s.Value.Work))).ToList();
        return new(fetches, Union(missing), catalog.Revision);
    }

    /// <summary>Names of the series by the edges that took them in, mostly one; several, of a device that moved, in order and joined by line ends.</summary>
    private static Dictionary<string, List<string>> NamesByEdges(IReadOnlyCollection<SeriesInfo> series)
    {
        var edgesOf = new Dictionary<string, string>(series.Count, StringComparer.Ordinal);
        foreach (var one in series)
        {
            edgesOf[one.Name] = !edgesOf.TryGetValue(one.Name, out var others) ? one.Edge
                : string.Join('\n', others.Split('\n').Append(one.Edge).Order(StringComparer.Ordinal));
        }
        var names = new Dictionary<string, List<string>>(StringComparer.Ordinal);
        foreach (var (name, edges) in edgesOf)
        {
            if (!names.TryGetValue(edges, out var together))
            {
                names[edges] = together = [];
            }
            together.Add(name);
        }
        return names;
    }

    /// <summary>Samples or rollups that a stretch of a holding will bring, as far as its count tells: series alike, evenly over time.</summary>
    private static long RowsOf(long count, TimeRange range, TimeRange extent, int asked, int seriesOfEdge, Question question, bool raw = false)
    {
        var share = (double)Math.Min(asked, seriesOfEdge) / Math.Max(1, seriesOfEdge) * range.Clip(extent).Length / Math.Max(1, extent.Length);
        var samples = (long)(count * share);
        return raw || question.NeedsRaw || question.Edges is not null ? samples
            : Math.Min(samples, question.Step == 0 ? asked : asked * (range.Length / question.Step + 1));
    }

    /// <summary>Cuts time where layers begin and end; gives each stretch with the layers over it, oldest first. Neighbours with the same layers stay one.</summary>
    private static List<(TimeRange Range, List<PlacedLayer> Over)> Sweep(List<PlacedLayer> layers)
    {
        var stretches = new List<(TimeRange, List<PlacedLayer>)>();
        layers.RemoveAll(l => l.Range.IsEmpty);
        var starts = layers.OrderBy(l => l.Range.From).ToList();
        var active = new List<PlacedLayer>();
        var next = 0;
        var at = starts.Count > 0 ? starts[0].Range.From : 0;
        while (next < starts.Count || active.Count > 0)
        {
            if (active.Count == 0)
            {
                at = starts[next].Range.From;
                if (next + 1 == starts.Count || starts[next + 1].Range.From >= starts[next].Range.To)
                {
                    // Alone, as mostly.
                    stretches.Add((starts[next].Range, [starts[next]]));
                    next++;
                    continue;
                }
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
        if (ranges is IReadOnlyCollection<TimeRange> { Count: 0 })
        {
            return union;
        }
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

    private readonly record struct PlacedLayer(Holding Holding, TimeRange Range, int Order);

    private sealed class Share(List<string> series, Tier tier)
    {
        public List<string> Series { get; } = series;
        public Tier Tier { get; } = tier;
        public List<FetchPart> Parts { get; } = [];
        public List<int> Merges { get; } = [];
        public List<int> Order { get; } = [];
        public FetchWork Work { get; private set; }

        public void Add(Holding holding, TimeRange range, int merge, int order, long rows)
        {
            Work = new(Parts.Count + 1, Work.Rows + rows);
            Parts.Add(new(holding.Edge, holding.Window, holding.After, holding.Through, range));
            Merges.Add(merge);
            Order.Add(order);
        }
    }
}
