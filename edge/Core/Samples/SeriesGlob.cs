namespace Foretier.Core.Samples;

/// <summary>A pattern over series names, <c>acme/*/temp*</c>: <c>*</c> stands for any run of characters within one of the three parts.</summary>
public sealed class SeriesGlob
{
    private readonly string[] _parts;

    private SeriesGlob(string text, string[] parts)
    {
        Text = text;
        _parts = parts;
    }

    public string Text { get; }
    public string Account => _parts[0];

    /// <summary>True where the pattern names one series and no other.</summary>
    public bool IsExact => !Text.Contains('*', StringComparison.Ordinal);

    public static bool TryParse(string text, out SeriesGlob? glob, out string? error)
    {
        glob = null;
        var parts = text.Split('/');
        if (parts.Length != 3)
        {
            error = $"'{text}' is not account/device/measurement (three parts, * allowed in each, for example acme/*/temperature)";
            return false;
        }
        foreach (var part in parts)
        {
            // A star may stand anywhere; what is left must be letters of a name.
            var rest = part.Replace("*", "", StringComparison.Ordinal);
            if (part.Length == 0 || (rest.Length > 0 && !SeriesKey.IsValidPart(rest)))
            {
                error = $"'{part}' in '{text}' has characters no name has: use A-Z a-z 0-9 _ . : @ - and percent-encoding";
                return false;
            }
        }
        error = null;
        glob = new(text, parts);
        return true;
    }

    public bool Matches(SeriesKey key) =>
        Matches(_parts[0], key.Account) && Matches(_parts[1], key.Device) && Matches(_parts[2], key.Measurement);

    private static bool Matches(ReadOnlySpan<char> pattern, ReadOnlySpan<char> text)
    {
        // Greedy with one step back to the last star: linear in practice, no recursion to blow up.
        int p = 0, t = 0, star = -1, mark = 0;
        while (t < text.Length)
        {
            if (p < pattern.Length && pattern[p] == '*')
            {
                star = p++;
                mark = t;
            }
            else if (p < pattern.Length && pattern[p] == text[t])
            {
                p++;
                t++;
            }
            else if (star >= 0)
            {
                p = star + 1;
                t = ++mark;
            }
            else
            {
                return false;
            }
        }
        while (p < pattern.Length && pattern[p] == '*')
        {
            p++;
        }
        return p == pattern.Length;
    }
}
