using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Segments;
using Foretier.Core.Tiers;
using Microsoft.Data.Sqlite;
using FileCache = Foretier.Core.Query.LayerCache<(string Edge, Foretier.Core.Partitions.Window Window, long After, long Copy), (long Through, long Bytes)>;

namespace Foretier.Gateway.Warm;

/// <content>Answers from the disk.</content>
public sealed partial class WarmStore
{
    /// <summary>
    /// Answers for every part whose flushes are all here, with all there is after part.After: what came after part.Through belongs to the
    /// same window and would win anyway.
    /// </summary>
    public Task<FetchResult> FetchAsync(FetchRequest request, CancellationToken cancel) =>
        (long)request.Series.Count * request.Parts.Count <= AtOnceMax && Fetch(request, mayWait: false, cancel) is { } result ? Task.FromResult(result)
        : Task.Run(() => Fetch(request, mayWait: true, cancel)!, cancel);

    /// <summary>What a request may touch to be answered by whoever brought it: less than a hand-over to another thread costs.</summary>
    private const int AtOnceMax = 64;

    /// <summary>A series of a file with more bytes than this is read as far as it is asked for, and not remembered.</summary>
    private const long RememberBytesMax = 1 << 20;

    private readonly FileCache _cache;
    private long _diskReads, _diskBytes, _neededBytes;

    /// <summary>What was read of data files to answer, since the start: how often, bytes, and how many of these were segments and rollups that were asked for.</summary>
    public (long Reads, long Bytes, long Needed) DiskReads => (Interlocked.Read(ref _diskReads), Interlocked.Read(ref _diskBytes), Interlocked.Read(ref _neededBytes));

    /// <returns>Null where it may not wait, and the disk has to be read.</returns>
    private FetchResult? Fetch(FetchRequest request, bool mayWait, CancellationToken cancel)
    {
        var scan = new FetchScan(request);
        var wanted = new Dictionary<string, List<(int Place, long Id)>>(StringComparer.Ordinal);
        try
        {
            for (var part = 0; part < request.Parts.Count; part++)
            {
                cancel.ThrowIfCancellationRequested();
                var edge = request.Parts[part].Edge;
                if (!wanted.TryGetValue(edge, out var series))
                {
                    wanted[edge] = series = SeriesOf(edge, request.Series);
                }
                switch (Read(request, part, scan, series, mayWait))
                {
                    case null:
                        return null;
                    case false:
                        scan.Gone(part);
                        break;
                }
            }
            return scan.Result();
        }
        catch (Exception error) when (error is IOException or SegmentFormatException or SqliteException or UnauthorizedAccessException)
        {
            throw new DataSourceUnavailableException(Node, error.Message, error);
        }
    }

    private List<(int Place, long Id)> SeriesOf(string edge, IReadOnlyList<string> names)
    {
        var found = new List<(int, long)>(names.Count);
        for (var place = 0; place < names.Count; place++)
        {
            if (_series.TryGetValue((edge, names[place]), out var series))
            {
                found.Add((place, series.Id));
            }
        }
        return found;
    }

    /// <returns>False where the part is not here as it was asked for; null where it may not wait and has to.</returns>
    private bool? Read(FetchRequest request, int number, FetchScan scan, List<(int Place, long Id)> series, bool mayWait)
    {
        var started = _clock.GetTimestamp();
        var part = request.Parts[number];
        var range = part.Range.Clip(part.Window.Range);
        var window = _windows.GetValueOrDefault((part.Edge, part.Window));
        var copy = CopyFor(request, part, window);
        if (copy is null && (window is null || !window.IsHeld || window.After > part.After || window.Through < part.Through))
        {
            return false;
        }
        try
        {
            return Read(request, number, scan, series, mayWait, range, copy, copy is not null ? [copy.File] : window!.Files.Where(f => f.Through > part.After), started);
        }
        catch (Exception error) when (copy is not null && error is IOException or SegmentFormatException)
        {
            Distrust(copy!, error);
            return copy!.Source == CopyOf.Own ? Read(request, number, scan, series, mayWait, range, null, window!.Files.Where(f => f.Through > part.After), started) : false;
        }
    }

