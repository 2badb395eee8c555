using System.Buffers.Text;
using Foretier.Core.Samples;

namespace Foretier.Agent.Ingest.Payloads;

/// <summary>
/// Influx line protocol: <c>measurement,tag=v field=1.5,other=2i 1489017377000000000</c>, one line or several.
/// </summary>
/// <remarks>
/// The measurement of a series is <c>measurement.field@tag:value@tag:value</c>, tags in the order of their names; within its parts
/// <c>@</c> and <c>:</c>, in a field also <c>.</c>, and all that no name may have are percent-encoded, so that nothing collides.
/// A tag <c>host</c>, or else <c>device</c>, that says what the device's name says already is left out. Integers become float64, booleans 1 and 0,
/// strings states.
/// </remarks>
internal static class LineProtocol
{
    private const int TagsMax = 32;
    private const string Shape = "a line is measurement,tag=value field=1.5,field=2i time";

    /// <summary>Decodes lines that are all of one device; times by their magnitude.</summary>
    public static bool Decode(ReadOnlySpan<byte> payload, ReadOnlySpan<byte> device, Draft draft)
    {
        for (var number = 1; !payload.IsEmpty; number++)
        {
            var line = NextLine(ref payload);
            if (!IsBlank(line) && !Line(line, device, nameDevice: false, 0, draft))
            {
                return false;
            }
        }
        if (draft.Seen == 0)
        {
            return draft.Stop(RefusalCode.BadPayload, "there is no line but comments");
        }
        draft.RefuseDuplicates();
        return true;
    }

    /// <summary>Cuts the next line off, without its end. A quoted string may hold line ends.</summary>
    public static ReadOnlySpan<byte> NextLine(ref ReadOnlySpan<byte> rest)
    {
        var quoted = false;
        var isComment = rest.TrimStart(" \t"u8).StartsWith("#"u8);
        for (var i = 0; i < rest.Length; i++)
        {
            if (rest[i] == '\n' && !quoted)
            {
                var line = rest[..i];
                rest = rest[(i + 1)..];
                return line.EndsWith("\r"u8) ? line[..^1] : line;
            }
            if (rest[i] == '\\')
            {
                i++;
            }
            // Quotes mean nothing in names and tags, where a string cannot stand: it follows an equals sign.
            else if (rest[i] == '"' && !isComment && (quoted || (i > 0 && rest[i - 1] == '=')))
            {
                quoted = !quoted;
            }
        }
        var last = rest;
        rest = default;
        return last.EndsWith("\r"u8) ? last[..^1] : last;
    }

    public static bool IsBlank(ReadOnlySpan<byte> line)
    {
        line = line.TrimStart(" \t"u8);
        return line.IsEmpty || line[0] == '#';
    }

    /// <summary>Decodes one line, whose readings are added to the draft; the caller ends it.</summary>
    /// <param name="device">The device it is of; empty where a tag has to say that.</param>
    /// <param name="nameDevice">Put the device in front of each name, as <c>device/measurement</c>.</param>
    /// <param name="unitOfTime">µs·1000 (ns) of one unit of the time; 0 tells by its magnitude.</param>
    public static bool Line(ReadOnlySpan<byte> line, ReadOnlySpan<byte> device, bool nameDevice, long unitOfTime, Draft draft)
    {
        line = line.Trim(" \t"u8);
        var first = draft.Readings.Count;
        var keyLength = Find(line, " "u8);
        if (keyLength < 0)
        {
            return draft.Stop(RefusalCode.BadPayload, $"'{Excerpt.Of(line, 40)}' has no field: {Shape}");
        }
        var name = new NameText(stackalloc byte[NameText.BytesMax]);
        Span<Tag> tags = stackalloc Tag[TagsMax];
        if (!Key(line[..keyLength], device, nameDevice, draft, ref name, tags, out var tagCount))
        {
            return false;
        }
        scoped var rest = line[keyLength..].TrimStart(" "u8);
        for (var more = true; more;)
        {
            var prefix = name.Length;
            if (!Field(line, ref rest, ref name, tags[..tagCount], draft, out more))
            {
                return false;
            }
            name.CutTo(prefix);
        }
        rest = rest.TrimStart(" "u8);
        if (!rest.IsEmpty)
        {
            if (!Time(rest, unitOfTime, draft, out var time))
            {
                return false;
            }
            draft.Readings.SetTimes(time, first);
        }
        return true;
    }

