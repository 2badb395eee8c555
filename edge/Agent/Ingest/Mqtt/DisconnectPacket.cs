using System.Buffers.Binary;

namespace Foretier.Agent.Ingest.Mqtt;

/// <summary>MQTT 5 §3.14. MQTTnet decodes it, but does not tell a session expiry of zero from none.</summary>
internal static class DisconnectPacket
{
    private const byte SessionExpiryInterval = 0x11;
    private const byte ServerReference = 0x1C;
    private const byte ReasonString = 0x1F;
    private const byte UserProperty = 0x26;

    /// <summary>Seconds; null where the packet has none.</summary>
    /// <param name="body">After the fixed header.</param>
    /// <exception cref="MalformedPacketException">It is no DISCONNECT of MQTT 5.</exception>
    public static uint? SessionExpiryOf(ReadOnlySpan<byte> body)
    {
        if (body.Length < 2)
        {
            return null;
        }
        var properties = body[1..];
        var length = Variable(ref properties);
        if (length > properties.Length)
        {
            throw Malformed();
        }
        uint? expiry = null;
        for (properties = properties[..length]; !properties.IsEmpty;)
        {
            var id = Take(ref properties, 1)[0];
            switch (id)
            {
                case SessionExpiryInterval when expiry is null:
                    expiry = BinaryPrimitives.ReadUInt32BigEndian(Take(ref properties, 4));
                    break;
                case ServerReference or ReasonString or UserProperty:
                    for (var texts = id == UserProperty ? 2 : 1; texts > 0; texts--)
                    {
                        Take(ref properties, BinaryPrimitives.ReadUInt16BigEndian(Take(ref properties, 2)));
                    }
                    break;
                default:
                    throw Malformed();
            }
        }
        return expiry;
    }

    private static int Variable(ref ReadOnlySpan<byte> bytes)
    {
        var value = 0;
        for (var shift = 0; shift < 28; shift += 7)
        {
            var part = Take(ref bytes, 1)[0];
            value |= (part & 0x7F) << shift;
            if (part < 128)
            {
                return value;
            }
        }
        throw Malformed();
    }

    private static ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> bytes, int count)
    {
        if (bytes.Length < count)
        {
            throw Malformed();
        }
        var taken = bytes[..count];
        bytes = bytes[count..];
        return taken;
    }

    private static MalformedPacketException Malformed() => new("a DISCONNECT whose properties cannot be read");
}
