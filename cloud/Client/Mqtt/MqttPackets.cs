using System.Buffers.Binary;
using System.Text;

namespace Foretier.Client.Mqtt;

/// <summary>The few packets of MQTT 5.0 that a publisher at QoS 1 writes and reads.</summary>
internal static class MqttPackets
{
    public const byte ConnAck = 0x20;
    public const byte PubAck = 0x40;
    public const byte PingResponse = 0xD0;
    public const byte Disconnect = 0xE0;

    public static ReadOnlySpan<byte> PingRequest => [0xC0, 0x00];
    public static ReadOnlySpan<byte> Goodbye => [0xE0, 0x00];

    /// <summary>A clean start: what was not acknowledged is sent anew by us, not kept by the broker.</summary>
    public static byte[] Connect(string clientId, string? user, string? secret, ushort keepAliveSeconds)
    {
        var body = new List<byte>();
        AddText(body, "MQTT");
        var flags = 0x02 | (user is null ? 0 : 0x80) | (secret is null ? 0 : 0x40);
        body.AddRange([5, (byte)flags, (byte)(keepAliveSeconds >> 8), (byte)keepAliveSeconds, 0]);
        AddText(body, clientId);
        if (user is not null)
        {
            AddText(body, user);
        }
        if (secret is not null)
        {
            AddText(body, secret);
        }
        var packet = new byte[5 + body.Count];
        packet[0] = 0x10;
        var length = 1 + WriteLength(packet.AsSpan(1), body.Count);
        body.CopyTo(packet, length);
        return packet[..(length + body.Count)];
    }

    public static int PublishSize(int topic, int payload) => 1 + 4 + 2 + topic + 2 + 1 + payload;

    /// <summary>QoS 1, not retained, no properties.</summary>
    public static int WritePublish(Span<byte> packet, ReadOnlySpan<byte> topic, ushort packetId, ReadOnlySpan<byte> payload)
    {
        packet[0] = 0x32;
        var at = 1 + WriteLength(packet[1..], 2 + topic.Length + 2 + 1 + payload.Length);
        BinaryPrimitives.WriteUInt16BigEndian(packet[at..], checked((ushort)topic.Length));
        topic.CopyTo(packet[(at + 2)..]);
        at += 2 + topic.Length;
        BinaryPrimitives.WriteUInt16BigEndian(packet[at..], packetId);
        packet[at + 2] = 0;
        payload.CopyTo(packet[(at + 3)..]);
        return at + 3 + payload.Length;
    }

    /// <summary>Takes one whole packet off the front; false while some of it is still to come.</summary>
    public static bool TryTake(ReadOnlySpan<byte> bytes, out byte type, out ReadOnlySpan<byte> body, out int taken)
    {
        type = 0;
        body = default;
        taken = 0;
        if (bytes.Length < 2)
        {
            return false;
        }
        int length = 0, at = 1;
        for (var shift = 0; ; shift += 7)
        {
            if (at == bytes.Length)
            {
                return false;
            }
            if (shift > 21)
            {
                throw new InvalidDataException("the broker sent a packet with an impossible length");
            }
            var b = bytes[at++];
            length |= (b & 0x7F) << shift;
            if (b < 0x80)
            {
                break;
            }
        }
        if (bytes.Length - at < length)
        {
            return false;
        }
        type = (byte)(bytes[0] & 0xF0);
        body = bytes.Slice(at, length);
        taken = at + length;
        return true;
    }

    public static (byte Reason, string? Text, int ReceiveMaximum) ReadConnAck(ReadOnlySpan<byte> body)
    {
        if (body.Length < 2)
        {
            throw new InvalidDataException("the broker's CONNACK is too short");
        }
        var receiveMaximum = (int)ushort.MaxValue;
        string? text = null;
        for (var properties = Properties(body[2..]); TryProperty(ref properties, out var id, out var value);)
        {
            if (id == 0x21)
            {
                receiveMaximum = BinaryPrimitives.ReadUInt16BigEndian(value);
            }
            else if (id == 0x1F)
            {
                text = Encoding.UTF8.GetString(value);
            }
        }
        return (body[1], text, receiveMaximum);
    }

