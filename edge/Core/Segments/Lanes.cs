using System.Runtime.Intrinsics;

namespace Foretier.Core.Segments;

/// <summary>
/// Whether columns are worked on four numbers at a time. Every kernel has a plain loop beside it that gives the same bits: for machines without
/// vectors, for what is left of a column, and for a test that compares the two.
/// </summary>
internal static class Lanes
{
    /// <summary>Numbers in a vector.</summary>
    public const int Count = 4;

    /// <summary>On ARM64 a vector of 256 bits is two of 128.</summary>
    public static bool IsOn { get; private set; } = IsPossible;

    /// <summary>True where the prefix sums of a vector pay: with two lanes the plain loop's one addition a number is as fast.</summary>
    public static bool IsWide => IsOn && Vector256.IsHardwareAccelerated;

    private static bool IsPossible => BitConverter.IsLittleEndian && Vector128.IsHardwareAccelerated;

    /// <summary>For tests and benchmarks: both ways give the same, so others that run meanwhile are only slower.</summary>
    public static void Use(bool vectors) => IsOn = vectors && IsPossible;
}
