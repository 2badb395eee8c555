using Foretier.Core.Samples;

namespace Foretier.Core.Query;

/// <summary>
/// What stretch of time a query asked for, as seen from when it was asked: how old its start was and how long it was, each as one of
/// <see cref="Classes"/> classes. "The last hour" and "last month's days" stay the same shape however often they are asked.
/// </summary>
/// <param name="Value">Age class × 16 + length class; <see cref="Unknown"/> where nobody noted it.</param>
public readonly record struct ReadShape(byte Value)
{
    /// <summary>Read before ranges were noted.</summary>
    public static readonly ReadShape Unknown = new(0xFF);

    /// <summary>Upper ends of all classes but the last, which has none.</summary>
    private static readonly long[] Ends =
        [15 * Instant.Minute, Instant.Hour, 6 * Instant.Hour, Instant.Day, 7 * Instant.Day, 31 * Instant.Day, 100 * Instant.Day, 400 * Instant.Day];

    public static int Classes => Ends.Length + 1;

    /// <summary>How old the start was: 0 up to 15 min, 1 up to 1 h, then 6 h, 1 d, 7 d, 31 d, 100 d, 400 d, 8 older.</summary>
    public int Age => Value >> 4;

    /// <summary>How long the range was, in the same classes.</summary>
    public int Length => Value & 15;

    /// <summary>False for <see cref="Unknown"/> and for what no version of this program writes.</summary>
    public bool IsKnown => Age < Classes && Length < Classes;

    /// <summary>The stretch of time to have at hand for a read of this shape at a time: never less than was asked for.</summary>
    public TimeRange RangeAt(long now)
    {
        var from = !IsKnown || Age == Classes - 1 ? Instant.Earliest : now - Slack(Ends[Age]);
        var to = !IsKnown || Length >= Age ? now : Math.Min(now, now - (Age > 0 ? Ends[Age - 1] : 0) + Slack(Ends[Length]));
        return new(from, to);
    }

    /// <summary>
    /// The share of <see cref="RangeAt"/> that one read asks for, above 0 to 1: who looked for a day of last year will hardly read any other day of it.
    /// </summary>
    public double ShareAt(long now) => !IsKnown || Length >= Ends.Length ? 1 : Math.Min(1, (double)Slack(Ends[Length]) / Math.Clamp(RangeAt(now).Length, 1, 2 * Ends[^1]));

    /// <param name="range">What was asked for; one that reaches past now counts to now.</param>
    /// <param name="now">When it was asked, µs.</param>
    public static ReadShape Of(TimeRange range, long now)
    {
        var age = ClassOf(now - range.From);
        var length = ClassOf(Math.Max(0, Math.Min(range.To, now) - range.From));
        return new((byte)(age << 4 | length));
    }

    private static int ClassOf(long length)
    {
        var found = 0;
        while (found < Ends.Length && length > Slack(Ends[found]))
        {
            found++;
        }
        return found;
    }

    /// <summary>"The last hour" is an hour and a little old by the time it is answered.</summary>
    private static long Slack(long end) => end + end / 20;

    public override string ToString() => IsKnown ? $"a{Age}l{Length}" : "unknown";
}
