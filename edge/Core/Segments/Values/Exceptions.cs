namespace Foretier.Core.Segments.Values;

/// <summary>The values of a column that its encoding cannot make: where each one is, and its eight bytes.</summary>
internal static class Exceptions
{
    /// <summary>What each takes at least: its place and its eight bytes.</summary>
    public const int BitsMin = 72;

    public static void Write(ByteWriter to, ReadOnlySpan<double> values, ReadOnlySpan<int> at)
    {
        to.VarUInt((ulong)at.Length);
        var next = 0;
        foreach (var index in at)
        {
            to.VarUInt((ulong)(index - next));
            to.Int64(BitConverter.DoubleToInt64Bits(values[index]));
            next = index + 1;
        }
    }

    public static void Read(ref ByteReader from, Span<double> values)
    {
        var count = from.Count(values.Length, "exceptions");
        var next = 0;
        for (var i = 0; i < count; i++)
        {
            next += from.Count(Math.Max(0, values.Length - 1 - next), "values skipped");
            if (next == values.Length)
            {
                throw new SegmentFormatException("an exception lies beyond its column");
            }
            values[next++] = BitConverter.Int64BitsToDouble(from.Int64());
        }
    }
}
