using Foretier.Core.Query;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Segments;
using Foretier.Core.Tiers;

namespace Foretier.Agent.Hot;

public sealed partial class HotStore
{
    /// <summary>
    /// What a request may touch to be answered by whoever brought it, series of windows and samples: not much more than a hand-over to another thread costs. What is more
    /// would hold up ingest.
    /// </summary>
    private const int AtOnceMax = 64, SamplesAtOnceMax = 10_000;

    private readonly LayerCache<WindowFileName, WindowMeta> _cache;

    /// <inheritdoc/>
    public Task<FetchResult> FetchAsync(FetchRequest request, CancellationToken cancel) =>
        (long)request.Series.Count * request.Parts.Count <= AtOnceMax && FetchAtOnce(request, cancel) is { } result ? Task.FromResult(result) : FetchLaterAsync(request, cancel);

    private Task<FetchResult> FetchLaterAsync(FetchRequest request, CancellationToken cancel) => Task.Run(() => Fetch(request, cancel), cancel);

    private FetchResult Fetch(FetchRequest request, CancellationToken cancel)
    {
        var (scan, series) = (new FetchScan(request), EntriesOf(request));
        for (var i = 0; i < request.Parts.Count; i++)
        {
            Scan(scan, request, i, ReadRepaired(request, request.Parts[i], series, mayWait: true, cancel));
        }
        return scan.Result();
    }

    /// <returns>Null where a file has to be read or much to be decoded: known before any of it is done.</returns>
    private FetchResult? FetchAtOnce(FetchRequest request, CancellationToken cancel)
    {
        var (found, series, samples) = (new Found?[request.Parts.Count], EntriesOf(request), 0L);
        for (var i = 0; i < found.Length; i++)
        {
            found[i] = ReadRepaired(request, request.Parts[i], series, mayWait: false, cancel);
            samples += found[i]?.Layers.Samples ?? 0;
            if (found[i] is { IsUnread: true } || samples > SamplesAtOnceMax)
            {
                return null;
            }
        }
        var scan = new FetchScan(request);
        for (var i = 0; i < found.Length; i++)
        {
            Scan(scan, request, i, found[i]);
        }
        return scan.Result();
    }

    /// <summary>What is known of the series, by their places; null where nothing is.</summary>
    private SeriesEntry?[] EntriesOf(FetchRequest request)
    {
        var series = new SeriesEntry?[request.Series.Count];
        for (var place = 0; place < series.Length; place++)
        {
            series[place] = _series.Find(request.Series[place]);
        }
        return series;
    }

    private void Scan(FetchScan scan, FetchRequest request, int number, Found? found)
    {
        if (found is null)
        {
            scan.Gone(number);
            return;
        }
        var (part, began, resolution) = (request.Parts[number], _clock.GetTimestamp(), long.MaxValue);
        try
        {
            for (var place = 0; place < request.Series.Count; place++)
            {
                if (found.Layers.Of(place) is { } layers)
                {
                    resolution = Math.Min(resolution, scan.Add(number, part.Range, place, layers, request.Raw ? found.ErasedOf(place, part) : null));
                }
            }
        }
        catch (SegmentFormatException e)
        {
            throw new DataSourceUnavailableException(Node, $"a block of {part.Window} is damaged: {e.Message}", e);
        }
        found.TellUses(scan, part, Node, resolution, (found.Took + _clock.GetElapsedTime(began)).TotalMilliseconds);
    }

