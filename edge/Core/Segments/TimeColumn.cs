using Foretier.Core.Segments.Integers;

namespace Foretier.Core.Segments;

/// <summary>
/// Ascending times of a chunk, whose first is known from its header: the steps between them as an <see cref="IntColumn"/>,
/// which costs next to nothing where the step is constant, and divides out what irregular steps share.
/// </summary>
internal static class TimeColumn
{
    /// <param name="unit">Every step is a multiple of it, µs.</param>
    public static void Write(ByteWriter to, ReadOnlySpan<long> times, long unit)
    {
        var steps = new long[times.Length - 1];
        for (var i = 0; i < steps.Length; i++)
        {
            steps[i] = unit == 1 ? times[i + 1] - times[i] : (times[i + 1] - times[i]) / unit;
        }
        IntColumn.Write(to, steps);
    }

    /// <summary>Fills <paramref name="times"/>, and makes sure that they ascend and end at <paramref name="last"/>.</summary>
    public static void Read(ref ByteReader from, Span<long> times, long unit, long first, long last)
    {
        times[0] = first;
        var steps = times[1..];
        IntColumn.Read(ref from, steps);
        var time = first;
        var ascending = true;
        foreach (ref var step in steps)
        {
            var next = time + step * unit;
            ascending &= next > time;
            step = time = next;
        }
        if (!ascending || time != last)
        {
            throw new SegmentFormatException("times that do not ascend to the last one");
        }
    }
}
