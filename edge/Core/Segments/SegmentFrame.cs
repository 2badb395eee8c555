using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using ZstdSharp;

namespace Foretier.Core.Segments;

/// <summary>The frame of a segment: magic, version, header, chunks, checksum. Byte diagrams in FORMAT.md.</summary>
internal static class SegmentFrame
{
    public const byte Magic = 0xF7;

    private const int UnitMask = 3;
    private const int IsChunked = 4;
    private const int HasStatistics = 8;
    private const int IsCompressed = 16;

    /// <summary>Compressed segments hold at most this many bytes a byte: it bounds what a damaged length can ask for.</summary>
    private const int RatioMax = 256;

    // Magic, version, flags.
    private const int Head = 3;

    // Head, a count, a first time, a span and the checksum.
    private const int BytesMin = Head + 3 + Checksum.Length;

    public static Segment Write(SampleColumns samples)
    {
        var times = samples.Times;
        if (times.IsEmpty)
        {
            throw new ArgumentException("a segment holds at least one sample", nameof(samples));
        }
        if (!TimeColumn.Ascend(times))
        {
            var i = 1;
            while (times[i] > times[i - 1])
            {
                i++;
            }
            throw new ArgumentException($"sample {i} is not later than the one before it", nameof(samples));
        }
        if (times[^1] - times[0] < 0)
        {
            throw new ArgumentException("a segment spans at most 2^63 - 1 µs", nameof(samples));
        }
        var unit = TimeUnit.Of(times);
        var hasStatistics = times.Length >= Segment.StatisticsFrom;
        var chunkCount = (times.Length + Chunk.SamplesMax - 1) / Chunk.SamplesMax;
        using var to = new ByteWriter(times.Length * 2 + 64);
        to.Byte(Magic);
        to.Byte(Segment.Version);
        to.Byte(unit.Code | (chunkCount > 1 ? IsChunked : 0) | (hasStatistics ? HasStatistics : 0));
        if (chunkCount > 1)
        {
            to.VarUInt((ulong)chunkCount);
        }
        to.VarInt(times[0] / unit.Micros);
        using var bodies = new ByteWriter(times.Length * 2 + 64);
        var headers = new ChunkHeader[chunkCount];
        for (int chunk = 0, start = 0; chunk < chunkCount; chunk++)
        {
            // Even parts: a short last chunk would be the one that packs worst.
            var end = (int)((long)times.Length * (chunk + 1) / chunkCount);
            headers[chunk] = WriteChunk(to, bodies, samples, start, end, unit, chunkCount > 1, hasStatistics);
            start = end;
        }
        Rollup? summary = chunkCount == 1 ? headers[0].Statistics : hasStatistics ? Statistics.Of(times, samples.Values, samples.States) : null;
        if (hasStatistics && chunkCount > 1)
        {
            ChunkHeader.WriteStatistics(to, summary!.Value);
        }
        for (var chunk = 0; chunk < chunkCount; chunk++)
        {
            headers[chunk] = headers[chunk] with { Offset = headers[chunk].Offset + to.Length };
        }
        to.Bytes(bodies.Written);
        ReadOnlyMemory<byte> bytes = Checksum.Seal(to);
        return new(bytes, bytes, headers, unit.Micros, summary);
    }

    private static ChunkHeader WriteChunk(
        ByteWriter to, ByteWriter bodies, SampleColumns samples, int start, int end, TimeUnit unit, bool isChunked, bool hasStatistics)
    {
        var times = samples.Times[start..end];
        var values = samples.Values[start..end];
        var states = samples.States.IsEmpty ? default : samples.States[start..end];
        var offset = bodies.Length;
        Chunk.Write(bodies, times, values, states, unit);
        to.VarUInt((ulong)times.Length);
        if (start > 0)
        {
            to.VarUInt((ulong)(times[0] - samples.Times[start - 1]) / (ulong)unit.Micros);
        }
        to.VarUInt((ulong)(times[^1] - times[0]) / (ulong)unit.Micros);
        if (isChunked)
        {
            to.VarUInt((ulong)(bodies.Length - offset));
        }
        Rollup? statistics = hasStatistics ? Statistics.Of(times, values, states) : null;
        if (statistics is { } rollup)
        {
            ChunkHeader.WriteStatistics(to, rollup);
        }
        return new(times.Length, times[0], times[^1], offset, bodies.Length - offset, statistics);
    }

    /// <summary>The bytes of the same segment, all behind its flags as one zstd frame; null where that is not shorter.</summary>
    public static byte[]? Compress(ReadOnlySpan<byte> bytes, int level)
    {
        using var zstd = new Compressor(level);
        var body = bytes[Head..^Checksum.Length];
        var frame = zstd.Wrap(body);
        using var to = new ByteWriter(frame.Length + 16);
        to.Bytes(bytes[..2]);
        to.Byte(bytes[2] | IsCompressed);
        to.VarUInt((ulong)body.Length);
        to.Bytes(frame);
        return to.Length + Checksum.Length < bytes.Length && body.Length / RatioMax < frame.Length ? Checksum.Seal(to) : null;
    }

