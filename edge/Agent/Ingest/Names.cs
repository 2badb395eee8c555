using System.Buffers;
using System.Text;
using Foretier.Core.Samples;

namespace Foretier.Agent.Ingest;

/// <summary>The rule for names, <see cref="SeriesKey.IsValidPart(ReadOnlySpan{char})"/>, on UTF-8 as it comes off the wire.</summary>
internal static class Names
{
    private static readonly SearchValues<byte> Plain =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:@-"u8);

    public static bool IsValid(ReadOnlySpan<byte> name)
    {
        if (name.Length is 0 or > SeriesKey.PartLengthMax)
        {
            return false;
        }
        if (!name.ContainsAnyExcept(Plain))
        {
            return true;
        }
        Span<char> text = stackalloc char[SeriesKey.PartLengthMax];
        return Ascii.ToUtf16(name, text, out var written) == OperationStatus.Done && SeriesKey.IsValidPart(text[..written]);
    }

    /// <summary>Says what is wrong with a name, and the spelling that would be taken.</summary>
    public static string Explain(string what, ReadOnlySpan<byte> name)
    {
        if (name.IsEmpty)
        {
            return $"{what} has an empty name";
        }
        var text = Encoding.UTF8.GetString(name[..Math.Min(name.Length, 2 * SeriesKey.PartLengthMax)]);
        var encoded = SeriesKey.Encode(text);
        return encoded is null || name.Length > SeriesKey.PartLengthMax
            ? $"{what} '{Excerpt.Of(name, 40)}' is longer than {SeriesKey.PartLengthMax} characters (encoded)"
            : $"{what} '{Excerpt.Of(name, 80)}' has characters no name has: percent-encode it as '{encoded}'";
    }
}