    private static bool Key(ReadOnlySpan<byte> key, ReadOnlySpan<byte> device, bool nameDevice, Draft draft, scoped ref NameText name,
        scoped Span<Tag> tags, out int count)
    {
        count = 0;
        var end = Find(key, ","u8);
        var measurement = end < 0 ? key : key[..end];
        if (measurement.IsEmpty)
        {
            return draft.Stop(RefusalCode.BadPayload, $"'{Excerpt.Of(key, 40)}' has no measurement: {Shape}");
        }
        for (var at = end + 1; end >= 0; at = end + 1)
        {
            var length = Find(key[at..], ","u8);
            end = length < 0 ? -1 : at + length;
            var tag = end < 0 ? key[at..] : key[at..end];
            var equals = Find(tag, "="u8);
            if (equals <= 0 || equals == tag.Length - 1)
            {
                return draft.Stop(RefusalCode.BadPayload, $"the tag '{Excerpt.Of(tag, 40)}' is not name=value: {Shape}");
            }
            if (count == TagsMax)
            {
                return draft.Stop(RefusalCode.BadPayload, $"a line has more than {TagsMax} tags");
            }
            if (!Insert(key, tags, ref count, new(at, equals, at + equals + 1, tag.Length - equals - 1)))
            {
                return draft.Stop(RefusalCode.BadPayload, $"the tag '{Excerpt.Of(tag, 40)}' occurs twice in a line");
            }
        }
        if (!TryDevice(key, device, nameDevice, draft, ref name, tags, ref count))
        {
            return false;
        }
        name.Encode(measurement, "@:"u8, ", \\"u8);
        name.Append("."u8);
        return true;
    }

    /// <summary>Settles whose line it is, and takes the tag that says so out.</summary>
    private static bool TryDevice(ReadOnlySpan<byte> key, ReadOnlySpan<byte> device, bool nameDevice, Draft draft, scoped ref NameText name,
        scoped Span<Tag> tags, ref int count)
    {
        // Telegraf's disk metrics have a tag "device" too, which means the disk: so "host" comes first.
        var said = IndexOf(key, tags[..count], "host"u8);
        said = said >= 0 ? said : IndexOf(key, tags[..count], "device"u8);
        var encoded = new NameText(stackalloc byte[SeriesKey.PartLengthMax]);
        if (said >= 0)
        {
            encoded.Encode(tags[said].Value(key), escaped: ",= \\"u8);
        }
        if (device.IsEmpty && (said < 0 || encoded.IsTooLong))
        {
            return draft.Stop(RefusalCode.BadName, said < 0
                ? "a line has no tag 'host' or 'device', which a concentrator's lines need: add one, or log in as the device itself"
                : Names.Explain("device", tags[said].Value(key)));
        }
        if (nameDevice)
        {
            name.Append(device.IsEmpty ? encoded.Bytes : device);
            name.Append("/"u8);
        }
        if (said >= 0 && (device.IsEmpty || encoded.Bytes.SequenceEqual(device)))
        {
            tags[(said + 1)..count].CopyTo(tags[said..]);
            count--;
        }
        return true;
    }

    private static bool Field(
        ReadOnlySpan<byte> line, ref ReadOnlySpan<byte> rest, scoped ref NameText name, scoped ReadOnlySpan<Tag> tags, Draft draft, out bool more)
    {
        more = false;
        var equals = Find(rest, "="u8);
        if (equals <= 0 || Find(rest[..equals], " ,"u8) >= 0)
        {
            return draft.Stop(RefusalCode.BadPayload, $"'{Excerpt.Of(rest, 40)}' is not field=value: {Shape}");
        }
        var prefix = name.Length;
        name.Encode(rest[..equals], "@:."u8, ",= \\"u8);
        foreach (var tag in tags)
        {
            name.Append("@"u8);
            name.Encode(tag.Name(line), "@:"u8, ",= \\"u8);
            name.Append(":"u8);
            name.Encode(tag.Value(line), "@:"u8, ",= \\"u8);
        }
        var slash = name.Bytes.IndexOf((byte)'/');
        if (name.IsTooLong || name.Length - slash - 1 > SeriesKey.PartLengthMax)
        {
            draft.Refuse(RefusalCode.BadName, $"measurement, field and tags of '{Excerpt.Of(line, 60)}' make a name longer than "
                + $"{SeriesKey.PartLengthMax} characters: leave tags out");
        }
        rest = rest[(equals + 1)..];
        if (!Value(ref rest, draft, out var value, out var state))
        {
            return false;
        }
        draft.TakeNamed(draft.Readings.KeepName(name.Bytes), name.Length, Reading.Untimed, value, state, null);
        name.CutTo(prefix);
        more = !rest.IsEmpty && rest[0] == ',';
        rest = more ? rest[1..] : rest;
        return more || rest.IsEmpty || rest[0] == ' '
            || draft.Stop(RefusalCode.BadPayload, $"'{Excerpt.Of(rest, 40)}' follows a value: {Shape}");
    }

