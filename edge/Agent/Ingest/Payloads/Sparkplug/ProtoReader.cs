using System.Buffers.Binary;

namespace Foretier.Agent.Ingest.Payloads.Sparkplug;

/// <summary>
/// Steps through the fields of one protobuf message without allocating: five field shapes are all that Sparkplug's messages need of it, so that
/// no generated classes stand between the packet and the samples.
/// </summary>
internal ref struct ProtoReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    /// <summary>Number of the field last read.</summary>
    public int Field { get; private set; }

    /// <summary>A varint, or the bits of a fixed field.</summary>
    public ulong Bits { get; private set; }

    /// <summary>Of a field with a length: text, bytes or a message.</summary>
    public ReadOnlySpan<byte> Bytes { get; private set; }

    /// <summary>The field has a length.</summary>
    public bool HasBytes { get; private set; }

    /// <summary>The bytes are cut off or no protobuf.</summary>
    public bool IsBroken { get; private set; }

    /// <summary>False at the end, or where the bytes are broken.</summary>
    public bool Next()
    {
        if (_rest.IsEmpty || IsBroken)
        {
            return false;
        }
        if (!TryVarint(out var tag) || tag >> 3 is 0 or > 536_870_911)
        {
            return Break();
        }
        (Field, Bits, HasBytes) = ((int)(tag >> 3), 0, false);
        Bytes = default;
        switch (tag & 7)
        {
            case 0:
                if (!TryVarint(out var bits))
                {
                    return Break();
                }
                Bits = bits;
                return true;
            case 1 when _rest.Length >= 8:
                Bits = BinaryPrimitives.ReadUInt64LittleEndian(_rest);
                _rest = _rest[8..];
                return true;
            case 2 when TryVarint(out var length) && length <= (ulong)_rest.Length:
                Bytes = _rest[..(int)length];
                HasBytes = true;
                _rest = _rest[(int)length..];
                return true;
            case 5 when _rest.Length >= 4:
                Bits = BinaryPrimitives.ReadUInt32LittleEndian(_rest);
                _rest = _rest[4..];
                return true;
            default:
                return Break();
        }
    }

    private bool Break()
    {
        IsBroken = true;
        return false;
    }

    private bool TryVarint(out ulong value)
    {
        value = 0;
        for (var i = 0; i < 10 && i < _rest.Length; i++)
        {
            value |= (ulong)(_rest[i] & 0x7F) << (7 * i);
            if (_rest[i] < 0x80)
            {
                _rest = _rest[(i + 1)..];
                return true;
            }
        }
        return false;
    }
}
