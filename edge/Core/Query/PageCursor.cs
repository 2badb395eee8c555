using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Foretier.Core.Samples;
using Foretier.Core.Segments;

namespace Foretier.Core.Query;

/// <summary>
/// Where a page of an answer ends and the next begins. It carries the range as it was first understood, so that "now" stays what it was, and
/// names a place by series, function and time, so that samples and series that come meanwhile neither repeat nor hide others.
/// </summary>
/// <param name="Group">Series or group of the next point.</param>
/// <param name="Fn">Which of the question's functions.</param>
/// <param name="State">Which state, of a duration.</param>
/// <param name="Time">Of the next point, µs.</param>
public sealed record PageCursor(TimeRange Range, long HoldsUntil, string Group, int Fn, string State, long Time)
{
    /// <summary>Opaque to those who carry it.</summary>
    public string ToText(string question) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(string.Join('\n', "1", DigestOf(question),
        Write(Range.From), Write(Range.To), Write(HoldsUntil), Group, Write(Fn), Write(Time), State)));

    /// <param name="text">What <see cref="ToText"/> gave.</param>
    /// <param name="question">The parameters besides from, to, limit and cursor, as they were written.</param>
    /// <param name="error">Null where there is a cursor.</param>
    public static PageCursor? Parse(string text, string question, out QuestionError? error)
    {
        error = new("bad_cursor", "the cursor is not one that this query gave; begin again without it, and send the other parameters unchanged");
        var bytes = new byte[text.Length];
        if (!Base64Url.IsValid(text) || !Base64Url.TryDecodeFromChars(text, bytes, out var length))
        {
            return null;
        }
        var parts = Encoding.UTF8.GetString(bytes, 0, length).Split('\n', 9);
        if (parts.Length != 9 || parts[0] != "1" || parts[1] != DigestOf(question)
            || !TryRead(parts[2], out var from) || !TryRead(parts[3], out var to) || !TryRead(parts[4], out var until)
            || !TryRead(parts[6], out var fn) || !TryRead(parts[7], out var time) || to <= from || fn is < 0 or > 1000)
        {
            return null;
        }
        error = null;
        return new(new(from, to), until, parts[5], (int)fn, parts[8], time);
    }

    /// <summary>True for what has been on an earlier page.</summary>
    internal bool IsBefore(string group) => string.CompareOrdinal(group, Group) < 0;

    /// <inheritdoc cref="IsBefore(string)"/>
    internal bool IsBefore(string group, int fn, string? state, long time)
    {
        var order = string.CompareOrdinal(group, Group);
        order = order != 0 ? order : fn.CompareTo(Fn);
        order = order != 0 ? order : string.CompareOrdinal(state ?? "", State);
        return (order != 0 ? order : time.CompareTo(Time)) < 0;
    }

    private static string DigestOf(string question) => Crc32C.Compute(Encoding.UTF8.GetBytes(question)).ToString("x8", CultureInfo.InvariantCulture);

    private static string Write(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static bool TryRead(string text, out long number) => long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out number);
}
