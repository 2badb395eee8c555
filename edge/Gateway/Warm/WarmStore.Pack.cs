using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Gateway.Pack;
using Microsoft.Extensions.Logging;

namespace Foretier.Gateway.Warm;

/// <content>
/// What moving a window to the archive needs: 1. seal its files and write the intent down, 2. read it, merged, 3. once the archive has it,
/// drop it here. A crash before 3 leaves an intent, with which the same flushes are packed again.
/// </content>
public sealed partial class WarmStore
{
    /// <summary>Windows that begin before a time and of which something is kept here, oldest first.</summary>
    internal IReadOnlyList<WarmWindow> HeldBefore(long before) => [.. _windows.Values.Where(w => w.IsHeld && w.Window.Start < before)
        .OrderBy(w => w.Window).ThenBy(w => w.Edge, StringComparer.Ordinal)];

    /// <summary>Windows of which something is kept here and that got nothing for a time, quiet the longest first.</summary>
    internal IReadOnlyList<WarmWindow> QuietSince(DateTimeOffset time) => [.. _windows.Values.Where(w => w.IsHeld && !_damaged.ContainsKey((w.Edge, w.Window)))
        .Select(w => (Window: w, At: WrittenAt(w))).Where(w => w.At <= time).OrderBy(w => w.At).ThenBy(w => w.Window.Window).Select(w => w.Window)];

    // When windows last got something, as far as that was since the start; before, their files say it.
    private readonly System.Collections.Concurrent.ConcurrentDictionary<(string Edge, Window Window), DateTimeOffset> _writtenAt = [];

    private DateTimeOffset WrittenAt(WarmWindow window) => _writtenAt.GetOrAdd((window.Edge, window.Window), _ =>
    {
        var file = new DateTimeOffset(File.GetLastWriteTimeUtc(_options.PathOf(window.Edge, new(window.Window, window.Files[^1].After))), TimeSpan.Zero);
        return file < _clock.GetUtcNow() ? file : _clock.GetUtcNow();
    });

    /// <summary>Moves that had begun when the process ended.</summary>
    internal Task<List<PackIntent>> ReadIntentsAsync(CancellationToken cancel) => LockedAsync(_index.ReadIntents, cancel);

    /// <summary>Seals the window's files: later batches go to a new one. Null where nothing is left to move.</summary>
    internal Task<PackIntent?> BeginPackAsync(string edge, Window window, CancellationToken cancel) => LockedAsync(() =>
    {
        if (!_windows.TryGetValue((edge, window), out var held) || !held.IsHeld)
        {
            return null;
        }
        var intent = new PackIntent(edge, window, held.After, held.Through);
        var sealing = held with { Files = [.. held.Files.Select(f => f with { Sealed = true })] };
        _index.Writer.Transact(() =>
        {
            foreach (var file in sealing.Files)
            {
                _index.Write(edge, window, file);
            }
            _index.Write(intent);
        });
        _windows[(edge, window)] = sealing;
        return intent;
    }, cancel);

    /// <summary>Opens what is to be moved.</summary>
    /// <exception cref="IOException">A file cannot be read.</exception>
    internal PackReader ReadPack(PackIntent intent)
    {
        if (!_windows.TryGetValue((intent.Edge, intent.Window), out var window) || !FilesOf(window, intent).Any())
        {
            throw new IOException($"{intent.Edge} {intent.Window} is not here any more as it was to be archived");
        }
        var reader = new SegmentReader();
        try
        {
            var rows = new List<(long Series, SegmentRow Row)>();
            using var index = _index.OpenReader();
            var tombstones = TombstonesOf(index, FilesOf(window, intent));
            foreach (var file in FilesOf(window, intent))
            {
                OpenOrThrow(reader, window, file);
                rows.AddRange(WarmIndex.ReadSegments(index, file.Id));
            }
            var rowsOf = rows.ToLookup(r => r.Series, r => r.Row);
            return new(reader, _series.Values.Where(s => s.Info.Edge == intent.Edge && rowsOf.Contains(s.Id))
                .ToDictionary(s => s.Info, s => rowsOf[s.Id].ToList()),
                [.. tombstones.Join(_series.Values, t => t.Series, s => s.Id, (t, s) => (s.Info.Name, t))]);
        }
        catch
        {
            reader.Dispose();
            throw;
        }
    }

    /// <summary>Windows that ended before a time (µs) and of which there still are samples, here or in the archive.</summary>
    internal Task<List<(string Edge, Window Window)>> ReadEndedAsync(long before, CancellationToken cancel) => LockedAsync(() =>
        _windows.Values.Where(w => w.IsHeld).Select(w => (w.Edge, w.Window)).Concat(_index.ReadArchived().Where(h => h.Count > 0).Select(h => (h.Edge, h.Window)))
            .Where(w => w.Window.End <= before).Distinct().OrderBy(w => w.Window).ToList(), cancel);

