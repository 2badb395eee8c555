using System.Buffers.Binary;

namespace Foretier.Agent.Ingest.Mqtt;

/// <summary>A PUBLISH packet, read where it lies. MQTT 3.1.1 §3.3, MQTT 5 §3.3.</summary>
internal readonly ref struct PublishPacket
{
    public ReadOnlySpan<byte> Topic { get; private init; }
    public ReadOnlySpan<byte> Payload { get; private init; }
    public int Qos { get; private init; }
    public bool IsDuplicate { get; private init; }
    public bool IsRetained { get; private init; }

    /// <summary>0 with QoS 0.</summary>
    public ushort PacketId { get; private init; }

    /// <summary>0 = none. MQTT 5 allows no other use of 0.</summary>
    public ushort TopicAlias { get; private init; }

    /// <exception cref="MalformedPacketException">The bytes are no PUBLISH.</exception>
    public static PublishPacket Read(int flags, ReadOnlySpan<byte> body, bool isV5)
    {
        var qos = (flags >> 1) & 3;
        if (qos == 3)
        {
            throw new MalformedPacketException("PUBLISH with QoS 3");
        }
        if ((flags & 8) != 0 && qos == 0)
        {
            throw new MalformedPacketException("PUBLISH with QoS 0 and DUP");
        }
        var topic = Take(ref body, TakeUInt16(ref body));
        ushort id = 0;
        if (qos > 0)
        {
            id = TakeUInt16(ref body);
            if (id == 0)
            {
                throw new MalformedPacketException("PUBLISH with packet identifier 0");
            }
        }
        ushort alias = 0;
        if (isV5)
        {
            var properties = Take(ref body, TakeVariable(ref body));
            while (!properties.IsEmpty)
            {
                alias = ReadProperty(ref properties) ?? alias;
            }
        }
        return new()
        {
            Topic = topic,
            Payload = body,
            Qos = qos,
            IsDuplicate = (flags & 8) != 0,
            IsRetained = (flags & 1) != 0,
            PacketId = id,
            TopicAlias = alias,
        };
    }

    /// <summary>Steps over one property. Only the topic alias matters here.</summary>
    private static ushort? ReadProperty(scoped ref ReadOnlySpan<byte> properties)
    {
        var id = Take(ref properties, 1)[0];
        switch (id)
        {
            case 0x01: // payload format indicator
                Take(ref properties, 1);
                return null;
            case 0x02: // message expiry interval
                Take(ref properties, 4);
                return null;
            case 0x03 or 0x08 or 0x09: // content type, response topic, correlation data
                Take(ref properties, TakeUInt16(ref properties));
                return null;
            case 0x26: // user property
                Take(ref properties, TakeUInt16(ref properties));
                Take(ref properties, TakeUInt16(ref properties));
                return null;
            case 0x23:
                var alias = TakeUInt16(ref properties);
                return alias > 0 ? alias : throw new MalformedPacketException("PUBLISH with topic alias 0");
            default:
                throw new MalformedPacketException($"PUBLISH with property 0x{id:X2}");
        }
    }

    private static int TakeVariable(scoped ref ReadOnlySpan<byte> from)
    {
        var value = 0;
        for (var i = 0; i < 4; i++)
        {
            var b = Take(ref from, 1)[0];
            value |= (b & 0x7F) << (7 * i);
            if ((b & 0x80) == 0)
            {
                return value;
            }
        }
        throw new MalformedPacketException("a length takes more than four bytes");
    }

    private static ushort TakeUInt16(scoped ref ReadOnlySpan<byte> from) => BinaryPrimitives.ReadUInt16BigEndian(Take(ref from, 2));

    private static ReadOnlySpan<byte> Take(scoped ref ReadOnlySpan<byte> from, int length)
    {
        if (length > from.Length)
        {
            throw new MalformedPacketException("PUBLISH is cut off");
        }
        var taken = from[..length];
        from = from[length..];
        return taken;
    }
}