    private Found? ReadRepaired(FetchRequest request, FetchPart part, SeriesEntry?[] series, bool mayWait, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        var began = _clock.GetTimestamp();
        try
        {
            if (Read(request, part, series, mayWait) is not { } found)
            {
                return null;
            }
            found.Took = _clock.GetElapsedTime(began);
            return found;
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
                return Read(request, part, series, mayWait);
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
    private Found? Read(FetchRequest request, FetchPart part, SeriesEntry?[] series, bool mayWait)
    {
        var found = new Found(series.Length);
        List<(int Place, SeriesSnapshot Columns, long Version)> columns = [];
        WindowFileName? name = null;
        WindowMeta? meta;
        lock (_gate)
        {
            if (part.Edge != Node || part.Through != Holding.Latest || !_windows.TryGetValue(part.Window, out var state)
                || part.After != (state.Rollups is null ? state.Dropped.Through : 0)
                || (state.Rollups is not null && (request.Raw || request.Needs != RollupParts.None || !request.GridOf(part.Range).IsAligned(Instant.Minute))))
            {
                return null;
            }
            meta = state.Meta ?? state.Rollups;
            name = meta is null ? null : state.FileName;
            foreach (var tombstone in part.After > 0 && state.Meta is { Tombstones: { Count: > 0 } tombstones } ? tombstones : [])
            {
                if (Array.FindIndex(series, entry => entry?.Id == tombstone.Series) is var place and >= 0)
                {
                    found.Erase(place, tombstone.Range, part);
                }
            }
            for (var place = 0; place < series.Length && state.IsInMemory; place++)
            {
                if (series[place] is not { } entry)
                {
                    continue;
                }
                if (state.Frozen is { } moving && moving.TryTake(entry.Id, out var frozen))
                {
                    columns.Add((place, frozen, long.MaxValue - 1));
                }
                if (state.Open.TryTake(entry.Id, out var open))
                {
                    columns.Add((place, open, long.MaxValue));
                }
            }
        }
        foreach (var (place, snapshot, version) in columns)
        {
            if (!mayWait && snapshot.Count > SamplesAtOnceMax)
            {
                // (They may have to be sorted.)
                found.IsUnread = true;
                return found;
            }
            foreach (var (_, range) in snapshot.Erasures)
            {
                found.Erase(place, range, part, version);
            }
            var samples = snapshot.Sorted(part.Range);
            if (samples.LowerBound(part.Range.From) < samples.LowerBound(part.Range.To))
            {
                found.AddMemory(place, Layer.Of(version, samples));
            }
        }
        if (name is null || TryReadFile(name.Value, meta!, part, series, found, mayWait))
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
        return Read(request, part, series, mayWait); // the same samples stand in the next generation: sealed, or repaired
    }

    /// <summary>
    /// Adds what the file has, as far as possible from what is remembered of it. That is at least what it had when its description was taken:
    /// what has come since is in memory too.
    /// </summary>
    private bool TryReadFile(WindowFileName name, WindowMeta meta, FetchPart part, SeriesEntry?[] series, Found found, bool mayWait)
    {
        var known = _cache.Of(name, meta);
        List<(int Place, int Id)>? unknown = null;
        for (var place = 0; place < series.Length; place++)
        {
            if (series[place] is not { } entry)
            {
                continue;
            }
            if (known.Find(entry.Id) is { } layers)
            {
                found.AddFile(place, layers, part.Range);
            }
            else
            {
                (unknown ??= []).Add((place, entry.Id));
            }
        }
        if (unknown is null)
        {
            return true;
        }
        if (!mayWait)
        {
            found.IsUnread = true;
            return true;
        }
        return TryReadFile(name, known, part, unknown, found);
    }

    private bool TryReadFile(WindowFileName name, LayerCache<WindowFileName, WindowMeta>.CachedFile known, FetchPart part, List<(int Place, int Id)> unknown, Found found)
    {
        try
        {
            using var lease = _files.Take(name);
            // The whole of it, to be remembered, where that is not much: of large files only what is asked for.
            var isWorth = _cache.HasRoomFor(lease.File.Bytes / Math.Max(1, _series.Count) * unknown.Count);
            var blocks = lease.File.Read([.. unknown.Select(entry => entry.Id)], isWorth ? part.Window.Range : part.Range).ToLookup(block => block.Series);
            foreach (var (place, id) in unknown)
            {
                Layer[] layers = [.. blocks[id].Select(block => block.ToLayer(part.Window))];
                if (isWorth)
                {
                    known.Put(id, layers);
                }
                found.AddFile(place, layers, part.Range);
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

    /// <summary>What one part has, series by their places in the request, and from which tiers it came.</summary>
    /// <param name="series">How many are asked for.</param>
    private sealed class Found(int series)
    {
        private List<(int Place, TimeRange Range)>? _erased;
        private TimeRange _memory = TimeRange.Nothing, _ssd = TimeRange.Nothing;

        /// <summary>A file has to be read first, or much of memory.</summary>
        public bool IsUnread { get; set; }

        /// <summary>Reading it.</summary>
        public TimeSpan Took { get; set; }

        public FoundLayers Layers { get; } = new(series);

        /// <summary>Adds those of a file's layers that meet the range.</summary>
        public void AddFile(int place, IReadOnlyList<Layer> stored, TimeRange range) => _ssd = _ssd.Hull(Layers.Add(place, stored, range));

        public void AddMemory(int place, Layer layer)
        {
            Layers.Add(place, layer);
            _memory = _memory.Hull(new(layer.FirstTime, layer.LastTime + 1));
        }

        /// <summary>Notes a deletion: of what is below this part, and with a version also of what the part itself has from before it.</summary>
        public void Erase(int place, TimeRange range, FetchPart part, long? version = null)
        {
            if (!range.Overlaps(part.Range))
            {
                return;
            }
            if (version is { } later)
            {
                Layers.Add(place, Layer.Tombstone(later, range));
            }
            else
            {
                Layers.Note(place);
            }
            if (part.After > 0)
            {
                (_erased ??= []).Add((place, range.Clip(part.Range)));
            }
        }

        public IReadOnlyList<TimeRange> ErasedOf(int place, FetchPart part) =>
            part.After == 0 || _erased is null ? [] : [.. _erased.Where(erased => erased.Place == place).Select(erased => erased.Range)];

        /// <summary>Both tiers were read in one go; the time is stated with the one that has the more to do.</summary>
        public void TellUses(FetchScan scan, FetchPart part, string node, long resolution, double milliseconds)
        {
            if (!_memory.IsEmpty)
            {
                scan.Used(new(Tier.Memory, node, _memory.Clip(part.Range), "raw", _ssd.IsEmpty ? milliseconds : 0));
            }
            if (!_ssd.IsEmpty)
            {
                scan.Used(new(Tier.Ssd, node, _ssd.Clip(part.Range), FetchScan.NameOf(resolution), milliseconds));
            }
        }
    }
}
