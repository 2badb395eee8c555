using Foretier.Core.Rollups;
using Foretier.Core.Samples;

namespace Foretier.Core.Query;

/// <summary>
/// Reads one series from its layers. What is read is the least that is exact: a segment's summary where it lies in one bucket,
/// its rollups where steps align, its samples otherwise; layers that overlap are decoded and merged, the later version winning.
/// </summary>
public static class SeriesScan
{
    /// <summary>Adds the series to <paramref name="rows"/>, bucket by bucket.</summary>
    /// <returns>The coarsest way that was needed: 0 raw samples, else the step of the rollups used (µs), <see cref="long.MaxValue"/> for summaries alone.</returns>
    public static long Into(BucketRows rows, in BucketGrid grid, IReadOnlyCollection<Layer> layers)
    {
        if (Single(layers, grid.Range) is { } only)
        {
            return Into(rows, grid, only);
        }
        var resolution = long.MaxValue;
        foreach (var cluster in Clusters(layers, grid.Range))
        {
            if (cluster.Count > 1)
            {
                rows.Add(Merge(cluster), grid);
                resolution = 0;
                continue;
            }
            resolution = Math.Min(resolution, Into(rows, grid, cluster[0]));
        }
        return resolution;
    }

    private static long Into(BucketRows rows, in BucketGrid grid, Layer layer)
    {
        if (rows.Parts == RollupParts.None && layer.Segment is { } segment && grid.HoldsWhole(layer.FirstTime, layer.LastTime))
        {
            rows.Merge(grid.StartOf(layer.FirstTime), segment.Summary);
            return long.MaxValue;
        }
        if (!layer.Rollups.IsEmpty && TryRollups(rows, grid, layer, out var step))
        {
            return step;
        }
        Add(rows, grid, layer);
        return 0;
    }

    /// <summary>The usual case: a day that was sealed or shipped as a whole.</summary>
    private static Layer? Single(IReadOnlyCollection<Layer> layers, TimeRange range) =>
        layers is IReadOnlyList<Layer> { Count: 1 } list && list[0] is { IsTombstone: false } layer && layer.FirstTime < range.To && layer.LastTime >= range.From ? layer : null;

    /// <summary>All samples of the range, sorted, each time once.</summary>
    public static SampleColumns Raw(TimeRange range, IReadOnlyCollection<Layer> layers)
    {
        var samples = new SampleColumns();
        foreach (var cluster in Clusters(layers, range))
        {
            if (cluster is [{ Segment: { } segment }])
            {
                segment.Decode(samples, range);
                continue;
            }
            var part = cluster.Count > 1 ? Merge(cluster) : cluster[0].Decode();
            int from = part.LowerBound(range.From), to = part.LowerBound(range.To);
            var states = part.States;
            for (var i = from; i < to; i++)
            {
                samples.Add(part.Times[i], part.Values[i], states.IsEmpty ? null : states[i]);
            }
        }
        return samples;
    }

    private static void Add(BucketRows rows, in BucketGrid grid, Layer layer)
    {
        if (layer.Segment is not { } segment)
        {
            rows.Add(layer.Decode(), grid);
        }
        else if (rows.Parts == RollupParts.None)
        {
            segment.AddTo(rows, grid);
        }
        else
        {
            var samples = new SampleColumns();
            segment.Decode(samples, grid.Range);
            rows.Add(samples, grid);
        }
    }

    /// <summary>Takes the steps that lie whole in the range from the coarsest rollups that fit, and what is left at its edges from the samples.</summary>
    private static bool TryRollups(BucketRows rows, in BucketGrid grid, Layer layer, out long step)
    {
        step = 0;
        var (needs, whole) = (rows.Parts, grid);
        if (RollupBlock.Coarsest(layer.Rollups.Span, (s, parts) => (parts & needs) == needs && whole.IsMadeOf(s)) is not { } table)
        {
            return false;
        }
        using var stored = table.Rows;
        step = table.Step;
        var inner = InnerOf(grid.Range, step, layer);
        if (inner.IsEmpty)
        {
            return false;
        }
        AddEdge(rows, grid, layer, new(grid.Range.From, inner.From));
        foreach (ref readonly var row in stored.Rows)
        {
            if (inner.Contains(row.Rollup.FirstTime))
            {
                rows.Merge(grid.StartOf(row.Rollup.FirstTime), row.Rollup);
            }
        }
        AddEdge(rows, grid, layer, new(inner.To, grid.Range.To));
        return true;
    }

