using System.Text;

namespace Foretier.Core.Samples;

/// <summary>
/// The name of a series: one measurement of one device of one account, written <c>account/device/measurement</c>.
/// Each part matches <c>[A-Za-z0-9_.:@-]{1,128}</c>; every other character is percent-encoded (UTF-8, upper-case hex).
/// </summary>
public sealed record SeriesKey(string Account, string Device, string Measurement)
{
    public const int PartLengthMax = 128;

    public override string ToString() => $"{Account}/{Device}/{Measurement}";

    public static SeriesKey Parse(string text) =>
        TryParse(text, out var key) ? key! : throw new FormatException($"'{text}' is not account/device/measurement");

    /// <summary>Takes exactly three valid parts; names are not encoded here, see <see cref="Encode"/>.</summary>
    public static bool TryParse(string text, out SeriesKey? key)
    {
        key = null;
        var parts = text.Split('/');
        if (parts.Length != 3 || !Array.TrueForAll(parts, IsValidPart))
        {
            return false;
        }
        key = new(parts[0], parts[1], parts[2]);
        return true;
    }

    public static bool IsValidPart(string part) => IsValidPart(part.AsSpan());

    public static bool IsValidPart(ReadOnlySpan<char> part)
    {
        if (part.Length is 0 or > PartLengthMax)
        {
            return false;
        }
        for (var i = 0; i < part.Length; i++)
        {
            if (IsPlain(part[i]))
            {
                continue;
            }
            if (part[i] != '%' || i + 2 >= part.Length || !char.IsAsciiHexDigitUpper(part[i + 1]) || !char.IsAsciiHexDigitUpper(part[i + 2]))
            {
                return false;
            }
            i += 2;
        }
        return true;
    }

    /// <summary>Makes a valid part of any text; what is valid already stays as it is. Null when the result would be empty or too long.</summary>
    public static string? Encode(string text)
    {
        if (IsValidPart(text))
        {
            return text;
        }
        var encoded = new StringBuilder(text.Length + 16);
        foreach (var b in Encoding.UTF8.GetBytes(text))
        {
            if (b < 128 && IsPlain((char)b))
            {
                encoded.Append((char)b);
            }
            else
            {
                encoded.Append('%').Append(b.ToString("X2", System.Globalization.CultureInfo.InvariantCulture));
            }
        }
        return encoded.Length is 0 or > PartLengthMax ? null : encoded.ToString();
    }

    private static bool IsPlain(char c) => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or ':' or '@' or '-';
}
