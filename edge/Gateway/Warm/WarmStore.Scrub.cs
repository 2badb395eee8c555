using Foretier.Archive;
using Foretier.Core.Partitions;
using Foretier.Core.Tiers;
using Foretier.Protocol.Shipping;
using Microsoft.Extensions.Logging;

namespace Foretier.Gateway.Warm;

/// <content>Whether what was acknowledged is still there, here and in the archive: found out at the start and by looking at everything now and then; and getting it back.</content>
public sealed partial class WarmStore
{
    // Windows of which acknowledged bytes are missing or are others now, and what is wrong. Under the lock to write.
    private readonly System.Collections.Concurrent.ConcurrentDictionary<(string Edge, Window Window), string> _damaged = [];

    // Windows of which layers cannot be had from the archive any more. Swapped whole under the lock.
    private volatile IReadOnlyDictionary<(string Edge, Window Window), (string What, long Samples)> _lacking = new Dictionary<(string, Window), (string, long)>();

    /// <summary>What was acknowledged and cannot be read any more, for the health page; one sentence a window.</summary>
    public IEnumerable<string> Problems => _damaged.Select(d => (d.Key, What: d.Value)).Concat(_lacking.Select(l => (l.Key, l.Value.What)))
        .OrderBy(p => p.Key.Window).Select(p => $"{p.Key.Edge} {p.Key.Window}: {p.What}; its edge sends it again if it still has it");

    /// <summary>Reads every batch on the disk and compares it with the digest it was acknowledged with. What differs is in <see cref="Problems"/> from then on.</summary>
    /// <param name="pace">Called with the bytes of each batch; completes when reading may go on.</param>
    /// <returns>Batches read, and how many of them were damaged.</returns>
    internal async Task<(long Batches, long Damaged)> ScrubAsync(Func<long, CancellationToken, Task> pace, CancellationToken cancel)
    {
        long batches = 0, damaged = 0;
        foreach (var ((edge, window), held) in _windows.Where(w => w.Value.IsHeld).OrderBy(w => w.Key.Window).ToList())
        {
            foreach (var file in held.Files)
            {
                List<(long Offset, long Length, string Digest)> rows;
                using (var index = _index.OpenReader())
                {
                    rows = index.Query("SELECT offset, length, digest FROM batches WHERE file = ?1 ORDER BY offset",
                        r => (r.GetInt64(0), r.GetInt64(1), r.GetString(2)), file.Id);
                }
                foreach (var (offset, length, digest) in rows)
                {
                    await pace(length, cancel).ConfigureAwait(false);
                    batches++;
                    if (Compare(_options.PathOf(edge, new(window, file.After)), offset, digest) is { } wrong
                        && await LockedAsync(() => NoteDamage(edge, window, file, wrong), cancel).ConfigureAwait(false))
                    {
                        damaged++;
                    }
                }
            }
        }
        return (batches, damaged);
    }

    /// <summary>Notes what of the windows that were moved there cannot be had from the archive any more; what was noted before and is not now has turned up.</summary>
    internal Task NoteLacksAsync(IReadOnlyList<ArchiveLack> lacks, CancellationToken cancel) => LockedAsync(() =>
    {
        var known = _index.ReadArchived().ToHashSet();
        var lacking = lacks.Where(lack => known.Contains(lack.Holding) && lack.Holding is not { Count: 0, Extent.IsEmpty: true }).GroupBy(lack => (lack.Holding.Edge, lack.Holding.Window))
            .ToDictionary(of => of.Key, of => (string.Join(", ", of.Select(lack => lack.What)), of.Sum(lack => lack.Holding.Count)));
        foreach (var (window, (what, samples)) in lacking.Where(one => !_lacking.ContainsKey(one.Key)))
        {
            _log.LogCritical("{Edge} {Window}: {What}: {Samples} samples", window.Edge, window.Window, what, samples);
        }
        _lacking = lacking;
        return true;
    }, cancel);

    /// <summary>True where the archive has all that it was given of a window.</summary>
    internal bool IsArchivedWhole(string edge, Window window) => !_lacking.ContainsKey((edge, window));

