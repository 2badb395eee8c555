using System.Buffers.Text;
using System.Text.Json;
using Foretier.Core.Samples;

namespace Foretier.Agent.Ingest.Payloads;

/// <summary>
/// Decodes the payloads of <c>v1/</c> topics, whole or not at all.
/// On a measurement's topic: a number, true/false, a quoted state, <c>{"v":21.5,"t":…,"u":"Cel"}</c>, an array of such objects, or of pairs
/// <c>[t,v]</c>. On a device's topic: a flat JSON object whose members are measurements, with an optional time "t"; SenML in JSON or CBOR;
/// Influx line protocol. The first byte tells which. One for each connection; not thread-safe.
/// </summary>
internal sealed class PayloadDecoder
{
    // An array of objects is two levels; one more tells "nested" from "not JSON".
    private static readonly JsonReaderOptions Strict = new() { MaxDepth = 8 };

    private readonly Draft _draft = new();
    private SenMlPack? _pack; // most senders never send one

    /// <param name="namedByTopic">The topic names the measurement.</param>
    /// <param name="now">µs, what times are judged by.</param>
    /// <param name="into">Cleared, then filled; to be ignored where the result is false.</param>
    /// <param name="device">Of the topic, where the payload names the measurements.</param>
    public bool TryDecode(
        ReadOnlySpan<byte> payload, bool namedByTopic, long now, ReadingList into, out Refusal refusal, ReadOnlySpan<byte> device = default)
    {
        _draft.Begin(into, now);
        return _draft.End(Decode(payload, namedByTopic, device), out refusal);
    }

    private bool Decode(ReadOnlySpan<byte> payload, bool namedByTopic, ReadOnlySpan<byte> device)
    {
        if (!namedByTopic && SenMlCbor.IsPack(payload))
        {
            return SenMlCbor.Decode(payload, device, _draft, _pack ??= new());
        }
        payload = payload.Trim(" \t\r\n"u8);
        if (payload.IsEmpty)
        {
            return Stop(RefusalCode.BadPayload, "the payload is empty: send a number, true, false, a quoted state or JSON");
        }
        if (namedByTopic)
        {
            return payload[0] is (byte)'{' or (byte)'[' or (byte)'"' ? Json(payload, namedByTopic) : Plain(payload);
        }
        return payload[0] switch
        {
            (byte)'{' => Json(payload, namedByTopic),
            (byte)'[' => SenMlJson.Decode(payload, device, _draft, _pack ??= new()),
            (byte)'"' => Stop(RefusalCode.BadPayload, DeviceTopicText),
            _ when !payload.ContainsAny(" \t"u8) || !payload.Contains((byte)'=') => Stop(RefusalCode.BadPayload, DeviceTopicText),
            _ => LineProtocol.Decode(payload, device, _draft),
        };
    }

    private const string DeviceTopicText = "a device's topic takes a flat JSON object such as {\"temperature\":21.5}, SenML (JSON or CBOR) or "
        + "Influx line protocol; publish a single value to v1/account/device/measurement";

    private bool Stop(string code, string text) => _draft.Stop(code, text);

    private void Refuse(string code, string text) => _draft.Refuse(code, text);

    private bool Plain(ReadOnlySpan<byte> payload)
    {
        if (Utf8Parser.TryParse(payload, out double number, out var used) && used == payload.Length)
        {
            Number(Reading.Untimed, number, null);
            return true;
        }
        if (payload.SequenceEqual("true"u8) || payload.SequenceEqual("false"u8))
        {
            Take(Reading.Untimed, payload[0] == 't' ? 1 : 0, null, null);
            return true;
        }
        if (IsNoNumber(payload))
        {
            Number(Reading.Untimed, double.NaN, null);
            return true;
        }
        return Stop(RefusalCode.BadPayload,
            $"'{Excerpt.Of(payload, 40)}' is not a value: send a number such as 21.5, true, false, a state in quotes such as \"open\", or JSON");
    }

