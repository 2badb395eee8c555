namespace Foretier.Core.Segments;

/// <summary>The two ends that segments and rollup blocks share: magic and version in front, CRC-32C of everything behind.</summary>
internal static class Checksum
{
    public const int Length = 4;

    public static byte[] Seal(ByteWriter to)
    {
        to.UInt32(Crc32C.Compute(to.Written));
        return to.Written.ToArray();
    }

    /// <summary>Checks both ends and returns what lies between.</summary>
    public static ReadOnlySpan<byte> Open(ReadOnlySpan<byte> bytes, byte magic, int version, int bytesMin, string what)
    {
        if (bytes.Length < bytesMin)
        {
            throw new SegmentFormatException($"{bytes.Length} bytes are too few for a {what}");
        }
        if (bytes[0] != magic)
        {
            throw new SegmentFormatException($"not a {what}: it begins with 0x{bytes[0]:x2}, not 0x{magic:x2}");
        }
        // Named before the checksum is looked at: a later version may keep it elsewhere.
        if (bytes[1] != version)
        {
            throw new SegmentFormatException($"{what} of format version {bytes[1]}: this program reads version {version}");
        }
        var stored = System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(bytes[^Length..]);
        var computed = Crc32C.Compute(bytes[..^Length]);
        return stored == computed
            ? bytes[2..^Length]
            : throw new SegmentFormatException($"damaged {what}: its checksum is {stored:x8}, its bytes give {computed:x8}");
    }
}