    /// <summary>The archive has it, verified: from here on it answers for it, and the files go.</summary>
    /// <param name="isExpiry">What it has is nothing: the samples go for good.</param>
    internal async Task CompletePackAsync(PackIntent intent, Holding archived, CancellationToken cancel, bool isExpiry = false)
    {
        var gone = await LockedAsync(() =>
        {
            if (!_index.ReadIntents().Contains(intent))
            {
                throw new IOException($"{intent.Edge} {intent.Window} was forgotten while it was archived, because its edge sends it again");
            }
            var held = _windows[(intent.Edge, intent.Window)];
            var packed = FilesOf(held, intent).ToList();
            var left = held with { Files = held.Files.RemoveRange(packed), ArchivedThrough = Math.Max(held.ArchivedThrough, intent.Through) };
            var before = left.ToHolding(Node)?.Count ?? 0;
            var deleted = 0L;
            var recount = left.IsHeld ? Recount(left, out deleted) : 0;
            _index.Writer.Transact(() =>
            {
                _index.Write(archived);
                foreach (var file in packed)
                {
                    _index.Forget(file);
                }
                _index.Forget(intent);
                _index.Count(Counter.Expired, isExpiry ? packed.Sum(file => file.Count) : 0);
                if (left.IsHeld)
                {
                    // What came while the window was packed and corrects or ends some of it did so here; now it is a layer of its own.
                    var first = left.Files[0];
                    left = left.With(_index.Write(left.Edge, left.Window, first with { Count = first.Count + recount - before }));
                    deleted -= left.Files.Sum(file => _index.ReadDeleted(file.Id));
                    _index.CountDeleted(first.Id, deleted);
                    _index.Count(Counter.Deleted, deleted);
                    _index.Count(Counter.Superseded, before - recount - deleted);
                }
            });
            _windows[(left.Edge, left.Window)] = left;
            _recounts.Remove((left.Edge, left.Window));
            if (isExpiry)
            {
                _damaged.TryRemove((left.Edge, left.Window), out _);
            }
            _catalog.Swap([new(intent.Edge, intent.Window, Node, Tier.Hdd, intent.After)],
                left.ToHolding(Node) is { } rest ? [archived, rest] : [archived]);
            return packed;
        }, cancel).ConfigureAwait(false);

        foreach (var file in gone)
        {
            File.Delete(_options.PathOf(intent.Edge, new(intent.Window, file.After)));
        }
        _log.LogInformation("{What} {Edge} {Window} through {Through}, {Files} files deleted", isExpiry ? "Ended" : "Archived", intent.Edge, intent.Window, intent.Through, gone.Count);
    }

    /// <summary>The archive has put layers of a window together: what they were is forgotten for what they are now.</summary>
    /// <param name="ended">Samples of the layers that are not in the whole any more.</param>
    /// <exception cref="IOException">The layers are not those any more; nothing is noted.</exception>
    internal Task CompleteMergeAsync(Holding merged, IReadOnlyList<Holding> layers, (long Superseded, long Deleted, long Expired) ended, CancellationToken cancel) => LockedAsync(() =>
    {
        if (layers.Except(_index.ReadArchived()).Any())
        {
            throw new IOException($"{merged.Edge} {merged.Window} was forgotten meanwhile, because its edge sends it again");
        }
        _index.Writer.Transact(() =>
        {
            foreach (var layer in layers)
            {
                _index.ForgetArchived(layer);
            }
            _index.Write(merged);
            _index.Count(Counter.Superseded, ended.Superseded);
            _index.Count(Counter.Deleted, ended.Deleted);
            _index.Count(Counter.Expired, ended.Expired);
        });
        _catalog.Swap(layers.Select(HoldingKey.Of), [merged]);
        if (ended.Expired > 0)
        {
            LacksNoMore(merged.Edge, merged.Window);
            foreach (var copy in _copies.Values.Where(copy => copy.Edge == merged.Edge && copy.Window == merged.Window && Unlist(copy)))
            {
                Forget(copy);
            }
        }
        return true;
    }, cancel);

    /// <summary>What the archive has of windows in several layers, each chain from its beginning.</summary>
    internal Task<List<List<Holding>>> ReadLayeredAsync(CancellationToken cancel) => LockedAsync(() =>
        _index.ReadArchived().GroupBy(h => (h.Edge, h.Window)).Select(of => of.OrderBy(h => h.After).ToList())
            .Where(chain => chain.Count > 1 && chain[0].After == 0 && IsArchivedWhole(chain[0].Edge, chain[0].Window) && chain.Skip(1).Zip(chain).All(pair => pair.First.After == pair.Second.Through)).ToList(), cancel);

    private static IEnumerable<WarmFile> FilesOf(WarmWindow window, PackIntent intent) =>
        window.Files.Where(f => f.After >= intent.After && f.Through <= intent.Through);

    private async Task<T> LockedAsync<T>(Func<T> action, CancellationToken cancel)
    {
        await _writing.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            return action();
        }
        finally
        {
            _writing.Release();
        }
    }
}
