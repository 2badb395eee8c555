using System.Collections.Concurrent;
using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Durable;
using Microsoft.Extensions.Logging;

namespace Foretier.Gateway.Warm;

/// <content>
/// Copies made ahead of reads. A copy is a file "FWC1" · segments and rollups, one after the other, each with its own checksum; where they lie is in the
/// catalog, without which it is worthless and deleted. It answers for exactly the flushes it was made of: where the window has got more
/// since, it is passed over. What cannot be read is dropped, and the asker goes where it came from.
/// </content>
public sealed partial class WarmStore
{
    // Changed under the lock once the disk has it; read by anyone.
    private readonly ConcurrentDictionary<(string Edge, Window Window, long After, CopyOf Source), WarmCopy> _copies = [];
    private readonly ConcurrentDictionary<long, long> _readsSaved = [];

    /// <summary>All copies there are.</summary>
    internal IReadOnlyCollection<WarmCopy> Copies => [.. _copies.Values];

    /// <summary>Windows of which files are kept here.</summary>
    internal IEnumerable<WarmWindow> Held => _windows.Values.Where(window => window.IsHeld);

    /// <summary>What the archive was last known to have.</summary>
    internal Task<List<Holding>> ReadArchivedAsync(CancellationToken cancel) => LockedAsync(_index.ReadArchived, cancel);