    /// <summary>The part of a range in which every step of the layer is whole: a step that the layer ends in is.</summary>
    private static TimeRange InnerOf(TimeRange range, long step, Layer layer)
    {
        var from = range.From <= layer.FirstTime ? layer.FirstTime : Instant.Floor(range.From + step - 1, step);
        var to = range.To > layer.LastTime ? layer.LastTime + 1 : Instant.Floor(range.To, step);
        return new(from, Math.Max(from, to));
    }

    private static void AddEdge(BucketRows rows, in BucketGrid grid, Layer layer, TimeRange edge)
    {
        if (!edge.IsEmpty && layer.FirstTime < edge.To && layer.LastTime >= edge.From)
        {
            Add(rows, grid with { Range = edge }, layer);
        }
    }

    private static SampleColumns Merge(List<Layer> cluster) => Count(cluster).Samples;

    /// <summary>Puts the layers of one series over each other, oldest first, and counts what became of their samples.</summary>
    public static LayerCount Count(IReadOnlyCollection<Layer> layers)
    {
        var samples = new SampleColumns();
        long superseded = 0, deleted = 0;
        foreach (var layer in layers.OrderBy(layer => layer.Version).ThenBy(layer => layer.IsTombstone ? 0 : 1))
        {
            if (layer.IsTombstone)
            {
                var rest = samples.Without(new(layer.FirstTime, layer.LastTime + 1));
                deleted += samples.Count - rest.Count;
                samples = rest;
                continue;
            }
            samples = SampleColumns.MergeLastWins([samples, layer.Decode()], out var replaced);
            superseded += replaced;
        }
        return new(samples, superseded, deleted);
    }

    /// <summary>The layers that have something in the range; what a tombstone covers whole is left out, and tombstones with nothing under them.</summary>
    private static IEnumerable<Layer> Visible(IReadOnlyCollection<Layer> layers, TimeRange range)
    {
        var within = layers.Where(layer => layer.FirstTime < range.To && layer.LastTime >= range.From);
        if (!layers.Any(layer => layer.IsTombstone))
        {
            return within;
        }
        var tombstones = within.Where(layer => layer.IsTombstone).ToList();
        var left = within.Where(layer => !layer.IsTombstone
            && !tombstones.Exists(t => t.Version > layer.Version && t.FirstTime <= layer.FirstTime && t.LastTime >= layer.LastTime)).ToList();
        return left.Concat(tombstones.Where(t => left.Exists(layer => layer.Version < t.Version && layer.FirstTime <= t.LastTime && layer.LastTime >= t.FirstTime)));
    }

    /// <summary>Groups layers that overlap in time, directly or through another, in time order; leaves out those outside the range.</summary>
    private static IEnumerable<List<Layer>> Clusters(IReadOnlyCollection<Layer> layers, TimeRange range)
    {
        var sorted = Visible(layers, range).OrderBy(layer => layer.FirstTime).ThenBy(layer => layer.Version);
        List<Layer> cluster = [];
        var last = long.MinValue;
        foreach (var layer in sorted)
        {
            if (cluster.Count > 0 && layer.FirstTime > last)
            {
                yield return cluster;
                cluster = [];
            }
            cluster.Add(layer);
            last = cluster.Count == 1 ? layer.LastTime : Math.Max(last, layer.LastTime);
        }
        if (cluster.Count > 0)
        {
            yield return cluster;
        }
    }
}

/// <param name="Samples">What holds, sorted, each time once.</param>
/// <param name="Superseded">Samples that a later layer replaced.</param>
/// <param name="Deleted">Samples that a tombstone ended.</param>
public sealed record LayerCount(SampleColumns Samples, long Superseded, long Deleted);
