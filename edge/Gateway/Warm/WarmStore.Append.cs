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
        var superseded = CountSuperseded(held, segments);
        var extent = segments.Aggregate(file.Extent, (sum, s) => sum.Hull(new(s.Segment.FirstTime, s.Segment.LastTime + 1)));

        file = _index.Write(held.Edge, held.Window,
            file with { Through = frame.Through, Bytes = frame.End, Extent = extent, Count = file.Count + accepted - superseded });
        _index.WriteBatch(file.Id, frame.After, frame.Through, batch.Digest, frame.Offset, frame.Payload.Length);
        var series = new Dictionary<string, (long Id, SeriesInfo Info)>();
        foreach (var (shipped, segment, offset, rollupOffset) in segments)
        {
            var start = frame.Offset + WarmFrame.HeaderBytes;
            var info = new SeriesInfo(shipped.Series, held.Edge, shipped.Unit, shipped.Kind);
            if (!series.TryGetValue(info.Name, out var known) && !_series.TryGetValue((info.Edge, info.Name), out known) || known.Info != info)
            {
                series[info.Name] = known = (_index.WriteSeries(info), info);
            }
            _index.Write(known.Id, new(file.Id, segment.FirstTime, segment.LastTime,
                shipped.Version, segment.Count, start + offset, shipped.Bytes.Length, start + rollupOffset, shipped.Rollups.Length));
        }
        _index.Count(Counter.Received, accepted);
        _index.Count(Counter.Accepted, accepted);
        _index.Count(Counter.Superseded, superseded);
        return new(held.With(file), new(frame.Through, accepted, superseded), series);
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
        _catalog.Put(window.ToHolding(Node)!);
    }
}
