using System.Text.Json;

namespace Foretier.Agent.Ingest.Payloads;

/// <summary>A SenML pack in JSON (RFC 8428 §5): an array of records.</summary>
internal static class SenMlJson
{
    // A pack is two levels; what is deeper can only be a field that is stepped over.
    private static readonly JsonReaderOptions Strict = new() { MaxDepth = 8 };

    public static bool Decode(ReadOnlySpan<byte> payload, ReadOnlySpan<byte> device, Draft draft, SenMlPack pack)
    {
        var reader = new Utf8JsonReader(payload, Strict);
        pack.Begin(draft, device);
        try
        {
            reader.Read();
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                if (reader.TokenType != JsonTokenType.StartObject)
                {
                    return draft.Stop(RefusalCode.BadPayload, "an array on a device's topic is a SenML pack, whose elements are objects; "
                        + "publish pairs [[t,v],…] to v1/account/device/measurement");
                }
                if (!Record(ref reader, pack, draft))
                {
                    return false;
                }
            }
            reader.Read();
            return pack.EndPack();
        }
        catch (JsonException)
        {
            var rest = payload[(int)Math.Min(reader.BytesConsumed, payload.Length)..];
            return draft.Stop(RefusalCode.BadPayload, $"the SenML pack is not JSON from byte {reader.BytesConsumed} on: '{Excerpt.Of(rest, 40)}'");
        }
        catch (InvalidOperationException)
        {
            // The reader's way to say that a string's bytes or escapes are no Unicode text.
            return draft.Stop(RefusalCode.BadPayload, "a string in the payload is not valid UTF-8");
        }
    }

    private static bool Record(ref Utf8JsonReader reader, SenMlPack pack, Draft draft)
    {
        pack.BeginRecord();
        Span<byte> text = stackalloc byte[6 * Draft.StateBytesMax];
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var field = FieldOf(ref reader);
            if (field == SenMlField.None)
            {
                var label = reader.ValueSpan.Length > text.Length ? reader.ValueSpan : text[..reader.CopyString(text)];
                if (!pack.MayIgnore(label))
                {
                    return false;
                }
                reader.Skip();
                continue;
            }
            if (!pack.Has(field))
            {
                return false;
            }
            reader.Read();
            if (field == SenMlField.DataValue)
            {
                reader.Skip();
                continue;
            }
            var good = reader.TokenType switch
            {
                JsonTokenType.Number => Number(ref reader, pack, field, draft),
                JsonTokenType.True or JsonTokenType.False => pack.SetBool(field, reader.TokenType == JsonTokenType.True),
                JsonTokenType.String => pack.SetText(field, reader.ValueSpan.Length > text.Length ? reader.ValueSpan : text[..reader.CopyString(text)]),
                _ => pack.WrongType(field),
            };
            if (!good)
            {
                return false;
            }
        }
        return pack.EndRecord();
    }

    private static bool Number(ref Utf8JsonReader reader, SenMlPack pack, SenMlField field, Draft draft)
    {
        if (!reader.TryGetDouble(out var number))
        {
            draft.Refuse(RefusalCode.NotANumber, Draft.NotANumberText);
        }
        return pack.SetNumber(field, number);
    }

    private static SenMlField FieldOf(ref Utf8JsonReader reader) =>
        reader.ValueTextEquals("n"u8) ? SenMlField.Name
        : reader.ValueTextEquals("v"u8) ? SenMlField.Value
        : reader.ValueTextEquals("t"u8) ? SenMlField.Time
        : reader.ValueTextEquals("u"u8) ? SenMlField.Unit
        : reader.ValueTextEquals("bn"u8) ? SenMlField.BaseName
        : reader.ValueTextEquals("bt"u8) ? SenMlField.BaseTime
        : reader.ValueTextEquals("bu"u8) ? SenMlField.BaseUnit
        : reader.ValueTextEquals("bv"u8) ? SenMlField.BaseValue
        : reader.ValueTextEquals("bs"u8) ? SenMlField.BaseSum
        : reader.ValueTextEquals("bver"u8) ? SenMlField.BaseVersion
        : reader.ValueTextEquals("vs"u8) ? SenMlField.StringValue
        : reader.ValueTextEquals("vb"u8) ? SenMlField.BoolValue
        : reader.ValueTextEquals("vd"u8) ? SenMlField.DataValue
        : reader.ValueTextEquals("s"u8) ? SenMlField.Sum
        : reader.ValueTextEquals("ut"u8) ? SenMlField.UpdateTime
        : SenMlField.None;
}
