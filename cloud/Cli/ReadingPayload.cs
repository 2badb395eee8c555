using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Foretier.Cli;

/// <summary>
/// Readings as they travel: <c>{"v":21.5,"t":1489017377}</c>, or several of one series as pairs <c>[[t,v],…]</c>.
/// A number keeps the very text it was given, so that no digit changes on the way.
/// </summary>
internal static class ReadingPayload
{
    /// <summary>The text as JSON writes it: a number as it stands where that is JSON, normalised where not (<c>+5</c>, <c>.5</c>); null where it is no finite number.</summary>
    public static string? Number(string text)
    {
        if (IsJsonNumber(text))
        {
            return text;
        }
        if (!double.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out var value)
            || !double.IsFinite(value))
        {
            return null;
        }
        // Digits stay; only the form is mended.
        var sign = text[0] == '-' ? "-" : "";
        var digits = text.TrimStart('+', '-').TrimStart('0');
        digits = digits.Length == 0 || !char.IsAsciiDigit(digits[0]) ? "0" + digits : digits;
        var point = digits.IndexOf('.', StringComparison.Ordinal);
        if (point >= 0 && (point + 1 == digits.Length || !char.IsAsciiDigit(digits[point + 1])))
        {
            digits = digits.Remove(point, 1);
        }
        return IsJsonNumber(sign + digits) ? sign + digits : null;
    }

    public static string Text(string text) => $"\"{JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\"";

    /// <param name="to">Where to.</param>
    /// <param name="value">JSON.</param>
    /// <param name="time">JSON; null = the time of arrival.</param>
    /// <param name="unit">SenML unit, or null.</param>
    public static void Write(IBufferWriter<byte> to, string value, string? time, string? unit)
    {
        Put(to, "{\"v\":");
        Put(to, value);
        if (time is not null)
        {
            Put(to, ",\"t\":");
            Put(to, time);
        }
        if (unit is not null)
        {
            Put(to, ",\"u\":");
            Put(to, Text(unit));
        }
        Put(to, "}");
    }

    public static void WritePairs(IBufferWriter<byte> to, ReadOnlySpan<(string Time, string Value)> readings)
    {
        Put(to, "[");
        for (var i = 0; i < readings.Length; i++)
        {
            Put(to, i == 0 ? "[" : ",[");
            Put(to, readings[i].Time);
            Put(to, ",");
            Put(to, readings[i].Value);
            Put(to, "]");
        }
        Put(to, "]");
    }

    private static void Put(IBufferWriter<byte> to, string text) => Encoding.UTF8.GetBytes(text, to);

    /// <summary>RFC 8259, section 6; and finite as a float64.</summary>
    private static bool IsJsonNumber(string text)
    {
        var at = text.StartsWith('-') ? 1 : 0;
        int Digits()
        {
            var start = at;
            while (at < text.Length && char.IsAsciiDigit(text[at]))
            {
                at++;
            }
            return at - start;
        }
        var whole = at;
        var count = Digits();
        if (count == 0 || (count > 1 && text[whole] == '0'))
        {
            return false;
        }
        if (at < text.Length && text[at] == '.')
        {
            at++;
            if (Digits() == 0)
            {
                return false;
            }
        }
        if (at < text.Length && text[at] is 'e' or 'E')
        {
            at++;
            at += at < text.Length && text[at] is '+' or '-' ? 1 : 0;
            if (Digits() == 0)
            {
                return false;
            }
        }
        return at == text.Length && double.IsFinite(double.Parse(text, CultureInfo.InvariantCulture));
    }
}
