using Foretier.Core.Segments;

namespace Foretier.Core.Rollups;

/// <summary>
/// Encoded rollups of one series at one step, the companion of a segment: exactly the samples of that segment, no others. Layout in FORMAT.md.
/// </summary>
public static class RollupBlock
{
    public static byte[] Encode(long step, BucketRows rows) => throw new NotSupportedException();

    /// <exception cref="SegmentFormatException">The bytes are not a rollup block, are damaged, or have an unknown version.</exception>
    public static BucketRows Decode(ReadOnlySpan<byte> bytes, out long step) => throw new NotSupportedException();
}