    /// <summary>
    /// Forgets what is kept here of a window because its edge, which has all of it, sends it again. Nothing is forgotten that is not damaged, or that
    /// the edge has not from the beginning.
    /// </summary>
    /// <param name="after">The edge has every flush after this one.</param>
    /// <returns>The flush to go on from; null where nothing is forgotten.</returns>
    internal Task<long?> ForgetDamagedAsync(string edge, Window window, long after, CancellationToken cancel) => LockedAsync<long?>(() =>
    {
        if (DamagedAfter(edge, window) is not { } from || after > from)
        {
            return null;
        }
        var held = _windows[(edge, window)];
        // Layers of the archive end where those here begin: where some are lacking all of the window comes again.
        List<Holding> archived = from < held.After ? [.. _index.ReadArchived().Where(holding => holding.Edge == edge && holding.Window == window)] : [];
        var left = held with { Files = [], ArchivedThrough = Math.Min(held.ArchivedThrough, from) };
        // First: were they found by a start after a crash, they would be taken for the beginning of the window. Without them they are missing, and offered again.
        foreach (var file in held.Files)
        {
            File.Delete(_options.PathOf(edge, new(window, file.After)));
        }
        _index.Writer.Transact(() =>
        {
            foreach (var holding in archived)
            {
                _index.Count(Counter.Received, -holding.Count);
                _index.Count(Counter.Accepted, -holding.Count);
                _index.ForgetArchived(holding);
            }
            _index.Forget(new PackIntent(edge, window, held.After, held.Through));
            foreach (var file in held.Files)
            {
                // It is received once more: as if it had never come.
                var accepted = _index.Writer.Number("SELECT SUM(count) FROM segments WHERE file = ?1", file.Id) ?? 0;
                var deleted = _index.ReadDeleted(file.Id);
                _index.Count(Counter.Received, -accepted);
                _index.Count(Counter.Accepted, -accepted);
                _index.Count(Counter.Deleted, -deleted);
                _index.Count(Counter.Superseded, -(accepted - file.Count - deleted));
                _index.Forget(file);
            }
        });
        _windows[(edge, window)] = left;
        _recounts.Remove((edge, window));
        _damaged.TryRemove((edge, window), out _);
        LacksNoMore(edge, window);
        _catalog.Swap([new(edge, window, Node, Tier.Hdd, held.After), .. archived.Select(HoldingKey.Of)], []);
        _log.LogWarning("{Edge} {Window} was damaged and is forgotten after flush {After}; {Edge} sends it again", edge, window, from, edge);
        return from;
    }, cancel);

    /// <summary>Where an edge should send again from; null where the window is as it was acknowledged.</summary>
    internal long? DamagedAfter(string edge, Window window) => !_windows.TryGetValue((edge, window), out var held) ? null
        : _lacking.ContainsKey((edge, window)) ? 0
        : _damaged.ContainsKey((edge, window)) && held.IsHeld ? held.After : null;

    private void LacksNoMore(string edge, Window window) => _lacking = _lacking.Where(one => one.Key != (edge, window)).ToDictionary();

    /// <returns>False where the file has meanwhile been moved to the archive.</returns>
    private bool NoteDamage(string edge, Window window, WarmFile file, string wrong)
    {
        if (!_windows.TryGetValue((edge, window), out var held) || !held.Files.Any(f => f.Id == file.Id && f.After == file.After))
        {
            return false;
        }
        _damaged[(edge, window)] = wrong;
        _log.LogCritical("{Edge} {Window}: {Wrong}", edge, window, wrong);
        return true;
    }

    /// <returns>What is wrong; null where all is well.</returns>
    private static string? Compare(string path, long offset, string digest)
    {
        try
        {
            using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return !WarmFrame.TryRead(handle, offset, out var frame) ? $"{Path.GetFileName(path)} has no whole batch at byte {offset}"
                : ShipBatch.DigestOf(frame.Payload.Span) != digest ? $"the batch at byte {offset} of {Path.GetFileName(path)} is not the one that was acknowledged"
                : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"{Path.GetFileName(path)} cannot be read: {e.Message}";
        }
    }
}
