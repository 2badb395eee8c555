using Foretier.Durable;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Segments;
using Foretier.Core.Tiers;
using Foretier.Gateway.Receive;
using Foretier.Protocol.Shipping;
using Microsoft.Extensions.Logging;

namespace Foretier.Gateway.Warm;

/// <content>The way of a batch onto the disk. All of it runs under the lock.</content>
public sealed partial class WarmStore
{
    private ReceiveResult Store(WarmWindow held, IncomingBatch batch)
    {
        var file = held.IsHeld && !held.Files[^1].Sealed ? held.Files[^1] : NewFile(held.Through);
        var frame = new WarmFrame(held.Through, batch.Through, file.Bytes, batch.Bytes);
        Append(held, file, frame);

        Recorded recorded = null!;
        _index.Writer.Transact(() => recorded = Record(held, file, frame, batch));
        Publish(recorded);
        _log.LogDebug("Stored {Edge} {Window} through {Through}: {Accepted} samples, {Superseded} superseding",
            held.Edge, held.Window, frame.Through, recorded.Receipt.Accepted, recorded.Receipt.Superseded);
        return new(ReceiveOutcome.Stored, frame.Through, recorded.Receipt);
    }

    private static WarmFile NewFile(long after) => new(0, after, after, 0, false, TimeRange.Nothing, 0);

    private void Append(WarmWindow held, WarmFile file, WarmFrame frame)
    {
        var folder = _options.PathOf(held.Edge);
        if (!Directory.Exists(folder))
        {
            Directory.CreateDirectory(folder);
            Disk.SyncDirectory(Path.GetDirectoryName(folder)!);
        }
        using var handle = File.OpenHandle(_options.PathOf(held.Edge, new(held.Window, file.After)), FileMode.OpenOrCreate, FileAccess.ReadWrite,
            FileShare.Read | FileShare.Delete);
        // An append that failed before its commit leaves bytes here; behind a shorter frame they would look like a torn one.
        if (RandomAccess.GetLength(handle) > file.Bytes)
        {
            RandomAccess.SetLength(handle, file.Bytes);
        }
        frame.Write(handle);
        Disk.Sync(handle);
        if (file.Bytes == 0)
        {
            Disk.SyncDirectory(folder);
        }
    }

    /// <summary>What a frame changed, to be seen by others once its transaction has been committed.</summary>
    private sealed record Recorded(WarmWindow Window, ShipReceipt Receipt, IReadOnlyDictionary<string, (long Id, SeriesInfo Info)> Series);

    /// <summary>Writes everything the catalog says of a frame that is in its file; within a transaction.</summary>
    private Recorded Record(WarmWindow held, WarmFile file, WarmFrame frame, IncomingBatch batch)
    {
        // Of a batch that begins before what is held, the earlier flushes have been received with another one.
        var segments = batch.Segments.Where(s => s.Shipped.Version > frame.After).ToList();
        var accepted = segments.Sum(s => (long)s.Segment.Count);
        var tombstones = batch.Tombstones.Where(t => t.Version > frame.After).ToList();
        var (superseded, deleted) = CountReplaced(held, segments, tombstones);
        var extent = segments.Aggregate(file.Extent, (sum, s) => sum.Hull(new(s.Segment.FirstTime, s.Segment.LastTime + 1)));
        extent = tombstones.Aggregate(extent, (sum, t) => sum.Hull(t.Range));

        file = _index.Write(held.Edge, held.Window,
            file with { Through = frame.Through, Bytes = frame.End, Extent = extent, Count = file.Count + accepted - superseded - deleted });
        _index.WriteBatch(file.Id, frame.After, frame.Through, batch.Digest, frame.Offset, frame.Payload.Length);
        var series = new Dictionary<string, (long Id, SeriesInfo Info)>();
        long IdOf(string name, string? unit, string kind)
        {
            var info = new SeriesInfo(name, held.Edge, unit, kind);
            if (!series.TryGetValue(info.Name, out var known) && !_series.TryGetValue((info.Edge, info.Name), out known) || known.Info != info)
            {
                series[info.Name] = known = (_index.WriteSeries(info), info);
            }
            return known.Id;
        }
        foreach (var (shipped, segment, offset, rollupOffset) in segments)
        {
            var start = frame.Offset + WarmFrame.HeaderBytes;
            _index.Write(IdOf(shipped.Series, shipped.Unit, shipped.Kind), new(file.Id, segment.FirstTime, segment.LastTime,
                shipped.Version, segment.Count, start + offset, shipped.Bytes.Length, start + rollupOffset, shipped.Rollups.Length));
        }
        foreach (var tombstone in tombstones)
        {
            _hasTombstones = true;
            _index.Write(file.Id, IdOf(tombstone.Series, tombstone.Unit, tombstone.Kind), tombstone.Version, tombstone.Range);
        }
        _index.CountDeleted(file.Id, deleted);
        _index.Count(Counter.Deleted, deleted);
        _index.Count(Counter.Received, accepted);
        _index.Count(Counter.Accepted, accepted);
        _index.Count(Counter.Superseded, superseded);
        return new(held.With(file), new(frame.Through, accepted, superseded, deleted), series);
    }

