using Foretier.Core.Segments.Integers;

namespace Foretier.Core.Segments;

/// <summary>What all times of a segment are whole multiples of: most devices report in milliseconds or seconds, our times are microseconds.</summary>
internal readonly record struct TimeUnit(int Code, long Micros)
{
    private static ReadOnlySpan<long> Units => [1, 1_000, 1_000_000, 60_000_000];

    public static TimeUnit Of(int code) => new(code, Units[code]);

    /// <summary>The largest unit that divides all times.</summary>
    public static TimeUnit Of(ReadOnlySpan<long> times)
    {
        var code = Units.Length - 1;
        if (times.Length > 2 && TimeColumn.IsEven(times))
        {
            // The first and the step tell for all.
            times = times[..2];
        }
        while (times[0] % Units[code] != 0)
        {
            code--;
        }
        // Each unit divides the next: what came before a time that is no multiple need not be looked at again.
        for (var i = 0; (i += Reduction.Multiples(times[i..], times[0], times[^1], Units[code])) < times.Length; code--)
        {
        }
        return Of(code);
    }
}