    public static Segment Read(ReadOnlyMemory<byte> bytes)
    {
        var body = Checksum.Open(bytes.Span, Magic, Segment.Version, BytesMin, "segment");
        return (body[0] & IsCompressed) == 0 ? Read(bytes, bytes) : Read(bytes, Decompressed(body));
    }

    /// <summary>The whole segment as it was before, but for the checksum, which has been looked at.</summary>
    private static byte[] Decompressed(ReadOnlySpan<byte> body)
    {
        var from = new ByteReader(body);
        var flags = from.Byte();
        var length = from.Count(Math.Min(Array.MaxLength / 2, from.Left * RatioMax), "bytes to decompress");
        var whole = new byte[Head + length + Checksum.Length];
        whole[2] = (byte)(flags & ~IsCompressed);
        try
        {
            using var zstd = new Decompressor();
            var written = zstd.Unwrap(from.Bytes(from.Left), whole.AsSpan(Head, length));
            return written == length ? whole : throw new SegmentFormatException($"{written} bytes decompressed where {length} are due");
        }
        catch (ZstdException error)
        {
            throw new SegmentFormatException($"a zstd frame that cannot be read: {error.Message}");
        }
    }

    private static Segment Read(ReadOnlyMemory<byte> stored, ReadOnlyMemory<byte> bytes)
    {
        var from = new ByteReader(bytes.Span[2..^Checksum.Length]);
        var flags = from.Byte();
        if (flags > (UnitMask | IsChunked | HasStatistics))
        {
            throw new SegmentFormatException($"unknown segment flags 0x{flags:x2}");
        }
        var unit = TimeUnit.Of(flags & UnitMask).Micros;
        var isChunked = (flags & IsChunked) != 0;
        var hasStatistics = (flags & HasStatistics) != 0;
        // A chunk takes at least four bytes of header, which bounds the array below.
        var headers = new ChunkHeader[isChunked ? from.Count(from.Left / 4, "chunks") : 1];
        if (headers.Length == 0)
        {
            throw new SegmentFormatException("a segment without chunks");
        }
        var time = unchecked(from.VarInt() * unit);
        var offset = 0;
        long count = 0;
        for (var chunk = 0; chunk < headers.Length; chunk++)
        {
            headers[chunk] = ReadHeader(ref from, unit, chunk == 0 ? null : headers[chunk - 1], time, isChunked, hasStatistics) with { Offset = offset };
            offset = checked(offset + headers[chunk].Length);
            count += headers[chunk].Count;
        }
        if (count > int.MaxValue)
        {
            throw new SegmentFormatException($"{count} samples in one segment");
        }
        Rollup? summary = !hasStatistics ? null
            : !isChunked ? headers[0].Statistics
            : ChunkHeader.ReadStatistics(ref from, (int)count, time, headers[^1].LastTime);
        var start = bytes.Length - Checksum.Length - from.Left;
        if (!isChunked)
        {
            headers[0] = headers[0] with { Length = from.Left };
        }
        else if (offset != from.Left)
        {
            throw new SegmentFormatException($"chunks of {offset} bytes in a segment that has {from.Left} for them");
        }
        for (var chunk = 0; chunk < headers.Length; chunk++)
        {
            headers[chunk] = headers[chunk] with { Offset = headers[chunk].Offset + start };
        }
        return new(stored, bytes, headers, unit, summary);
    }

    private static ChunkHeader ReadHeader(
        ref ByteReader from, long unit, ChunkHeader? before, long firstTime, bool isChunked, bool hasStatistics)
    {
        var count = from.Count(Chunk.SamplesMax, "samples in a chunk");
        if (count == 0)
        {
            throw new SegmentFormatException("a chunk without samples");
        }
        var first = before is { } last ? Later(last.LastTime, from.VarUInt(), unit) : firstTime;
        var end = Later(first, from.VarUInt(), unit);
        if (end - first < count - 1 && end >= first || (before is { } b && first <= b.LastTime))
        {
            throw new SegmentFormatException("chunks whose times do not ascend");
        }
        var length = isChunked ? from.Count(from.Left, "bytes of a chunk") : 0;
        Rollup? statistics = hasStatistics ? ChunkHeader.ReadStatistics(ref from, count, first, end) : null;
        return new(count, first, end, 0, length, statistics);
    }

    private static long Later(long time, ulong units, long unit)
    {
        var later = unchecked(time + (long)(units * (ulong)unit));
        return later >= time ? later : throw new SegmentFormatException("a time beyond the last there is");
    }
}