    private bool? Read(FetchRequest request, int number, FetchScan scan, List<(int Place, long Id)> series, bool mayWait, TimeRange range, WarmCopy? copy, IEnumerable<WarmFile> files, long started)
    {
        var part = request.Parts[number];
        var found = new FoundLayers(request.Series.Count);
        foreach (var file in range.IsEmpty ? [] : files)
        {
            // (Ids of files are given again, those of copies are not.)
            var known = _cache.Of((part.Edge, part.Window, file.After, Math.Min(0, file.Id)), (file.Through, file.Bytes));
            List<(int Place, long Id)>? unknown = null;
            foreach (var (place, id) in series)
            {
                if (known.Find(id) is { } layers)
                {
                    found.Add(place, layers, range, part.After);
                }
                else
                {
                    (unknown ??= []).Add((place, id));
                }
            }
            if (unknown is null)
            {
                continue;
            }
            if (!mayWait)
            {
                return null;
            }
            if (!TryReadFile(file, part, range, unknown, withRollups: !request.Raw, known, found))
            {
                return false;
            }
        }
        var (resolution, isUsed) = (long.MaxValue, false);
        foreach (var (place, _) in series)
        {
            if (found.Of(place) is { } layers)
            {
                resolution = Math.Min(resolution, scan.Add(number, range, place, layers, part.After == 0 || !request.Raw ? null : ErasedBy(layers, range)));
                isUsed = isUsed || layers.Any(static layer => !layer.IsTombstone);
            }
        }
        if (isUsed)
        {
            copy?.Read();
            scan.Used(new(Tier.Hdd, Node, range, FetchScan.NameOf(resolution), _clock.GetElapsedTime(started).TotalMilliseconds));
        }
        return true;
    }

    private static TimeRange[] ErasedBy(IReadOnlyList<Layer> layers, TimeRange range) =>
        [.. layers.Where(layer => layer.IsTombstone).Select(layer => new TimeRange(layer.FirstTime, layer.LastTime + 1).Clip(range))];

    /// <summary>Reads series of a file, whole where that is little enough to be remembered; false where the file was archived since its handle was taken.</summary>
    private bool TryReadFile(WarmFile file, FetchPart part, TimeRange range, List<(int Place, long Id)> wanted, bool withRollups,
        FileCache.CachedFile known, FoundLayers found)
    {
        using var reader = new SegmentReader();
        if (!reader.TryOpen(file.Id, PathOf(part, file)))
        {
            return false;
        }
        List<(int Place, long Id, List<SegmentRow> Rows, List<TombstoneRow> Tombstones, bool IsWhole)> read = [];
        using (var index = _index.OpenReader())
        {
            if (!TryFindRows(index, file, range, wanted, read))
            {
                return false;
            }
        }
        // By themselves: layers share the bytes of one read, and what is remembered must not keep others alive.
        foreach (var together in read.GroupBy(f => f.IsWhole))
        {
            var layers = reader.Read([.. together.SelectMany(f => f.Rows)], withRollups || together.Key);
            var at = 0;
            foreach (var (place, id, rows, tombstones, isWhole) in together)
            {
                Layer[] all = [.. layers.AsSpan(at, rows.Count), .. tombstones.Select(t => t.ToLayer())];
                at += rows.Count;
                if (isWhole)
                {
                    known.Put(id, all);
                }
                found.Add(place, all, range, part.After);
            }
        }
        Interlocked.Add(ref _diskReads, reader.Reads);
        Interlocked.Add(ref _diskBytes, reader.BytesRead);
        Interlocked.Add(ref _neededBytes, reader.BytesNeeded);
        return true;
    }

    /// <summary>What one snapshot of the catalog knows of series of a file; false where it does not know the file any more.</summary>
    private static bool TryFindRows(Statements index, WarmFile file, TimeRange range, List<(int Place, long Id)> wanted,
        List<(int Place, long Id, List<SegmentRow> Rows, List<TombstoneRow> Tombstones, bool IsWhole)> found)
    {
        index.Run("BEGIN");
        try
        {
            if (!WarmIndex.HasFile(index, file.Id))
            {
                return false;
            }
            var tombstones = WarmIndex.ReadTombstones(index, file.Id).ToLookup(t => t.Series);
            foreach (var (place, id) in wanted)
            {
                // Batches that came since belong to a later version of the file.
                var rows = WarmIndex.ReadSegments(index, file.Id, id, long.MinValue, long.MaxValue, long.MinValue).Where(row => row.Offset < file.Bytes).ToList();
                var isWhole = rows.Sum(row => (long)row.Length + row.RollupLength) <= RememberBytesMax;
                found.Add((place, id, isWhole ? rows : [.. rows.Where(row => row.First < range.To && row.Last >= range.From)],
                    [.. tombstones[id].Where(t => t.Version <= file.Through)], isWhole));
            }
            return true;
        }
        finally
        {
            index.Run("COMMIT");
        }
    }
}
