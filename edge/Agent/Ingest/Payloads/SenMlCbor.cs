namespace Foretier.Agent.Ingest.Payloads;

/// <summary>A SenML pack in CBOR (RFC 8428 §6): an array of maps, whose labels are small integers (table 4).</summary>
internal static class SenMlCbor
{
    private const string Broken = "the SenML pack is not well-formed CBOR, or has strings of indefinite length: send an array of maps as in RFC 8428 §6";

    /// <summary>True where the payload begins as a CBOR array does, with or without the tag 55799: no text does.</summary>
    public static bool IsPack(ReadOnlySpan<byte> payload) =>
        !payload.IsEmpty && (payload[0] is >= 0x80 and <= 0x9F || payload.StartsWith<byte>([0xD9, 0xD9, 0xF7]));

    public static bool Decode(ReadOnlySpan<byte> payload, ReadOnlySpan<byte> device, Draft draft, SenMlPack pack)
    {
        var reader = new Cbor(payload);
        pack.Begin(draft, device);
        if (!reader.TryRead(out var array) || array.Kind != CborKind.Array)
        {
            return draft.Stop(RefusalCode.BadPayload, Broken);
        }
        for (var left = array.Length; array.IsIndefinite ? !reader.TryBreak() : left-- > 0;)
        {
            if (!reader.TryRead(out var map) || map.Kind != CborKind.Map)
            {
                return draft.Stop(RefusalCode.BadPayload, Broken);
            }
            pack.BeginRecord();
            for (var fields = map.Length; map.IsIndefinite ? !reader.TryBreak() : fields-- > 0;)
            {
                if (!Field(ref reader, pack, draft))
                {
                    return false;
                }
            }
            if (!pack.EndRecord())
            {
                return false;
            }
        }
        return reader.IsAtEnd ? pack.EndPack() : draft.Stop(RefusalCode.BadPayload, "bytes follow the SenML pack");
    }

    private static bool Field(ref Cbor reader, SenMlPack pack, Draft draft)
    {
        if (!reader.TryRead(out var label))
        {
            return draft.Stop(RefusalCode.BadPayload, Broken);
        }
        var field = label.Kind == CborKind.Integer ? FieldOf(label.Number) : SenMlField.None;
        if (field == SenMlField.None)
        {
            return label.Kind is not (CborKind.Integer or CborKind.Text) ? draft.Stop(RefusalCode.BadPayload, Broken)
                : (label.Kind == CborKind.Integer || pack.MayIgnore(label.Text))
                    && (reader.TrySkip() || draft.Stop(RefusalCode.BadPayload, Broken));
        }
        if (!pack.Has(field))
        {
            return false;
        }
        if (!reader.TryRead(out var value))
        {
            return draft.Stop(RefusalCode.BadPayload, Broken);
        }
        return value.Kind switch
        {
            CborKind.Bytes when field == SenMlField.DataValue => true,
            CborKind.Integer or CborKind.Number => pack.SetNumber(field, value.Number),
            CborKind.Text => pack.SetText(field, value.Text),
            CborKind.Bool => pack.SetBool(field, value.Number != 0),
            _ => pack.WrongType(field),
        };
    }

    private static SenMlField FieldOf(double label) => label switch
    {
        -1 => SenMlField.BaseVersion,
        -2 => SenMlField.BaseName,
        -3 => SenMlField.BaseTime,
        -4 => SenMlField.BaseUnit,
        -5 => SenMlField.BaseValue,
        -6 => SenMlField.BaseSum,
        0 => SenMlField.Name,
        1 => SenMlField.Unit,
        2 => SenMlField.Value,
        3 => SenMlField.StringValue,
        4 => SenMlField.BoolValue,
        5 => SenMlField.Sum,
        6 => SenMlField.Time,
        7 => SenMlField.UpdateTime,
        8 => SenMlField.DataValue,
        _ => SenMlField.None,
    };
}
