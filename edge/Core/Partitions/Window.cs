using System.Globalization;
using Foretier.Core.Samples;

namespace Foretier.Core.Partitions;

/// <summary>
/// One UTC window of time, the unit in which data is filed, moved and dropped. Windows of one edge never overlap.
/// Written <c>20170309T000000Z-24h</c>.
/// </summary>
public readonly record struct Window(long Start, long Length) : IComparable<Window>
{
    public TimeRange Range => new(Start, Start + Length);
    public long End => Start + Length;

    public static Window DayOf(long time) => new(Instant.Floor(time, Instant.Day), Instant.Day);

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Instant.ToDateTimeOffset(Start):yyyyMMdd'T'HHmmss'Z'}-{Length / Instant.Hour}h");

    public static bool TryParse(ReadOnlySpan<char> text, out Window window)
    {
        window = default;
        var dash = text.IndexOf('-');
        if (dash < 0 || !text.EndsWith("h")
            || !DateTimeOffset.TryParseExact(text[..dash], "yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var start)
            || !int.TryParse(text[(dash + 1)..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var hours) || hours is < 1 or > 24)
        {
            return false;
        }
        window = new(Instant.From(start), hours * Instant.Hour);
        return true;
    }

    public int CompareTo(Window other) => Start != other.Start ? Start.CompareTo(other.Start) : Length.CompareTo(other.Length);
    public static bool operator <(Window left, Window right) => left.CompareTo(right) < 0;
    public static bool operator >(Window left, Window right) => left.CompareTo(right) > 0;
    public static bool operator <=(Window left, Window right) => left.CompareTo(right) <= 0;
    public static bool operator >=(Window left, Window right) => left.CompareTo(right) >= 0;
}
