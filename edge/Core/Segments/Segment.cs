using Foretier.Core.Rollups;
using Foretier.Core.Samples;

namespace Foretier.Core.Segments;

/// <summary>
/// Immutable compressed samples of one series, sorted by time, each time once. Layout in FORMAT.md.
/// </summary>
public sealed class Segment
{
    private Segment(ReadOnlyMemory<byte> bytes) => Bytes = bytes;

    public ReadOnlyMemory<byte> Bytes { get; }

    public int Count { get; private init; }

    /// <summary>Time of the first sample, µs.</summary>
    public long FirstTime { get; private init; }

    /// <summary>Time of the last sample, µs.</summary>
    public long LastTime { get; private init; }

    /// <summary>The rollup over all samples, read from the header without decoding.</summary>
    public Rollup Summary { get; private init; }

    /// <summary>Encodes samples that are strictly ascending in time; at least one.</summary>
    public static Segment Encode(SampleColumns samples) => throw new NotSupportedException();

    /// <summary>Checks framing, version and checksum, and reads the header.</summary>
    /// <exception cref="SegmentFormatException">The bytes are not a segment, are damaged, or have an unknown version.</exception>
    public static Segment Open(ReadOnlyMemory<byte> bytes) => throw new NotSupportedException();

    /// <summary>Appends all samples to <paramref name="into"/>.</summary>
    public void Decode(SampleColumns into) => throw new NotSupportedException();
}

/// <summary>Bytes that are not a segment this program can read.</summary>
public sealed class SegmentFormatException(string message) : Exception(message);