    public static (ushort PacketId, byte Reason, string? Text) ReadPubAck(ReadOnlySpan<byte> body)
    {
        if (body.Length < 2)
        {
            throw new InvalidDataException("the broker's PUBACK is too short");
        }
        var (reason, text) = ReadReason(body[2..]);
        return (BinaryPrimitives.ReadUInt16BigEndian(body), reason, text);
    }

    /// <summary>Reason and reason string as in PUBACK and DISCONNECT: both may be left out.</summary>
    public static (byte Reason, string? Text) ReadReason(ReadOnlySpan<byte> body)
    {
        if (body.IsEmpty)
        {
            return (MqttReason.Success, null);
        }
        for (var properties = Properties(body[1..]); TryProperty(ref properties, out var id, out var value);)
        {
            if (id == 0x1F)
            {
                return (body[0], Encoding.UTF8.GetString(value));
            }
        }
        return (body[0], null);
    }

    private static ReadOnlySpan<byte> Properties(ReadOnlySpan<byte> rest)
    {
        int length = 0, at = 0;
        for (var shift = 0; at < rest.Length; shift += 7)
        {
            var b = rest[at++];
            length |= (b & 0x7F) << shift;
            if (b < 0x80)
            {
                break;
            }
        }
        return length <= rest.Length - at ? rest.Slice(at, length) : throw new InvalidDataException("the broker's properties are cut off");
    }

    /// <summary>Takes one property off the front (MQTT 5.0, table 2-4).</summary>
    private static bool TryProperty(ref ReadOnlySpan<byte> properties, out byte id, out ReadOnlySpan<byte> value)
    {
        id = 0;
        value = default;
        if (properties.IsEmpty)
        {
            return false;
        }
        id = properties[0];
        var rest = properties[1..];
        var start = 0;
        var length = id switch
        {
            0x01 or 0x17 or 0x19 or 0x24 or 0x25 or 0x28 or 0x29 or 0x2A => 1,
            0x13 or 0x21 or 0x22 or 0x23 => 2,
            0x02 or 0x11 or 0x18 or 0x27 => 4,
            0x03 or 0x08 or 0x09 or 0x12 or 0x15 or 0x16 or 0x1A or 0x1C or 0x1F => TextAt(rest, ref start),
            0x26 => UserPropertyAt(rest),
            _ => throw new InvalidDataException($"the broker sent an unknown property, {id}"),
        };
        if (start + length > rest.Length)
        {
            throw new InvalidDataException("the broker's properties are cut off");
        }
        value = rest.Slice(start, length);
        properties = rest[(start + length)..];
        return true;
    }

    private static int TextAt(ReadOnlySpan<byte> rest, ref int start)
    {
        start += 2;
        return rest.Length < start
            ? throw new InvalidDataException("the broker's properties are cut off")
            : BinaryPrimitives.ReadUInt16BigEndian(rest[(start - 2)..]);
    }

    private static int UserPropertyAt(ReadOnlySpan<byte> rest)
    {
        var at = 0;
        at += TextAt(rest, ref at);
        at += TextAt(rest, ref at);
        return at;
    }

    private static int WriteLength(Span<byte> to, int length)
    {
        var at = 0;
        do
        {
            to[at++] = (byte)(length < 0x80 ? length : (length & 0x7F) | 0x80);
            length >>= 7;
        }
        while (length > 0);
        return at;
    }

    private static void AddText(List<byte> to, string text)
    {
        var utf8 = Encoding.UTF8.GetBytes(text);
        to.AddRange([(byte)(checked((ushort)utf8.Length) >> 8), (byte)utf8.Length]);
        to.AddRange(utf8);
    }
}
