using System.Globalization;
using Foretier.Core.Samples;

namespace Foretier.Node.Prometheus.Promql;

/// <summary>Times and durations as Prometheus writes them.</summary>
internal static class PromTime
{
    private static readonly (string Unit, long Ms)[] Units =
        [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 7 * 86_400_000L), ("y", 365 * 86_400_000L)];

    /// <summary>5m, 1h30m, 500ms: whole numbers with units, none twice.</summary>
    public static bool TryDuration(string text, out double ms)
    {
        ms = 0;
        for (var at = 0; at < text.Length;)
        {
            var digits = at;
            while (at < text.Length && char.IsAsciiDigit(text[at]))
            {
                at++;
            }
            var unit = Array.Find(Units, unit => string.CompareOrdinal(text, at, unit.Unit, 0, unit.Unit.Length) == 0);
            if (at == digits || unit.Unit is null || !long.TryParse(text.AsSpan(digits, at - digits), NumberStyles.None, CultureInfo.InvariantCulture, out var count))
            {
                return false;
            }
            ms += (double)count * unit.Ms;
            at += unit.Unit.Length;
        }
        return text.Length > 0 && ms is > 0 and < 100 * 365 * 86_400_000.0;
    }

    /// <summary>A number of seconds, or a duration.</summary>
    public static bool TryStep(string text, out long ms)
    {
        var isStep = double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds) && seconds > 0 && seconds < 1e10;
        ms = isStep ? (long)Math.Round(seconds * 1000) : TryDuration(text, out var duration) ? (long)duration : 0;
        return ms > 0;
    }

    /// <summary>Epoch seconds with a fraction, or RFC 3339. What lies beyond any sample is taken as the end of time there.</summary>
    public static bool TryTime(string text, out long ms)
    {
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds))
        {
            ms = double.IsNaN(seconds) ? 0 : (long)Math.Round(Math.Clamp(seconds, -1e11, 1e11) * 1000);
            return !double.IsNaN(seconds);
        }
        var isTime = Instant.TryParse(text, out var micros);
        ms = micros / Instant.Millisecond;
        return isTime;
    }
}
