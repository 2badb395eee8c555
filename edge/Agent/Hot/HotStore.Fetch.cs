using System.Globalization;
using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Agent.Hot;

public sealed partial class HotStore
{
    /// <inheritdoc/>
    public Task<FetchResult> FetchAsync(FetchRequest request, CancellationToken cancel) => Task.Run(() => Fetch(request, cancel), cancel);

    private FetchResult Fetch(FetchRequest request, CancellationToken cancel)
    {
        var slices = new List<Slice>();
        var gone = new List<int>();
        var uses = new List<TierUse>();
        var series = request.Series.Select(_series.Find).OfType<SeriesEntry>().DistinctBy(entry => entry.Id).ToList();
        for (var i = 0; i < request.Parts.Count; i++)
        {
            cancel.ThrowIfCancellationRequested();
            var part = request.Parts[i];
            var began = _clock.GetTimestamp();
            if (Layers(part, series) is not { } found)
            {
                gone.Add(i);
                continue;
            }
            var resolution = long.MaxValue;
            foreach (var (entry, layers) in found)
            {
                if (request.Raw)
                {
                    slices.Add(new(i, entry.Name, SeriesScan.Raw(part.Range, layers), null));
                    resolution = 0;
                }
                else
                {
                    var rows = new BucketRows();
                    resolution = Math.Min(resolution, SeriesScan.Into(rows, request.GridOf(part), layers));
                    slices.Add(new(i, entry.Name, null, rows));
                }
            }
            if (found.Count > 0)
            {
                var ms = _clock.GetElapsedTime(began).TotalMilliseconds;
                uses.Add(new(Tier.Memory, Node, part.Range.Clip(part.Window.Range), ResolutionName(resolution), ms));
            }
        }
        return new(slices, gone, uses);
    }

    /// <summary>What the part has of each series; null where this store does not hold the part as it was asked for.</summary>
    private List<(SeriesEntry Series, List<Layer> Layers)>? Layers(FetchPart part, List<SeriesEntry> series)
    {
        var snapshots = new List<(SeriesEntry Entry, OpenColumns.Snapshot Columns)>();
        lock (_gate)
        {
            if (part.Edge != Node || part.After != 0 || part.Through != Holding.Latest || !_windows.TryGetValue(part.Window, out var state))
            {
                return null;
            }
            foreach (var entry in series)
            {
                if (state.Open.Series.TryGetValue(entry.Id, out var columns))
                {
                    snapshots.Add((entry, columns.Take()));
                }
            }
        }
        var found = new List<(SeriesEntry, List<Layer>)>();
        foreach (var (entry, snapshot) in snapshots)
        {
            var columns = snapshot.Sorted(part.Range);
            if (columns.Count > 0)
            {
                found.Add((entry, [Layer.Of(long.MaxValue, columns)]));
            }
        }
        return found;
    }

    private static string ResolutionName(long step) => step switch
    {
        0 => "raw",
        long.MaxValue => "summary",
        _ when step % Instant.Hour == 0 => string.Create(CultureInfo.InvariantCulture, $"{step / Instant.Hour}h"),
        _ when step % Instant.Minute == 0 => string.Create(CultureInfo.InvariantCulture, $"{step / Instant.Minute}m"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{step / Instant.Second}s"),
    };
}