    /// <summary>
    /// Makes a copy durable and lets questions find it. Nothing is locked while it is written.
    /// </summary>
    /// <param name="copy">Its id, bytes and extent are still to come.</param>
    /// <param name="write">Gives each series once, whole.</param>
    /// <returns>Null where there is such a copy already, or what it was made of has changed meanwhile.</returns>
    /// <exception cref="IOException">The disk refused; there is no such copy.</exception>
    internal async Task<WarmCopy?> MakeCopyAsync(WarmCopy copy, Func<CopyWriter, Task> write, CancellationToken cancel)
    {
        Directory.CreateDirectory(_options.CopiesPath);
        var temporary = Path.Combine(_options.CopiesPath, $"{copy.Edge}.{copy.Window}.{copy.File.After}.new");
        try
        {
            CopyWriter writer;
            using (var file = File.OpenHandle(temporary, FileMode.Create, FileAccess.ReadWrite, FileShare.None))
            {
                writer = new(file, copy.Resolution, copy.File.Through);
                await write(writer).ConfigureAwait(false);
                writer.Flush();
                Disk.Sync(file);
            }
            return await LockedAsync(() => Adopt(copy, writer, temporary), cancel).ConfigureAwait(false);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    private WarmCopy? Adopt(WarmCopy copy, CopyWriter writer, string temporary)
    {
        var key = (copy.Edge, copy.Window, copy.File.After, copy.Source);
        if (_copies.ContainsKey(key) || (copy.Source == CopyOf.Own && !IsAsItWas(copy, writer.Samples)))
        {
            return null;
        }
        var known = new Dictionary<string, (long Id, SeriesInfo Info)>(StringComparer.Ordinal);
        _index.Writer.Transact(() =>
        {
            copy = _index.Write(copy with { File = copy.File with { Bytes = writer.Length, Extent = writer.Extent, Count = writer.Samples } });
            foreach (var (info, row) in writer.Rows)
            {
                if (!_series.TryGetValue((copy.Edge, info.Name), out var series) && !known.TryGetValue(info.Name, out series))
                {
                    known[info.Name] = series = (_index.WriteSeries(info with { Edge = copy.Edge }), info with { Edge = copy.Edge });
                }
                _index.Write(series.Id, row with { File = -copy.Id });
            }
            foreach (var (name, range) in writer.Erased)
            {
                if (_series.TryGetValue((copy.Edge, name), out var series))
                {
                    // Of the flushes before: those of the copy itself are without them already.
                    _index.Write(-copy.Id, series.Id, copy.File.After + 1, range);
                    _hasTombstones = true;
                }
            }
            _index.Count(Instant.Now(_clock) / Instant.Day, NameOf(copy), new(1, copy.Moved, copy.Bytes, 0, 0, 0, 0, 0));
            File.Move(temporary, _options.PathOf(copy), overwrite: true);
            Disk.SyncDirectory(_options.CopiesPath);
        });
        foreach (var series in known.Values)
        {
            _series[(series.Info.Edge, series.Info.Name)] = series;
        }
        _copies[key] = copy;
        if (copy.ToHolding(Node) is { } holding)
        {
            _catalog.Put(holding);
        }
        return copy;
    }

    /// <summary>Batches may have come while its window was read.</summary>
    private bool IsAsItWas(WarmCopy copy, long samples) => _windows.TryGetValue((copy.Edge, copy.Window), out var window) && window.IsHeld
        && window.After == copy.File.After && window.Through == copy.File.Through && window.Files.Sum(file => file.Count) == samples;

    /// <summary>The catalog forgets a copy, then its file goes: what asks for it meanwhile asks where it came from.</summary>
    internal Task DropCopyAsync(WarmCopy copy, CancellationToken cancel) => LockedAsync(() =>
    {
        if (Unlist(copy))
        {
            Forget(copy);
        }
        return true;
    }, cancel);

    /// <summary>From here on nobody is sent to it.</summary>
    private bool Unlist(WarmCopy copy)
    {
        if (!_copies.TryRemove(new((copy.Edge, copy.Window, copy.File.After, copy.Source), copy)))
        {
            return false;
        }
        if (copy.ToHolding(Node) is { } holding)
        {
            _catalog.Remove(HoldingKey.Of(holding));
        }
        return true;
    }

    private void Forget(WarmCopy copy)
    {
        _index.Writer.Transact(() =>
        {
            SaveReads(copy);
            if (copy.Reads == 0)
            {
                _index.Count(Instant.Now(_clock) / Instant.Day, NameOf(copy), new(0, 0, 0, 0, 0, 1, copy.Bytes, 0));
            }
            _index.Forget(copy);
        });
        _readsSaved.TryRemove(copy.Id, out _);
        File.Delete(_options.PathOf(copy));
    }

    /// <summary>Writes down what was read from copies since the last time.</summary>
    internal Task SaveReadsAsync(CancellationToken cancel) => LockedAsync(() =>
    {
        if (_copies.Values.Any(copy => copy.Reads > _readsSaved.GetValueOrDefault(copy.Id)))
        {
            _index.Writer.Transact(() =>
            {
                foreach (var copy in _copies.Values)
                {
                    SaveReads(copy);
                }
            });
        }
        return true;
    }, cancel);

    /// <summary>What was made ahead since a day (since 1970), and what became of it, as of now.</summary>
    internal Dictionary<string, MoveCounts> CountMoves(long sinceDay)
    {
        _writing.Wait();
        try
        {
            _index.Writer.Transact(() =>
            {
                foreach (var copy in _copies.Values)
                {
                    SaveReads(copy);
                }
            });
            return _index.ReadMoves(sinceDay);
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>What a copy is called in the account.</summary>
    internal static string NameOf(WarmCopy copy) => copy.Source == CopyOf.Own ? "rollups" : copy.Resolution == 0 ? "staged" : "staged rollups";

    private void SaveReads(WarmCopy copy)
    {
        long reads = copy.Reads, saved = _readsSaved.GetValueOrDefault(copy.Id);
        if (reads > saved)
        {
            _index.WriteReads(copy, reads);
            _index.Count(Instant.Now(_clock) / Instant.Day, NameOf(copy), new(0, 0, 0, saved == 0 ? 1 : 0, saved == 0 ? copy.Bytes : 0, 0, 0, reads - saved));
            _readsSaved[copy.Id] = reads;
        }
    }

    /// <summary>At the start: what the catalog and the folder both have stays.</summary>
    private void LoadCopies()
    {
        var known = _index.ReadCopies();
        foreach (var copy in known)
        {
            var file = new FileInfo(_options.PathOf(copy));
            if (file.Exists && file.Length == copy.Bytes)
            {
                _copies[(copy.Edge, copy.Window, copy.File.After, copy.Source)] = copy;
                _readsSaved[copy.Id] = copy.Reads;
                continue;
            }
            Forget(copy);
        }
        if (Directory.Exists(_options.CopiesPath))
        {
            var kept = _copies.Values.Select(_options.PathOf).ToHashSet(StringComparer.Ordinal);
            foreach (var stale in Directory.EnumerateFiles(_options.CopiesPath).Where(path => !kept.Contains(path)))
            {
                File.Delete(stale);
            }
        }
    }

    /// <summary>The copy that has exactly what a part asks for, in the form that the request needs; null where there is none.</summary>
    private WarmCopy? CopyFor(FetchRequest request, FetchPart part, WarmWindow? window)
    {
        if (window is { IsHeld: true } && part.After == window.After && part.Through == window.Through
            && _copies.TryGetValue((part.Edge, part.Window, part.After, CopyOf.Own), out var own) && own.File.Through == part.Through && Answers(own, request, part))
        {
            return own;
        }
        return _copies.TryGetValue((part.Edge, part.Window, part.After, CopyOf.Archive), out var staged) && staged.File.Through == part.Through && Answers(staged, request, part)
            ? staged : null;
    }

    private static bool Answers(WarmCopy copy, FetchRequest request, FetchPart part)
    {
        if (copy.Resolution == 0)
        {
            return true;
        }
        // A step that the range cuts through is known to the samples alone.
        return !request.Raw && request.Needs == RollupParts.None && request.GridOf(part.Range).IsMadeOf(copy.Resolution)
            && (part.Range.From % copy.Resolution == 0 || part.Range.From <= copy.File.Extent.From)
            && (part.Range.To % copy.Resolution == 0 || part.Range.To >= copy.File.Extent.To);
    }

    private string PathOf(FetchPart part, WarmFile file) =>
        file.Id < 0 ? Path.Combine(_options.CopiesPath, FormattableString.Invariant($"{-file.Id}.copy")) : _options.PathOf(part.Edge, new(part.Window, file.After));

    /// <summary>A copy that cannot be read is no loss: it goes, and the asker is sent to where it came from.</summary>
    private void Distrust(WarmCopy copy, Exception reason)
    {
        if (!Unlist(copy))
        {
            return;
        }
        _log.LogWarning("The copy of {Edge} {Window} through {Through} cannot be read ({Reason}) and is dropped", copy.Edge, copy.Window, copy.File.Through, reason.Message);
        _ = Task.Run(async () =>
        {
            try
            {
                await LockedAsync(() =>
                {
                    Forget(copy);
                    return true;
                }, CancellationToken.None).ConfigureAwait(false);
            }
            catch (Exception failure) when (failure is IOException or ObjectDisposedException or Microsoft.Data.Sqlite.SqliteException)
            {
                _log.LogWarning("It could not be forgotten ({Reason}): it is looked at again at the next start", failure.Message);
            }
        });
    }
}