    private bool Json(ReadOnlySpan<byte> payload, bool namedByTopic)
    {
        var reader = new Utf8JsonReader(payload, Strict);
        try
        {
            reader.Read();
            return (reader.TokenType, namedByTopic) switch
            {
                (JsonTokenType.StartObject, false) => Members(ref reader),
                (JsonTokenType.StartObject, true) => Object(ref reader, mustBeTimed: false),
                (JsonTokenType.StartArray, _) => Array(ref reader),
                _ => Value(ref reader, out var value, out var state) && Take(Reading.Untimed, value, state, null),
            } && !reader.Read();
        }
        catch (JsonException)
        {
            var rest = payload[(int)Math.Min(reader.BytesConsumed, payload.Length)..].TrimStart(" \t\r\n:,["u8);
            return IsNoNumber(rest)
                ? Stop(RefusalCode.NotANumber, Draft.NotANumberText)
                : Stop(RefusalCode.BadPayload, $"the payload is not JSON from byte {reader.BytesConsumed} on: '{Excerpt.Of(rest, 40)}'");
        }
        catch (InvalidOperationException)
        {
            // The reader's way to say that a string's bytes or escapes are no Unicode text.
            return Stop(RefusalCode.BadPayload, "a string in the payload is not valid UTF-8");
        }
    }