    /// <summary>
    /// How many of the samples replace one of the same series and time in an earlier batch, or earlier in this one, and how many of all these
    /// the batch's tombstones end.
    /// </summary>
    private (long Superseded, long Deleted) CountReplaced(WarmWindow held, List<IncomingSegment> incoming, List<ShippedTombstone> ended)
    {
        long superseded = 0, deleted = 0;
        using var stored = new SegmentReader();
        var endedBefore = TombstonesOf(_index.Writer, held.Files);
        var incomingOf = incoming.ToLookup(s => s.Shipped.Series);
        foreach (var name in ended.Select(t => t.Series).Concat(endedBefore.Count == 0 ? [] : incomingOf.Select(s => s.Key)).Distinct())
        {
            // Deletions stand between the layers: all of them are put over each other, without and with the batch.
            var before = ReadStored(stored, held, name, long.MinValue, long.MaxValue).ToList();
            before.AddRange(endedBefore.Where(t => _series.TryGetValue((held.Edge, name), out var known) && known.Id == t.Series).Select(t => t.ToLayer()));
            var (was, now) = (SeriesScan.Count(before), SeriesScan.Count([.. before, .. ended.Where(t => t.Series == name).Select(t => Layer.Tombstone(t.Version, t.Range)),
                .. incomingOf[name].Select(s => Layer.Of(s.Shipped.Version, s.Segment))]));
            superseded += now.Superseded - was.Superseded;
            deleted += now.Deleted - was.Deleted;
        }
        foreach (var series in incomingOf.Where(s => endedBefore.Count == 0 && !ended.Exists(t => t.Series == s.Key)))
        {
            var earlier = new List<Segment>();
            foreach (var (shipped, segment, _, _) in series.OrderBy(s => s.Shipped.Version))
            {
                var under = earlier.Where(e => e.FirstTime <= segment.LastTime && e.LastTime >= segment.FirstTime)
                    .Select(e => Layer.Of(shipped.Version, e)).Concat(ReadStored(stored, held, shipped.Series, segment.FirstTime, segment.LastTime)).ToList();
                if (under.Count > 0)
                {
                    var there = SampleColumns.MergeLastWins(under.ConvertAll(layer => layer.Decode()), out _);
                    SampleColumns.MergeLastWins([there, Layer.Of(shipped.Version, segment).Decode()], out var equal);
                    superseded += equal;
                }
                earlier.Add(segment);
            }
        }
        return (superseded, deleted);
    }

    // False until the first deletion there ever was: then nobody needs to look for any.
    private volatile bool _hasTombstones;

    private List<TombstoneRow> TombstonesOf(Statements index, IEnumerable<WarmFile> files) =>
        !_hasTombstones ? [] : [.. files.SelectMany(file => WarmIndex.ReadTombstones(index, file.Id))];

    private Layer[] ReadStored(SegmentReader reader, WarmWindow held, string series, long first, long last)
    {
        if (!held.IsHeld || !_series.TryGetValue((held.Edge, series), out var known))
        {
            return [];
        }
        var rows = held.Files.SelectMany(file => WarmIndex.ReadSegments(_index.Writer, file.Id, known.Id, first, last, 0)).ToList();
        foreach (var file in held.Files.Where(file => rows.Exists(row => row.File == file.Id)))
        {
            OpenOrThrow(reader, held, file);
        }
        return reader.Read(rows, withRollups: false);
    }

    private void Publish(Recorded recorded)
    {
        foreach (var known in recorded.Series.Values)
        {
            _series[(known.Info.Edge, known.Info.Name)] = known;
            _catalog.Put(known.Info);
        }
        var window = recorded.Window;
        _windows[(window.Edge, window.Window)] = window;
        _recounts.Remove((window.Edge, window.Window));
        _writtenAt[(window.Edge, window.Window)] = _clock.GetUtcNow();
        _catalog.Put(window.ToHolding(Node)!);
    }
}
