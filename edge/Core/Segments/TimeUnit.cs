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
        foreach (var time in times)
        {
            while (time % Units[code] != 0)
            {
                code--;
            }
            if (code == 0)
            {
                break;
            }
        }
        return Of(code);
    }
}
