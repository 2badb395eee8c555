using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Gateway.Warm;

/// <content>The conservation account of this hop.</content>
public sealed partial class WarmStore
{
    private static class Counter
    {
        public const string Received = "received";
        public const string Accepted = "accepted";
        public const string Superseded = "superseded";
        public const string Deleted = "deleted";
        public const string Expired = "expired";
        public const string RejectedPrefix = "rejected:";
    }

    // Distinct (series, time) found in the files of a window, until the window changes. Under the lock.
    private readonly Dictionary<(string Edge, Window Window), long> _recounts = [];

    /// <summary>
    /// Received, accepted, rejected and superseded as counted when they happened; held as counted now from the segments that are stored;
    /// released as the archive verified it. So it balances only if nothing was lost or doubled in between.
    /// </summary>
    /// <remarks>
    /// Superseded is told by what is kept here: a correction of a sample that was archived before it came is another unique one, because the
    /// archive too keeps it as a layer of its own.
    /// </remarks>
    public Ledger CountLedger()
    {
        _writing.Wait();
        try
        {
            var counters = _index.ReadCounters();
            var rejected = counters.Where(c => c.Key.StartsWith(Counter.RejectedPrefix, StringComparison.Ordinal))
                .ToDictionary(c => c.Key[Counter.RejectedPrefix.Length..], c => c.Value);
            var held = _windows.Values.Where(w => !_damaged.ContainsKey((w.Edge, w.Window))).Sum(CountStored);
            var lacking = _lacking.Values.Sum(lack => lack.Samples);
            var lost = lacking + _windows.Values.Where(w => _damaged.ContainsKey((w.Edge, w.Window))).Sum(w => w.Files.Sum(f => f.Count));
            var released = _index.ReadArchived().Sum(a => a.Count) - lacking;
            var deleted = counters.GetValueOrDefault(Counter.Deleted);
            var expired = counters.GetValueOrDefault(Counter.Expired);
            return new()
            {
                Node = Node,
                Received = counters.GetValueOrDefault(Counter.Received),
                Accepted = counters.GetValueOrDefault(Counter.Accepted),
                Rejected = rejected.Values.Sum(),
                RejectedBy = rejected,
                Superseded = counters.GetValueOrDefault(Counter.Superseded),
                Unique = held + released + expired + deleted + lost,
                Lost = lost,
                Deleted = deleted,
                Expired = expired,
                Held = held,
                Released = released,
            };
        }
        finally
        {
            _writing.Release();
        }
    }

    private long CountStored(WarmWindow window)
    {
        if (!window.IsHeld)
        {
            return 0;
        }
        var key = (window.Edge, window.Window);
        if (!_recounts.TryGetValue(key, out var count))
        {
            _recounts[key] = count = Recount(window);
        }
        return count;
    }

    private long Recount(WarmWindow window) => Recount(window, out _);

    /// <param name="deleted">Samples of these files that deletions in these files ended.</param>
    private long Recount(WarmWindow window, out long deleted)
    {
        var count = 0L;
        deleted = 0;
        var tombstones = TombstonesOf(_index.Writer, window.Files).ToLookup(t => t.Series);
        using var reader = new SegmentReader();
        foreach (var file in window.Files)
        {
            OpenOrThrow(reader, window, file);
        }
        var rows = window.Files.SelectMany(file => WarmIndex.ReadSegments(_index.Writer, file.Id));
        foreach (var series in rows.GroupBy(r => r.Series, r => r.Row))
        {
            if (tombstones.Contains(series.Key))
            {
                var all = SeriesScan.Count([.. reader.Read([.. series], withRollups: false), .. tombstones[series.Key].Select(t => t.ToLayer())]);
                count += all.Samples.Count;
                deleted += all.Deleted;
                continue;
            }
            foreach (var cluster in Clusters(series))
            {
                count += cluster.Count == 1 ? cluster[0].Count
                    : SampleColumns.MergeLastWins([.. reader.Read(cluster, withRollups: false).Select(layer => layer.Decode())], out _).Count;
            }
        }
        return count;
    }

    private void OpenOrThrow(SegmentReader reader, WarmWindow window, WarmFile file)
    {
        var path = _options.PathOf(window.Edge, new(window.Window, file.After));
        if (!reader.TryOpen(file.Id, path))
        {
            throw new IOException($"{path} is missing");
        }
    }

    /// <summary>Rows that overlap in time, directly or through another, stand together: only they can share a sample.</summary>
    private static IEnumerable<List<SegmentRow>> Clusters(IEnumerable<SegmentRow> rows)
    {
        List<SegmentRow> cluster = [];
        var last = long.MinValue;
        foreach (var row in rows.OrderBy(r => r.First))
        {
            if (cluster.Count > 0 && row.First > last)
            {
                yield return cluster;
                cluster = [];
            }
            cluster.Add(row);
            last = Math.Max(last, row.Last);
        }
        if (cluster.Count > 0)
        {
            yield return cluster;
        }
    }
}