    private static bool Value(ref ReadOnlySpan<byte> rest, Draft draft, out double value, out string? state)
    {
        (value, state) = (0, null);
        if (rest.StartsWith("\""u8))
        {
            return String(ref rest, draft, out state);
        }
        var length = rest.IndexOfAny(" ,"u8);
        var text = length < 0 ? rest : rest[..length];
        rest = rest[text.Length..];
        switch (text)
        {
            case [(byte)'t' or (byte)'T'] or [.., (byte)'e' or (byte)'E'] when Is(text, "t"u8, "true"u8, "True"u8, "TRUE"u8):
                value = 1;
                return true;
            case [(byte)'f' or (byte)'F'] or [.., (byte)'e' or (byte)'E'] when Is(text, "f"u8, "false"u8, "False"u8, "FALSE"u8):
                return true;
            case [.. var digits, (byte)'i'] when Utf8Parser.TryParse(digits, out long whole, out var used) && used == digits.Length:
                value = whole;
                return true;
            case [.. var digits, (byte)'u'] when Utf8Parser.TryParse(digits, out ulong whole, out var used) && used == digits.Length:
                value = whole;
                return true;
            default:
                if (!Utf8Parser.TryParse(text, out value, out var all) || all != text.Length)
                {
                    return draft.Stop(RefusalCode.BadPayload,
                        $"'{Excerpt.Of(text, 40)}' is no value: write 1.5, 2i, 3u, true, false or \"text\"");
                }
                draft.CheckNumber(value);
                return true;
        }

        static bool Is(ReadOnlySpan<byte> text, ReadOnlySpan<byte> letter, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, ReadOnlySpan<byte> c) =>
            (text.Length == 1 && (text[0] | 0x20) == letter[0]) || text.SequenceEqual(a) || text.SequenceEqual(b) || text.SequenceEqual(c);
    }

    private static bool String(ref ReadOnlySpan<byte> rest, Draft draft, out string? state)
    {
        state = null;
        Span<byte> text = stackalloc byte[Draft.StateBytesMax + 1];
        var length = 0;
        for (var i = 1; i < rest.Length; i++)
        {
            var b = rest[i];
            if (b == '"')
            {
                state = draft.State(text[..length]);
                rest = rest[(i + 1)..];
                return true;
            }
            if (b == '\\' && i + 1 < rest.Length && rest[i + 1] is (byte)'"' or (byte)'\\')
            {
                b = rest[++i];
            }
            if (length < text.Length)
            {
                text[length++] = b;
            }
        }
        return draft.Stop(RefusalCode.BadPayload, "a string has no closing quote");
    }

    private static bool Time(ReadOnlySpan<byte> text, long unit, Draft draft, out long time)
    {
        time = 0;
        if (!Utf8Parser.TryParse(text, out long number, out var used) || used != text.Length)
        {
            return draft.Stop(RefusalCode.BadTime, $"'{Excerpt.Of(text, 40)}' is no time: a line ends with an epoch number, of the request's precision");
        }
        var nanos = (Int128)number * unit;
        var micros = unit == 0 ? Instant.FromEpoch(number) : nanos / 1000;
        time = draft.CheckTime((long)Int128.Clamp(micros, long.MinValue / 2, long.MaxValue / 2));
        return true;
    }

    /// <summary>Index of the first of <paramref name="stops"/> that no backslash escapes; -1 where there is none.</summary>
    private static int Find(ReadOnlySpan<byte> text, ReadOnlySpan<byte> stops)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\')
            {
                i++;
            }
            else if (stops.Contains(text[i]))
            {
                return i;
            }
        }
        return -1;
    }

    private static bool Insert(ReadOnlySpan<byte> key, scoped Span<Tag> tags, ref int count, Tag tag)
    {
        var at = count;
        for (; at > 0; at--)
        {
            var order = tags[at - 1].Name(key).SequenceCompareTo(tag.Name(key));
            if (order == 0)
            {
                return false;
            }
            if (order < 0)
            {
                break;
            }
        }
        tags[at..count].CopyTo(tags[(at + 1)..]);
        tags[at] = tag;
        count++;
        return true;
    }

    private static int IndexOf(ReadOnlySpan<byte> key, scoped ReadOnlySpan<Tag> tags, ReadOnlySpan<byte> name)
    {
        for (var i = 0; i < tags.Length; i++)
        {
            if (tags[i].Name(key).SequenceEqual(name))
            {
                return i;
            }
        }
        return -1;
    }

    private readonly record struct Tag(int NameStart, int NameLength, int ValueStart, int ValueLength)
    {
        public ReadOnlySpan<byte> Name(ReadOnlySpan<byte> line) => line.Slice(NameStart, NameLength);
        public ReadOnlySpan<byte> Value(ReadOnlySpan<byte> line) => line.Slice(ValueStart, ValueLength);
    }
}
