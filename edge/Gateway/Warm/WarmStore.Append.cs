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

        ShipReceipt receipt = null!;
        var stored = held;
        _index.Writer.Transact(() => (stored, receipt) = Record(held, file, frame, batch));
        Publish(stored);
        _log.LogDebug("Stored {Edge} {Window} through {Through}: {Accepted} samples, {Superseded} superseding",
            held.Edge, held.Window, stored.Through, receipt.Accepted, receipt.Superseded);
        return new(ReceiveOutcome.Stored, stored.Through, receipt);
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

    /// <summary>Writes everything the catalog says of a frame that is in its file; within a transaction.</summary>
    private (WarmWindow Window, ShipReceipt Receipt) Record(WarmWindow held, WarmFile file, WarmFrame frame, IncomingBatch batch)
    {
        // Of a batch that begins before what is held, the earlier flushes have been received with another one.
        var segments = batch.Segments.Where(s => s.Shipped.Version > frame.After).ToList();
        var accepted = segments.Sum(s => (long)s.Segment.Count);
        var superseded = CountSuperseded(held, segments);
        var extent = segments.Aggregate(file.Extent, (sum, s) => sum.Hull(new(s.Segment.FirstTime, s.Segment.LastTime + 1)));

        file = _index.Write(held.Edge, held.Window,
            file with { Through = frame.Through, Bytes = frame.End, Extent = extent, Count = file.Count + accepted - superseded });
        _index.WriteBatch(file.Id, batch.After, frame.Through, batch.Digest, frame.Offset, frame.Payload.Length);
        foreach (var (shipped, segment, offset, rollupOffset) in segments)
        {
            var start = frame.Offset + WarmFrame.HeaderBytes;
            _index.Write(SeriesId(new(shipped.Series, held.Edge, shipped.Unit, shipped.Kind)), new(file.Id, segment.FirstTime, segment.LastTime,
                shipped.Version, segment.Count, start + offset, shipped.Bytes.Length, start + rollupOffset, shipped.Rollups.Length));
        }
        _index.Count(Counter.Received, accepted);
        _index.Count(Counter.Accepted, accepted);
        _index.Count(Counter.Superseded, superseded);
        return (held.With(file), new(frame.Through, accepted, superseded));
    }

    /// <summary>How many of the samples replace one of the same series and time in an earlier batch, or earlier in this one.</summary>
    private long CountSuperseded(WarmWindow held, List<IncomingSegment> incoming)
    {
        var superseded = 0L;
        using var stored = new SegmentReader();
        foreach (var series in incoming.GroupBy(s => s.Shipped.Series))
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
        return superseded;
    }

    private Layer[] ReadStored(SegmentReader reader, WarmWindow held, string series, long first, long last)
    {
        if (!held.IsHeld || !_series.TryGetValue((held.Edge, series), out var known))
        {
            return [];
        }
        var rows = held.Files.SelectMany(file => WarmIndex.ReadSegments(_index.Writer, file.Id, known.Id, first, last, 0)).ToList();
        foreach (var file in held.Files.Where(file => rows.Exists(row => row.File == file.Id)))
        {
            var path = _options.PathOf(held.Edge, new(held.Window, file.After));
            if (!reader.TryOpen(file.Id, path))
            {
                throw new IOException($"{path} is missing");
            }
        }
        return reader.Read(rows, withRollups: false);
    }

    private long SeriesId(SeriesInfo series)
    {
        var key = (series.Edge, series.Name);
        if (!_series.TryGetValue(key, out var known) || known.Info != series)
        {
            // Right even if the transaction is rolled back: ids are not given twice, because a row once numbered is asked for by name again.
            known = (_index.WriteSeries(series), series);
            _series[key] = known;
        }
        return known.Id;
    }

    private void Publish(WarmWindow window)
    {
        _windows[(window.Edge, window.Window)] = window;
        _recounted.Remove((window.Edge, window.Window));
    }
}
