using System.Globalization;
using Foretier.Core.Query;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Segments;
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
            if (ReadRepaired(request, part, series, cancel) is not { } found)
            {
                gone.Add(i);
                continue;
            }
            try
            {
                var resolution = long.MaxValue;
                foreach (var (entry, layers) in found.Layers)
                {
                    if (request.Raw)
                    {
                        slices.Add(new(i, entry.Name, SeriesScan.Raw(part.Range, layers), null) { Erased = found.ErasedOf(entry.Id, part) });
                        resolution = 0;
                        continue;
                    }
                    var rows = request.NewRows();
                    resolution = Math.Min(resolution, SeriesScan.Into(rows, request.GridOf(part), layers));
                    slices.Add(new(i, entry.Name, null, rows));
                }
                var elapsed = _clock.GetElapsedTime(began).TotalMilliseconds;
                uses.AddRange(found.Uses(part, Node, resolution, elapsed));
            }
            catch (SegmentFormatException e)
            {
                throw new DataSourceUnavailableException(Node, $"a block of {part.Window} is damaged: {e.Message}", e);
            }
        }
        return new(slices, gone, uses);
    }

    private Found? ReadRepaired(FetchRequest request, FetchPart part, List<SeriesEntry> series, CancellationToken cancel)
    {
        try
        {
            return Read(request, part, series);
        }
        catch (InvalidDataException e)
        {
            WindowFileName name;
            lock (_gate)
            {
                name = StateOf(part.Window).FileName;
            }
            try
            {
                RepairAsync(name, e.Message, cancel).GetAwaiter().GetResult();
                return Read(request, part, series);
            }
            catch (Exception again) when (again is IOException or InvalidDataException)
            {
                throw new DataSourceUnavailableException(Node, $"{name.Data} is damaged, and repairing it failed: {again.Message}", again);
            }
        }
    }

    /// <summary>
    /// The layers of the part; null where this store does not hold it as it was asked for. Memory is looked at first, under the lock, the file
    /// after: what a flush moves in between is then seen in both and merges to the same, and is never seen in none.
    /// </summary>
    private Found? Read(FetchRequest request, FetchPart part, List<SeriesEntry> series)
    {
        var found = new Found();
        var columns = new List<(SeriesEntry Series, SeriesSnapshot Columns, long Version)>();
        WindowFileName? name = null;
        lock (_gate)
        {
            if (part.Edge != Node || part.Through != Holding.Latest || !_windows.TryGetValue(part.Window, out var state)
                || part.After != (state.Rollups is null ? state.Dropped.Through : 0)
                || (state.Rollups is not null && (request.Raw || request.Needs != RollupParts.None || !request.GridOf(part).IsAligned(Instant.Minute))))
            {
                return null;
            }
            name = state.Meta is null && state.Rollups is null ? null : state.FileName;
            foreach (var tombstone in part.After > 0 && state.Meta is { Tombstones: { Count: > 0 } tombstones } ? tombstones : [])
            {
                if (series.Find(entry => entry.Id == tombstone.Series) is { } entry)
                {
                    found.Erase(entry, tombstone.Range, part);
                }
            }
            foreach (var entry in series)
            {
                if (state.Frozen is { } moving && moving.TryTake(entry.Id, out var frozen))
                {
                    columns.Add((entry, frozen, long.MaxValue - 1));
                }
                if (state.Open.TryTake(entry.Id, out var open))
                {
                    columns.Add((entry, open, long.MaxValue));
                }
            }
        }
        foreach (var (entry, snapshot, version) in columns)
        {
            foreach (var (_, range) in snapshot.Erasures)
            {
                found.Erase(entry, range, part, version);
            }
            var samples = snapshot.Sorted(part.Range);
            if (samples.Count > 0)
            {
                found.Add(entry, Layer.Of(version, samples), Tier.Memory);
            }
        }
        if (name is null || TryReadFile(name.Value, part, series, found))
        {
            return found;
        }
        lock (_gate)
        {
            if (!_windows.TryGetValue(part.Window, out var state) || state.Meta is null || state.FileName == name)
            {
                return null;
            }
        }
        return Read(request, part, series); // the same samples stand in the next generation: sealed, or repaired
    }

    private bool TryReadFile(WindowFileName name, FetchPart part, List<SeriesEntry> series, Found found)
    {
        try
        {
            using var lease = _files.Take(name);
            foreach (var block in lease.File.Read([.. series.Select(entry => entry.Id)], part.Range))
            {
                found.Add(_series.Find(block.Series)!, block.ToLayer(part.Window), Tier.Ssd);
            }
            return true;
        }
        catch (FileNotFoundException)
        {
            return false; // given up since
        }
        catch (Exception e) when (e is IOException or SegmentFormatException)
        {
            throw new DataSourceUnavailableException(Node, $"reading {name.Data} failed: {e.Message}", e);
        }
    }

    private static string ResolutionName(long step) => step switch
    {
        0 => "raw",
        long.MaxValue => "summary",
        _ when step % Instant.Hour == 0 => string.Create(CultureInfo.InvariantCulture, $"{step / Instant.Hour}h"),
        _ when step % Instant.Minute == 0 => string.Create(CultureInfo.InvariantCulture, $"{step / Instant.Minute}m"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{step / Instant.Second}s"),
    };

    /// <summary>What one part has, and from which tiers it came.</summary>
    private sealed class Found
    {
        private readonly Dictionary<int, (SeriesEntry Series, List<Layer> Layers)> _layers = [];
        private readonly List<(int Series, TimeRange Range)> _erased = [];
        private TimeRange _memory = TimeRange.Nothing, _ssd = TimeRange.Nothing;

        public IEnumerable<(SeriesEntry Series, List<Layer> Layers)> Layers => _layers.Values;

        public void Add(SeriesEntry series, Layer layer, Tier tier)
        {
            if (!_layers.TryGetValue(series.Id, out var entry))
            {
                _layers[series.Id] = entry = (series, []);
            }
            entry.Layers.Add(layer);
            ref var extent = ref tier == Tier.Memory ? ref _memory : ref _ssd;
            extent = extent.Hull(new(layer.FirstTime, layer.LastTime + 1));
        }

        /// <summary>Notes a deletion: of what is below this part, and with a version also of what the part itself has from before it.</summary>
        public void Erase(SeriesEntry series, TimeRange range, FetchPart part, long? version = null)
        {
            if (!range.Overlaps(part.Range))
            {
                return;
            }
            if (!_layers.TryGetValue(series.Id, out var entry))
            {
                _layers[series.Id] = entry = (series, []);
            }
            if (version is { } later)
            {
                entry.Layers.Add(Layer.Tombstone(later, range));
            }
            if (part.After > 0)
            {
                _erased.Add((series.Id, range.Clip(part.Range)));
            }
        }

        public IReadOnlyList<TimeRange> ErasedOf(int series, FetchPart part) =>
            part.After == 0 ? [] : [.. _erased.Where(erased => erased.Series == series).Select(erased => erased.Range)];

        /// <summary>Both tiers were read in one go; the time is stated with the one that has the more to do.</summary>
        public IEnumerable<TierUse> Uses(FetchPart part, string node, long resolution, double milliseconds)
        {
            if (!_memory.IsEmpty)
            {
                yield return new(Tier.Memory, node, _memory.Clip(part.Range), "raw", _ssd.IsEmpty ? milliseconds : 0);
            }
            if (!_ssd.IsEmpty)
            {
                yield return new(Tier.Ssd, node, _ssd.Clip(part.Range), ResolutionName(resolution), milliseconds);
            }
        }
    }
}
