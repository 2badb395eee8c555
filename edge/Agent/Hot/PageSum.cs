using System.Numerics;
using System.Runtime.InteropServices;
using Foretier.Core.Segments;

namespace Foretier.Agent.Hot;

/// <summary>What reading a page came to.</summary>
internal enum PageState
{
    Sound,

    /// <summary>One bit was wrong and has been put right.</summary>
    Corrected,
    Damaged,
}

/// <summary>Two sums of a page that have nothing in common, the second with the page's number: a page in another's place is found too.</summary>
internal readonly record struct PageSum(uint Crc, uint Mix)
{
    public static PageSum Of(long number, ReadOnlySpan<byte> bytes) => new(Crc32C.Compute(bytes), MixOf(number, bytes));

    /// <summary>One flipped bit is found by the first sum, and the second decides whether it really was that one.</summary>
    public PageState Check(long number, Span<byte> bytes)
    {
        var actual = Of(number, bytes);
        if (actual == this)
        {
            return PageState.Sound;
        }
        var before = bytes.ToArray();
        if (BitRepair.TryCorrect(bytes, actual.Crc, Crc) && MixOf(number, bytes) == Mix)
        {
            return PageState.Corrected;
        }
        before.CopyTo(bytes);
        return PageState.Damaged;
    }

    /// <summary>Not linear, unlike the CRC; never 0.</summary>
    private static uint MixOf(long number, ReadOnlySpan<byte> bytes)
    {
        var mix = (ulong)number * 0x9E3779B97F4A7C15 + 1;
        foreach (var word in MemoryMarshal.Cast<byte, ulong>(bytes))
        {
            mix = BitOperations.RotateLeft((mix ^ word) * 0xD6E8FEB86659FD93, 31);
        }
        foreach (var rest in bytes[(bytes.Length & ~7)..])
        {
            mix = BitOperations.RotateLeft((mix ^ rest) * 0xD6E8FEB86659FD93, 31);
        }
        var folded = (uint)(mix ^ (mix >> 32));
        return folded == 0 ? 1 : folded;
    }
}
