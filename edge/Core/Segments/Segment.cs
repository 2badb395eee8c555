using Foretier.Core.Rollups;
using Foretier.Core.Samples;

namespace Foretier.Core.Segments;

/// <summary>
/// Immutable compressed samples of one series, sorted by time, each time once. Layout in FORMAT.md.
/// Safe to read from several threads.
/// </summary>
public sealed class Segment
{
    /// <summary>The version this program writes, and the newest that it reads.</summary>
    public const int Version = 2;

    /// <summary>
    /// Segments shorter than this hold no statistics: adding up 256 samples takes about as long as fetching a cache line from flash,
    /// and the statistics of a day of one sensor would make it a tenth larger.
    /// </summary>
    internal const int StatisticsFrom = 256;

    [ThreadStatic]
    private static SampleColumns? _scratch;

    private readonly ReadOnlyMemory<byte> _plain;
    private readonly ChunkHeader[] _chunks;
    private readonly long _unit;
    private readonly Rollup? _stored;
    private Computed? _computed;

    /// <param name="plain">The bytes before they were compressed, which the chunks lie in.</param>
    internal Segment(ReadOnlyMemory<byte> bytes, ReadOnlyMemory<byte> plain, ChunkHeader[] chunks, long unit, Rollup? stored)
    {
        Bytes = bytes;
        _plain = plain;
        _chunks = chunks;
        _unit = unit;
        _stored = stored;
        foreach (ref readonly var chunk in chunks.AsSpan())
        {
            Count += chunk.Count;
        }
    }

    public ReadOnlyMemory<byte> Bytes { get; }

    public int Count { get; }

    /// <summary>Time of the first sample, µs.</summary>
    public long FirstTime => _chunks[0].FirstTime;

    /// <summary>Time of the last sample, µs; inclusive.</summary>
    public long LastTime => _chunks[^1].LastTime;

    /// <summary>
    /// The rollup over all samples, bit-equal to one that they were added to in order. Read from the header; a segment too short to hold it
    /// there is decoded once.
    /// </summary>
    /// <exception cref="SegmentFormatException">A short segment whose samples cannot be decoded.</exception>
    public Rollup Summary => _stored ?? (_computed ??= new(Compute())).Rollup;

    /// <summary>True where <see cref="Summary"/> and chunk rollups are in the header.</summary>
    internal bool HasStatistics => _stored is not null;

    /// <summary>Encodes samples that are strictly ascending in time; at least one.</summary>
    /// <exception cref="ArgumentException">There is no sample, the times do not ascend, or they span more than 292,000 years.</exception>
    public static Segment Encode(SampleColumns samples) => SegmentFrame.Write(samples);

    /// <summary>
    /// The same segment for a cold tier: compressed by zstd, which <see cref="Open"/> undoes as a whole. Itself where that is not shorter; its
    /// columns are packed already, so only what is long, repetitive or states gains much.
    /// </summary>
    public Segment Compressed(int level = 9) => SegmentFrame.Compress(_plain.Span, level) is { } bytes && bytes.Length < Bytes.Length ? Open(bytes) : this;

    /// <summary>Checks framing, version and checksum, and reads the header.</summary>
    /// <exception cref="SegmentFormatException">The bytes are not a segment, are damaged, or have an unknown version.</exception>
    public static Segment Open(ReadOnlyMemory<byte> bytes) => SegmentFrame.Read(bytes);

    /// <summary>Appends all samples to <paramref name="into"/>.</summary>
    /// <exception cref="SegmentFormatException">
    /// The checksum was right, but the columns are not what they should be; <paramref name="into"/> is then of no use.
    /// </exception>
    public void Decode(SampleColumns into)
    {
        foreach (ref readonly var chunk in _chunks.AsSpan())
        {
            Read(chunk, into);
        }
    }

    /// <summary>Appends the samples of <paramref name="range"/>; chunks that lie outside of it are not decoded.</summary>
    /// <inheritdoc cref="Decode(SampleColumns)"/>
    public void Decode(SampleColumns into, TimeRange range)
    {
        foreach (ref readonly var chunk in _chunks.AsSpan())
        {
            if (range.Contains(chunk.FirstTime) && range.Contains(chunk.LastTime))
            {
                Read(chunk, into);
            }
            else if (chunk.LastTime >= range.From && chunk.FirstTime < range.To)
            {
                var part = Decoded(chunk);
                int from = part.LowerBound(range.From), to = part.LowerBound(range.To);
                for (var i = from; i < to; i++)
                {
                    into.Add(part.Times[i], part.Values[i], part.StateAt(i));
                }
            }
        }
    }

    /// <summary>
    /// Adds the samples of the grid's range to its buckets. A chunk that lies in one bucket is taken by its statistics, without decoding.
    /// </summary>
    /// <inheritdoc cref="Decode(SampleColumns)"/>
    public void AddTo(BucketRows rows, in BucketGrid grid)
    {
        foreach (ref readonly var chunk in _chunks.AsSpan())
        {
            if (chunk.Statistics is { } rollup && grid.HoldsWhole(chunk.FirstTime, chunk.LastTime))
            {
                rows.Merge(grid.StartOf(chunk.FirstTime), rollup);
            }
            else if (chunk.LastTime >= grid.Range.From && chunk.FirstTime < grid.Range.To)
            {
                // Looked at and forgotten: one for all chunks that this thread ever reads.
                var samples = _scratch ??= new();
                samples.Clear();
                Read(chunk, samples);
                rows.Add(samples, grid);
            }
        }
    }

    private void Read(in ChunkHeader chunk, SampleColumns into) =>
        Chunk.Read(_plain.Span.Slice(chunk.Offset, chunk.Length), chunk, _unit, into);

    private SampleColumns Decoded(in ChunkHeader chunk)
    {
        var samples = new SampleColumns(chunk.Count);
        Read(chunk, samples);
        return samples;
    }

    private Rollup Compute()
    {
        var samples = new SampleColumns(Count);
        Decode(samples);
        return Statistics.Of(samples.Times, samples.Values, samples.States);
    }

    // A reference, so that two threads that compute it at once each publish a whole one.
    private sealed record Computed(Rollup Rollup);
}
