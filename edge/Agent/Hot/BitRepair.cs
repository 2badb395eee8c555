namespace Foretier.Agent.Hot;

/// <summary>
/// Finds the one flipped bit that explains a wrong CRC-32C. A CRC is linear: flipping a bit changes it by a pattern that depends only on how
/// far the bit is from the end, and up to 2^31 bits no two bits have the same one. Whoever uses this has a second check: damage of
/// another kind looks like one flipped bit once in 2^32 / bits.
/// </summary>
internal static class BitRepair
{
    private const uint Polynomial = 0x82F63B78;

    /// <param name="bytes">What the checksum is of; the bit is flipped back where one is found.</param>
    /// <param name="actual">The checksum that the bytes have.</param>
    /// <param name="expected">The checksum they should have.</param>
    /// <returns>False: more than one bit is wrong, or the checksum itself is.</returns>
    public static bool TryCorrect(Span<byte> bytes, uint actual, uint expected)
    {
        var wanted = actual ^ expected;
        var pattern = Polynomial;
        for (var at = bytes.Length - 1; at >= 0; at--)
        {
            for (var bit = 7; bit >= 0; bit--)
            {
                if (pattern == wanted)
                {
                    bytes[at] ^= (byte)(1 << bit);
                    return true;
                }
                pattern = (pattern >> 1) ^ ((pattern & 1) == 0 ? 0 : Polynomial);
            }
        }
        return false;
    }
}