    /// <summary>A flat object on a device's topic.</summary>
    private bool Members(ref Utf8JsonReader reader)
    {
        var time = Reading.Untimed;
        var hasTime = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("t"u8))
            {
                RefuseTwice(hasTime, "t");
                hasTime = true;
                reader.Read();
                time = Time(ref reader);
                continue;
            }
            var name = _draft.Readings.KeepName(ref reader, out var start);
            if (!Names.IsValid(name))
            {
                Refuse(RefusalCode.BadName, Names.Explain("member", name));
            }
            var length = name.Length;
            reader.Read();
            if (!Value(ref reader, out var value, out var state))
            {
                return false;
            }
            _draft.TakeNamed(start, length, Reading.Untimed, value, state, null);
        }
        if (_draft.Seen == 0)
        {
            return Stop(RefusalCode.BadPayload, "the object has no measurement: send members such as {\"temperature\":21.5}");
        }
        _draft.RefuseDuplicates();
        _draft.Readings.SetTimes(time);
        return true;
    }

    private bool Array(ref Utf8JsonReader reader)
    {
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            var good = reader.TokenType switch
            {
                JsonTokenType.StartObject => Object(ref reader, mustBeTimed: true),
                JsonTokenType.StartArray => Pair(ref reader),
                _ => Stop(RefusalCode.UntimedArray,
                    "the elements of an array must be timed: send pairs [[t,v],…] or objects [{\"t\":…,\"v\":…},…]"),
            };
            if (!good)
            {
                return false;
            }
        }
        return _draft.Seen > 0 || Stop(RefusalCode.BadPayload, "the array is empty");
    }

    /// <summary>[t, v]</summary>
    private bool Pair(ref Utf8JsonReader reader)
    {
        const string shape = "a pair is [time, value]";
        reader.Read();
        if (reader.TokenType == JsonTokenType.EndArray)
        {
            return Stop(RefusalCode.BadPayload, shape + ", this one is empty");
        }
        if (reader.TokenType is JsonTokenType.StartArray or JsonTokenType.StartObject)
        {
            return Stop(RefusalCode.BadPayload, shape + ", without nesting");
        }
        var time = Time(ref reader);
        reader.Read();
        if (reader.TokenType == JsonTokenType.EndArray)
        {
            return Stop(RefusalCode.BadPayload, shape + ", this one has one member");
        }
        if (!Value(ref reader, out var value, out var state))
        {
            return false;
        }
        reader.Read();
        return reader.TokenType == JsonTokenType.EndArray
            ? Take(time, value, state, null)
            : Stop(RefusalCode.BadPayload, shape + ", this one has more than two members");
    }

    /// <summary>{"v":21.5,"t":…,"u":"Cel"}</summary>
    private bool Object(ref Utf8JsonReader reader, bool mustBeTimed)
    {
        var time = Reading.Untimed;
        var (value, state, unit) = (0.0, (string?)null, (string?)null);
        var (hasValue, hasTime, hasUnit) = (false, false, false);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("v"u8))
            {
                RefuseTwice(hasValue, "v");
                reader.Read();
                if (!Value(ref reader, out value, out state))
                {
                    return false;
                }
                hasValue = true;
            }
            else if (reader.ValueTextEquals("t"u8))
            {
                RefuseTwice(hasTime, "t");
                reader.Read();
                time = Time(ref reader);
                hasTime = true;
            }
            else if (reader.ValueTextEquals("u"u8))
            {
                RefuseTwice(hasUnit, "u");
                hasUnit = true;
                reader.Read();
                if (!Unit(ref reader, out unit))
                {
                    return false;
                }
            }
            else
            {
                return Stop(RefusalCode.BadPayload, $"unknown member '{Excerpt.Of(reader.ValueSpan, 40)}': an object on a measurement's topic has "
                    + "\"v\" (value), \"t\" (time) and \"u\" (unit); publish several measurements to v1/account/device");
            }
        }
        if (!hasValue)
        {
            return Stop(RefusalCode.BadPayload, "the object has no \"v\" (value)");
        }
        if (mustBeTimed && !hasTime)
        {
            Refuse(RefusalCode.UntimedArray, "an element of the array has no time: give each a \"t\"");
        }
        return Take(time, value, state, unit);
    }

    private bool Value(ref Utf8JsonReader reader, out double value, out string? state)
    {
        value = 0;
        state = null;
        switch (reader.TokenType)
        {
            case JsonTokenType.Number:
                if (!reader.TryGetDouble(out value) || !double.IsFinite(value))
                {
                    Refuse(RefusalCode.NotANumber, Draft.NotANumberText);
                }
                return true;
            case JsonTokenType.True:
                value = 1;
                return true;
            case JsonTokenType.False:
                return true;
            case JsonTokenType.String:
                state = State(ref reader);
                return true;
            case JsonTokenType.Null:
                return Stop(RefusalCode.BadPayload, "a value is null: leave out what was not measured");
            default:
                return Stop(RefusalCode.BadPayload,
                    "a value is nested: values are numbers, true, false or strings; publish nested members one by one");
        }
    }

    private string State(ref Utf8JsonReader reader)
    {
        // The longest escape, \u00xx, makes six bytes of one, so what is longer is too long however it is spelt.
        Span<byte> utf8 = stackalloc byte[6 * Draft.StateBytesMax];
        return _draft.State(reader.ValueSpan.Length > utf8.Length ? reader.ValueSpan : utf8[..reader.CopyString(utf8)]);
    }

    private void RefuseTwice(bool isTwice, string member)
    {
        if (isTwice)
        {
            Refuse(RefusalCode.BadPayload, $"member \"{member}\" occurs twice in one object: send it once");
        }
    }

    private bool Unit(ref Utf8JsonReader reader, out string? unit)
    {
        unit = null;
        if (reader.TokenType == JsonTokenType.Null)
        {
            return true;
        }
        if (reader.TokenType != JsonTokenType.String || reader.ValueSpan.Length is 0 or > Draft.UnitBytesMax)
        {
            return Stop(RefusalCode.BadPayload, $"\"u\" is not a unit: send a SenML unit such as \"Cel\", at most {Draft.UnitBytesMax} bytes");
        }
        Span<byte> utf8 = stackalloc byte[Draft.UnitBytesMax];
        unit = _draft.Unit(utf8[..reader.CopyString(utf8)]);
        return true;
    }

    /// <summary>A bad time is refused but does not end the decoding, so that all samples of the message are counted.</summary>
    private long Time(ref Utf8JsonReader reader)
    {
        long time;
        switch (reader.TokenType)
        {
            case JsonTokenType.Number when reader.TryGetInt64(out var whole):
                time = Instant.FromEpoch(whole);
                break;
            case JsonTokenType.Number when reader.TryGetDouble(out var fraction) && Instant.TryFromEpoch(fraction, out time):
                break;
            case JsonTokenType.String when TryTimeText(ref reader, out time):
                break;
            case JsonTokenType.StartArray or JsonTokenType.StartObject:
                reader.Skip();
                goto default;
            default:
                Refuse(RefusalCode.BadTime, "a time is neither an epoch number (s, ms, µs or ns) nor RFC 3339 such as \"2017-03-09T00:00:00Z\"");
                return Reading.Untimed;
        }
        return _draft.CheckTime(time);
    }

    private static bool TryTimeText(ref Utf8JsonReader reader, out long time)
    {
        time = 0;
        Span<char> text = stackalloc char[64];
        return reader.ValueSpan.Length <= text.Length && Instant.TryParse(text[..reader.CopyString(text)], out time);
    }

    private void Number(long time, double value, string? unit)
    {
        _draft.CheckNumber(value);
        Take(time, value, null, unit);
    }

    private static bool IsNoNumber(ReadOnlySpan<byte> text)
    {
        text = text.TrimStart("+-"u8);
        return StartsWith(text, "nan"u8) || StartsWith(text, "inf"u8);

        static bool StartsWith(ReadOnlySpan<byte> text, ReadOnlySpan<byte> word) =>
            text.Length >= word.Length && System.Text.Ascii.EqualsIgnoreCase(text[..word.Length], word);
    }

    private bool Take(long time, double value, string? state, string? unit)
    {
        _draft.Take(time, value, state, unit);
        return true;
    }
}
