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
        for (var i = 0; i < times.Length && code > 0;)
        {
            // By constants, which is a multiplication: a division takes ten times as long.
            switch (code)
            {
                case 3:
                    for (; i < times.Length && times[i] % 60_000_000 == 0; i++)
                    {
                    }
                    break;
                case 2:
                    for (; i < times.Length && times[i] % 1_000_000 == 0; i++)
                    {
                    }
                    break;
                default:
                    for (; i < times.Length && times[i] % 1_000 == 0; i++)
                    {
                    }
                    break;
            }
            // Each unit divides the next: what came before this time need not be looked at again.
            code -= i < times.Length ? 1 : 0;
        }
        return Of(code);
    }

    /// <summary>Divides numbers that are all multiples of the unit.</summary>
    public void Divide(Span<long> numbers)
    {
        switch (Code)
        {
            case 1:
                foreach (ref var number in numbers)
                {
                    number /= 1_000;
                }
                break;
            case 2:
                foreach (ref var number in numbers)
                {
                    number /= 1_000_000;
                }
                break;
            case 3:
                foreach (ref var number in numbers)
                {
                    number /= 60_000_000;
                }
                break;
        }
    }
}
