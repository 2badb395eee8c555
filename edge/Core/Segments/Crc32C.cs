using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Foretier.Core.Segments;

/// <summary>
/// CRC-32C (Castagnoli, reflected, as in iSCSI, RFC 3720 B.4): finds every burst of up to 32 flipped bits, and is one instruction a word on
/// x86 (SSE4.2) and ARM64; elsewhere a table does the same.
/// </summary>
public static class Crc32C
{
    /// <summary>The checksum of <paramref name="bytes"/>.</summary>
    /// <param name="seed">
    /// The checksum of what came before: <c>Compute(b, Compute(a))</c> is that of a followed by b.
    /// </param>
    public static uint Compute(ReadOnlySpan<byte> bytes, uint seed = 0)
    {
        var crc = ~seed;
        ref var at = ref MemoryMarshal.GetReference(bytes);
        var length = bytes.Length;
        // The instruction takes a word as it lies in little-endian memory; on a big-endian machine bytes alone are right.
        if (BitConverter.IsLittleEndian)
        {
            for (; length >= 8; length -= 8)
            {
                crc = BitOperations.Crc32C(crc, Unsafe.ReadUnaligned<ulong>(ref at));
                at = ref Unsafe.Add(ref at, 8);
            }
        }
        for (; length > 0; length--)
        {
            crc = BitOperations.Crc32C(crc, at);
            at = ref Unsafe.Add(ref at, 1);
        }
        return ~crc;
    }
}
