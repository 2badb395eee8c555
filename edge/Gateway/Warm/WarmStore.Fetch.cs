using System.Globalization;
using Foretier.Core.Query;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Segments;
using Foretier.Core.Tiers;
using Microsoft.Data.Sqlite;

namespace Foretier.Gateway.Warm;

/// <content>Answers from the disk.</content>
public sealed partial class WarmStore
{
    /// <summary>
    /// Answers for every part whose flushes are all here, with all there is after part.After: what came after part.Through belongs to the
    /// same window and would win anyway.
    /// </summary>
    public Task<FetchResult> FetchAsync(FetchRequest request, CancellationToken cancel) => Task.Run(() => Fetch(request, cancel), cancel);

    private FetchResult Fetch(FetchRequest request, CancellationToken cancel)
    {
        var slices = new List<Slice>();
        var gone = new List<int>();
        var uses = new List<TierUse>();
        try
        {
            using var index = _index.OpenReader();
            for (var part = 0; part < request.Parts.Count; part++)
            {
                cancel.ThrowIfCancellationRequested();
                if (!TryFetch(index, request, part, slices, uses))
                {
                    gone.Add(part);
                }
            }
            return new(slices, gone, uses);
        }
        catch (Exception error) when (error is IOException or SegmentFormatException or SqliteException or UnauthorizedAccessException)
        {
            throw new DataSourceUnavailableException(Node, error.Message, error);
        }
    }

    private bool TryFetch(Statements index, FetchRequest request, int number, List<Slice> slices, List<TierUse> uses)
    {
        var started = _clock.GetTimestamp();
        var part = request.Parts[number];
        var range = part.Range.Clip(part.Window.Range);
        if (!_windows.TryGetValue((part.Edge, part.Window), out var window) || !window.IsHeld
            || window.After > part.After || window.Through < part.Through)
        {
            return false;
        }
        using var reader = new SegmentReader();
        var files = window.Files.Where(f => f.Through > part.After).ToList();
        if (!files.TrueForAll(f => reader.TryOpen(f.Id, _options.PathOf(part.Edge, new(part.Window, f.After)))))
        {
            return false;
        }
        if (!TryFindRows(index, request.Series, part, range, files, out var rows, out var tombstones))
        {
            return false;
        }
        var resolution = long.MaxValue;
        var layers = reader.Read(rows.ConvertAll(r => r.Row), withRollups: !request.Raw);
        var all = rows.Zip(layers, (row, layer) => (row.Series, Layer: layer)).Concat(tombstones.Select(t => (t.Series, Layer: t.Row.ToLayer())));
        foreach (var series in all.GroupBy(r => r.Series, r => r.Layer))
        {
            var slice = request.Raw ? new Slice(number, series.Key, SeriesScan.Raw(range, [.. series]), null)
            {
                Erased = part.After == 0 ? [] : [.. tombstones.Where(t => t.Series == series.Key).Select(t => t.Row.Range.Clip(range))],
            }
                : new Slice(number, series.Key, null, request.NewRows());
            resolution = Math.Min(resolution, request.Raw ? 0 : SeriesScan.Into(slice.Rows!, request.GridOf(part with { Range = range }), [.. series]));
            if (slice.Samples?.Count > 0 || slice.Erased.Count > 0 || slice.Rows?.Count > 0)
            {
                slices.Add(slice);
            }
        }
        if (rows.Count > 0)
        {
            uses.Add(new(Tier.Hdd, Node, range, NameOf(resolution), _clock.GetElapsedTime(started).TotalMilliseconds));
        }
        return true;
    }

    /// <summary>Segments of one snapshot of the catalog; false where a file of the window was archived since its handle was taken.</summary>
    private bool TryFindRows(Statements index, IReadOnlyList<string> names, FetchPart part, TimeRange range, List<WarmFile> files,
        out List<(string Series, SegmentRow Row)> rows, out List<(string Series, TombstoneRow Row)> tombstones)
    {
        rows = [];
        tombstones = [];
        index.Run("BEGIN");
        try
        {
            foreach (var file in files)
            {
                if (!WarmIndex.HasFile(index, file.Id))
                {
                    return false;
                }
                var ended = TombstonesOf(index, [file]);
                foreach (var name in names)
                {
                    if (_series.TryGetValue((part.Edge, name), out var series) && !range.IsEmpty)
                    {
                        rows.AddRange(WarmIndex.ReadSegments(index, file.Id, series.Id, range.From, range.To - 1, part.After).Select(row => (name, row)));
                        tombstones.AddRange(ended.Where(t => t.Series == series.Id && t.Version > part.After && t.Range.Overlaps(range)).Select(t => (name, t)));
                    }
                }
            }
            return true;
        }
        finally
        {
            index.Run("COMMIT");
        }
    }

    private static string NameOf(long resolution) => resolution switch
    {
        0 => "raw",
        long.MaxValue => "summary",
        _ when resolution % Instant.Hour == 0 => (resolution / Instant.Hour).ToString(CultureInfo.InvariantCulture) + "h",
        _ when resolution % Instant.Minute == 0 => (resolution / Instant.Minute).ToString(CultureInfo.InvariantCulture) + "m",
        _ => (resolution / Instant.Second).ToString(CultureInfo.InvariantCulture) + "s",
    };
}
