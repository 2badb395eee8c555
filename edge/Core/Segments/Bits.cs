using System.Numerics;

namespace Foretier.Core.Segments;

internal static class Bits
{
    /// <summary>Bits up to and with the highest one set: 0 for 0, 64 for the largest.</summary>
    public static int Length(ulong value) => 64 - BitOperations.LeadingZeroCount(value);
}

/// <summary>0, -1, 1, -2, … as 0, 1, 2, 3, …</summary>
internal static class ZigZag
{
    public static ulong Encode(long value) => (ulong)((value << 1) ^ (value >> 63));

    public static long Decode(ulong value) => (long)(value >> 1) ^ -(long)(value & 1);
}
