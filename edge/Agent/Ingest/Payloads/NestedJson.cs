using System.Text.Json;
using Foretier.Core.Samples;

namespace Foretier.Agent.Ingest.Payloads;

/// <summary>
/// JSON as zigbee2mqtt and Tasmota publish it: members are measurements, those of nested objects as <c>outer.inner</c>, of arrays as
/// <c>name.0</c>. Null is no value. Times in it that have no zone, and texts that only say how long something has been up, are left out:
/// the time of arrival counts.
/// </summary>
internal static class NestedJson
{
    private static readonly JsonReaderOptions Strict = new() { MaxDepth = 8 };

    public static bool Decode(ReadOnlySpan<byte> payload, Draft draft)
    {
        scoped var reader = new Utf8JsonReader(payload.Trim(" \t\r\n"u8), Strict);
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return draft.Stop(RefusalCode.BadPayload, "a JSON object is expected on this topic");
            }
            var time = Reading.Untimed;
            var (celsius, pressure) = (false, default(string));
            var name = new NameText(stackalloc byte[SeriesKey.PartLengthMax]);
            if (!Members(ref reader, ref name, draft, ref time, ref celsius, ref pressure, top: true))
            {
                return false;
            }
            reader.Read();
            draft.RefuseDuplicates();
            draft.Readings.SetUnits(celsius ? "Cel" : null, pressure);
            draft.Readings.SetTimes(time);
            return true;
        }
        catch (JsonException)
        {
            return draft.Stop(RefusalCode.BadPayload, $"the payload is not JSON from byte {reader.BytesConsumed} on, or nested too deep");
        }
        catch (InvalidOperationException)
        {
            return draft.Stop(RefusalCode.BadPayload, "a string in the payload is not valid UTF-8");
        }
    }

    /// <summary><c>online</c>, <c>Online</c> or <c>{"state":"online"}</c>, as the state ONLINE or OFFLINE of the measurement <c>online</c>.</summary>
    public static bool Availability(ReadOnlySpan<byte> payload, Draft draft)
    {
        scoped var word = payload.Trim(" \t\r\n"u8);
        Span<byte> bare = stackalloc byte[64];
        if (word.Length <= bare.Length && word.StartsWith("{"u8))
        {
            // The one form there is, {"state":"online"}, without its quotes and blanks.
            var length = 0;
            foreach (var b in word)
            {
                if (!" {}\"\t\r\n"u8.Contains(b))
                {
                    bare[length++] = b;
                }
            }
            word = bare[..length].StartsWith("state:"u8) ? bare["state:"u8.Length..length] : word;
        }
        var isOnline = System.Text.Ascii.EqualsIgnoreCase(word, "online"u8);
        if (!isOnline && !System.Text.Ascii.EqualsIgnoreCase(word, "offline"u8))
        {
            return draft.Stop(RefusalCode.BadPayload, $"'{Excerpt.Of(word, 40)}' is neither online nor offline");
        }
        draft.TakeNamed(draft.Readings.KeepName("online"u8), 6, Reading.Untimed, 0, isOnline ? "ONLINE" : "OFFLINE", null);
        return true;
    }

    private static bool Members(ref Utf8JsonReader reader, scoped ref NameText name, Draft draft, ref long time, ref bool celsius,
        ref string? pressure, bool top)
    {
        Span<byte> text = stackalloc byte[6 * Draft.StateBytesMax];
        var prefix = name.Length;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var member = reader.ValueSpan.Length > text.Length ? reader.ValueSpan : text[..reader.CopyString(text)];
            if (IsAside(member))
            {
                var isTime = top && member.SequenceEqual("Time"u8);
                reader.Read();
                time = isTime && reader.TokenType == JsonTokenType.String ? Zoned(ref reader, draft) : time;
                reader.Skip();
                continue;
            }
            if (top && (member.SequenceEqual("TempUnit"u8) || member.SequenceEqual("PressureUnit"u8)))
            {
                var isTemperature = member[0] == 'T';
                reader.Read();
                celsius |= isTemperature && reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("C"u8);
                pressure = !isTemperature && reader.TokenType == JsonTokenType.String && reader.ValueSpan.Length < 16
                    ? draft.Unit(reader.ValueSpan) : pressure;
                reader.Skip();
                continue;
            }
            name.CutTo(prefix);
            name.Append(prefix > 0 ? "."u8 : default);
            name.Encode(member);
            reader.Read();
            if (!Value(ref reader, ref name, draft, ref time, ref celsius, ref pressure))
            {
                return false;
            }
        }
        return true;
    }

    private static bool Value(
        ref Utf8JsonReader reader, scoped ref NameText name, Draft draft, ref long time, ref bool celsius, ref string? pressure)
    {
        var (number, state) = (0.0, default(string));
        switch (reader.TokenType)
        {
            case JsonTokenType.Null:
                return true;
            case JsonTokenType.StartObject:
                return Members(ref reader, ref name, draft, ref time, ref celsius, ref pressure, top: false);
            case JsonTokenType.StartArray:
                var prefix = name.Length;
                Span<byte> digits = stackalloc byte[12];
                for (var index = 0; reader.Read() && reader.TokenType != JsonTokenType.EndArray; index++)
                {
                    index.TryFormat(digits, out var length, provider: System.Globalization.CultureInfo.InvariantCulture);
                    name.CutTo(prefix);
                    name.Append("."u8);
                    name.Append(digits[..length]);
                    if (!Value(ref reader, ref name, draft, ref time, ref celsius, ref pressure))
                    {
                        return false;
                    }
                }
                return true;
            case JsonTokenType.Number:
                draft.CheckNumber(reader.TryGetDouble(out number) ? number : double.NaN);
                break;
            case JsonTokenType.String:
                Span<byte> text = stackalloc byte[6 * Draft.StateBytesMax];
                state = draft.State(reader.ValueSpan.Length > text.Length ? reader.ValueSpan : text[..reader.CopyString(text)]);
                break;
            default:
                number = reader.TokenType == JsonTokenType.True ? 1 : 0;
                break;
        }
        if (name.IsTooLong || name.Length == 0)
        {
            draft.Refuse(RefusalCode.BadName, $"'{Excerpt.Of(name.Bytes, 60)}…' makes a name that is empty or longer than {SeriesKey.PartLengthMax} characters");
        }
        draft.TakeNamed(draft.Readings.KeepName(name.Bytes), name.Length, Reading.Untimed, number, state, null);
        return true;
    }

    /// <summary>Members that say when, not what.</summary>
    private static bool IsAside(ReadOnlySpan<byte> member) =>
        member.SequenceEqual("Time"u8) || member.SequenceEqual("last_seen"u8) || member.SequenceEqual("Uptime"u8) || member.SequenceEqual("Downtime"u8);

    /// <summary>Tasmota's times are local and name no zone, unless it is set to: then they count.</summary>
    private static long Zoned(ref Utf8JsonReader reader, Draft draft)
    {
        Span<char> text = stackalloc char[40];
        return reader.ValueSpan.Length <= text.Length && Instant.TryParse(text[..reader.CopyString(text)], out var time)
            ? draft.CheckTime(time) : Reading.Untimed;
    }
}
