using System.Runtime.InteropServices;
using Foretier.Core.Partitions;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Segments;
using Foretier.Protocol.Shipping;

namespace Foretier.Gateway.Receive;

/// <summary>A segment of a batch, opened and found good, and where it lies in the batch's bytes.</summary>
internal sealed record IncomingSegment(ShippedSegment Shipped, Segment Segment, int Offset, int RollupOffset);

/// <summary>A batch whose bytes are what the edge sent, and every segment of which can be read.</summary>
internal sealed record IncomingBatch(
    Window Window, long After, long Through, string Digest, ReadOnlyMemory<byte> Bytes, IReadOnlyList<IncomingSegment> Segments)
{
    private static readonly string[] Kinds = ["gauge", "counter", "state", "event"];

    /// <summary>
    /// Checks everything that can be checked without looking at what is stored: 1. digest, 2. framing, 3. that it is the batch it was
    /// announced as, 4. each segment: name, kind, version, bytes, times in the window, rollups over exactly its samples.
    /// </summary>
    /// <returns>The batch, or null and why it is refused.</returns>
    public static IncomingBatch? Check(ReadOnlyMemory<byte> bytes, string? digest, Window window, long after, long through, out BatchRefusal? refusal)
    {
        var actual = ShipBatch.DigestOf(bytes.Span);
        if (digest is not null && !string.Equals(digest, actual, StringComparison.OrdinalIgnoreCase))
        {
            refusal = new("digest_mismatch", $"the bytes have SHA-256 {actual}, announced was {digest}; send them again", 1);
            return null;
        }
        var batch = Parse(bytes, actual, out refusal);
        if (batch is not null && (batch.Window != window || batch.After != after || batch.Through != through))
        {
            refusal = new("wrong_batch", $"the bytes are batch {batch.After}-{batch.Through} of {batch.Window}, not {after}-{through} of {window}", batch.Samples);
            return null;
        }
        return batch;
    }

    /// <summary>What was deleted in it.</summary>
    public IReadOnlyList<ShippedTombstone> Tombstones { get; init; } = [];

    public long Samples => Segments.Sum(s => (long)s.Segment.Count);

    public static IncomingBatch? Parse(ReadOnlyMemory<byte> bytes, string digest, out BatchRefusal? refusal)
    {
        try
        {
            refusal = null;
            var batch = ShipBatch.Parse(bytes);
            return new(batch.Window, batch.After, batch.Through, digest, bytes, [.. batch.Segments.Select(s => Open(s, batch, bytes))]) { Tombstones = [.. batch.Tombstones.Select(t => Check(t, batch))] };
        }
        catch (Exception error) when (error is FormatException or SegmentFormatException)
        {
            refusal = new("bad_batch", error.Message, 1);
            return null;
        }
    }

    private static ShippedTombstone Check(ShippedTombstone tombstone, ShipBatch batch)
    {
        Check(tombstone.Series, tombstone.Kind, tombstone.Version, batch);
        return !tombstone.Range.IsEmpty && batch.Window.Range.Contains(tombstone.Range) ? tombstone
            : throw new FormatException($"{tombstone.Series} has a deletion of {tombstone.Range}, outside of {batch.Window}");
    }

    private static void Check(string series, string kind, long version, ShipBatch batch)
    {
        if (!SeriesKey.TryParse(series, out _))
        {
            throw new FormatException($"'{series}' is not account/device/measurement");
        }
        if (!Kinds.Contains(kind))
        {
            throw new FormatException($"{series} has the unknown kind '{kind}'");
        }
        if (version <= batch.After || version > batch.Through)
        {
            throw new FormatException($"{series} has something of flush {version}, outside of ({batch.After}, {batch.Through}]");
        }
    }

    private static IncomingSegment Open(ShippedSegment shipped, ShipBatch batch, ReadOnlyMemory<byte> bytes)
    {
        Check(shipped.Series, shipped.Kind, shipped.Version, batch);
        var segment = Segment.Open(shipped.Bytes);
        if (segment.Count < 1 || !batch.Window.Range.Contains(segment.FirstTime) || !batch.Window.Range.Contains(segment.LastTime))
        {
            throw new FormatException($"{shipped.Series} has a segment of {Instant.Format(segment.FirstTime)} to {Instant.Format(segment.LastTime)}, outside of {batch.Window}");
        }
        if (!shipped.Rollups.IsEmpty)
        {
            var counted = 0L;
            using var rows = RollupBlock.Decode(shipped.Rollups.Span, out _);
            foreach (ref readonly var row in rows.Rows)
            {
                counted += row.Rollup.Count;
            }
            if (counted != segment.Count)
            {
                throw new FormatException($"{shipped.Series} has rollups over {counted} samples beside a segment of {segment.Count}");
            }
        }
        return new(shipped, segment, OffsetOf(shipped.Bytes, bytes), OffsetOf(shipped.Rollups, bytes));
    }

    private static int OffsetOf(ReadOnlyMemory<byte> part, ReadOnlyMemory<byte> whole) =>
        MemoryMarshal.TryGetArray(part, out var inner) && MemoryMarshal.TryGetArray(whole, out var outer) && inner.Array == outer.Array
            ? inner.Offset - outer.Offset : throw new ArgumentException("a batch is parsed from an array, in place");
}
