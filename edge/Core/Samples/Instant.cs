using System.Globalization;

namespace Foretier.Core.Samples;

/// <summary>
/// Time as the product knows it: Int64 microseconds since 1970-01-01 UTC. Accepted from 2000-01-01 to one day ahead of now.
/// </summary>
public static class Instant
{
    public const long Microsecond = 1;
    public const long Millisecond = 1_000;
    public const long Second = 1_000 * Millisecond;
    public const long Minute = 60 * Second;
    public const long Hour = 60 * Minute;
    public const long Day = 24 * Hour;

    /// <summary>2000-01-01T00:00:00Z, the oldest time a sample may carry.</summary>
    public const long Earliest = 946_684_800L * Second;

    /// <summary>How far ahead of the clock a sample may lie.</summary>
    public const long AheadMax = Day;

    public static long From(DateTimeOffset time) => time.UtcTicks / 10 - DateTimeOffset.UnixEpoch.UtcTicks / 10;
    public static long Now(TimeProvider clock) => From(clock.GetUtcNow());
    public static DateTimeOffset ToDateTimeOffset(long micros) => DateTimeOffset.UnixEpoch.AddTicks(checked(micros * 10));
    public static bool IsAcceptable(long micros, long now) => micros >= Earliest && micros <= now + AheadMax;

    /// <summary>Largest multiple of <paramref name="step"/> (counted from <paramref name="origin"/>) that is not after <paramref name="micros"/>.</summary>
    public static long Floor(long micros, long step, long origin = 0)
    {
        var r = (micros - origin) % step;
        return micros - (r < 0 ? r + step : r);
    }

    /// <summary>
    /// Reads an epoch number whose unit is told by its magnitude: seconds below 1e11, milliseconds below 1e14,
    /// microseconds below 1e17, nanoseconds above. (1e11 s is the year 5138; 1e11 ms is 1973, before anything we accept.)
    /// Fractions of the unit are kept down to the microsecond.
    /// </summary>
    public static bool TryFromEpoch(double value, out long micros)
    {
        micros = 0;
        var size = Math.Abs(value);
        if (!double.IsFinite(value) || size >= 9.2e18)
        {
            return false;
        }
        micros = size < 1e11 ? (long)Math.Round(value * 1e6) : size < 1e14 ? (long)Math.Round(value * 1e3)
            : size < 1e17 ? (long)value : (long)(value / 1e3);
        return true;
    }

    /// <inheritdoc cref="TryFromEpoch(double, out long)"/>
    public static long FromEpoch(long value)
    {
        var size = value == long.MinValue ? long.MaxValue : Math.Abs(value);
        return size < 100_000_000_000 ? value * Second : size < 100_000_000_000_000 ? value * Millisecond
            : size < 100_000_000_000_000_000 ? value : value / 1_000;
    }

    /// <summary>Reads RFC 3339 (an offset is required, except that a bare date means its midnight UTC) or an epoch number.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out long micros)
    {
        micros = 0;
        text = text.Trim();
        if (text.IsEmpty)
        {
            return false;
        }
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole))
        {
            micros = FromEpoch(whole);
            return true;
        }
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number))
        {
            return TryFromEpoch(number, out micros);
        }
        const DateTimeStyles utc = DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal;
        if (text.Length == 10)
        {
            if (!DateTimeOffset.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, utc, out var date))
            {
                return false;
            }
            micros = From(date);
            return true;
        }
        var zoned = text.Length > 19 && (text[^1] is 'Z' or 'z' || text[^6] is '+' or '-');
        if (!zoned || text[4] != '-' || text[10] is not ('T' or 't' or ' ')
            || !DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, utc, out var time))
        {
            return false;
        }
        micros = From(time);
        return true;
    }

    /// <summary>Characters that a time takes at most.</summary>
    public const int CharsMax = 32;

    /// <summary>RFC 3339 in UTC with as many fraction digits as are needed: none, three or six.</summary>
    public static string Format(long micros)
    {
        Span<char> text = stackalloc char[CharsMax];
        return text[..Format(micros, text)].ToString();
    }

    /// <inheritdoc cref="Format(long)"/>
    /// <param name="text">Room for <see cref="CharsMax"/>.</param>
    /// <returns>Characters written.</returns>
    public static int Format(long micros, Span<char> text)
    {
        int length;
        if (micros is < -62_135_596_800_000_000 or > 253_402_300_799_999_999)
        {
            micros.TryFormat(text, out length, default, CultureInfo.InvariantCulture);
            "us".CopyTo(text[length..]);
            return length + 2;
        }
        // Whole seconds by the sortable pattern, which needs no parsing: each answer writes a handful of times.
        ToDateTimeOffset(micros).DateTime.TryFormat(text, out length, "s", CultureInfo.InvariantCulture);
        var fraction = (int)(micros - Floor(micros, Second));
        if (fraction > 0)
        {
            var isWhole = fraction % Millisecond == 0;
            text[length++] = '.';
            (isWhole ? fraction / (int)Millisecond : fraction).TryFormat(text[length..], out var digits, isWhole ? "D3" : "D6", CultureInfo.InvariantCulture);
            length += digits;
        }
        text[length++] = 'Z';
        return length;
    }
}
