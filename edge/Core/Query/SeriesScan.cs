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
        var resolution = long.MaxValue;
        foreach (var cluster in Clusters(layers, grid.Range))
        {
            if (cluster.Count > 1)
            {
                rows.Add(Merge(cluster), grid);
                resolution = 0;
                continue;
            }
            var layer = cluster[0];
            if (layer.Segment is { } segment && grid.HoldsWhole(layer.FirstTime, layer.LastTime))
            {
                rows.Merge(grid.StartOf(layer.FirstTime), segment.Summary);
            }
            else if (!layer.Rollups.IsEmpty && TryRollups(rows, grid, layer, out var step))
            {
                resolution = Math.Min(resolution, step);
            }
            else
            {
                Add(rows, grid, layer);
                resolution = 0;
            }
        }
        return resolution;
    }

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
        if (layer.Segment is { } segment)
        {
            segment.AddTo(rows, grid);
        }
        else
        {
            rows.Add(layer.Samples!, grid);
        }
    }

    private static bool TryRollups(BucketRows rows, in BucketGrid grid, Layer layer, out long step)
    {
        // The rows of a step are whole only where range and grid fall on its boundaries or the layer ends inside them.
        var stored = RollupBlock.Decode(layer.Rollups.Span, out step);
        if ((grid.Step != 0 && (grid.Step % step != 0 || grid.Origin % step != 0))
            || (grid.Range.From > layer.FirstTime && grid.Range.From % step != 0)
            || (grid.Range.To <= layer.LastTime && grid.Range.To % step != 0))
        {
            return false;
        }
        foreach (ref readonly var row in stored.Rows)
        {
            if (grid.Range.Contains(row.Rollup.FirstTime))
            {
                rows.Merge(grid.StartOf(row.Start < grid.Range.From ? row.Rollup.FirstTime : row.Start), row.Rollup);
            }
        }
        return true;
    }

    private static SampleColumns Merge(List<Layer> cluster)
    {
        cluster.Sort((a, b) => a.Version.CompareTo(b.Version));
        return SampleColumns.MergeLastWins(cluster.ConvertAll(layer => layer.Decode()), out _);
    }

    /// <summary>Groups layers that overlap in time, directly or through another, in time order; leaves out those outside the range.</summary>
    private static IEnumerable<List<Layer>> Clusters(IReadOnlyCollection<Layer> layers, TimeRange range)
    {
        var sorted = layers.Where(layer => layer.FirstTime < range.To && layer.LastTime >= range.From)
            .OrderBy(layer => layer.FirstTime).ThenBy(layer => layer.Version);
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
