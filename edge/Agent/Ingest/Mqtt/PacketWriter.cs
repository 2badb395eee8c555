using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace Foretier.Agent.Ingest.Mqtt;

/// <summary>Writes the packets that do not go through MQTTnet: acknowledgements, PINGRESP, and the CONNACK and DISCONNECT of MQTT 5.</summary>
internal static class PacketWriter
{
    public const byte PubAck = 0x40;
    public const byte PubRec = 0x50;
    public const byte PubComp = 0x70;

    public static ReadOnlySpan<byte> PingResp => [0xD0, 0x00];

    /// <param name="reason">0 for success, else an MQTT 5 reason code: such packets go to MQTT 5 clients only.</param>
    /// <param name="packetBytesMax">What the client takes; a reason string that does not fit is left out.</param>
    public static int WriteAck(IBufferWriter<byte> output, byte type, ushort packetId, byte reason, string? text, uint packetBytesMax)
    {
        if (reason == 0)
        {
            var plain = output.GetSpan(4);
            plain[0] = type;
            plain[1] = 2;
            BinaryPrimitives.WriteUInt16BigEndian(plain[2..], packetId);
            output.Advance(4);
            return 4;
        }
        var body = new ArrayBufferWriter<byte>(64);
        WriteUInt16(body, packetId);
        WriteByte(body, reason);
        var properties = new ArrayBufferWriter<byte>(64);
        if (text is not null)
        {
            WriteString(properties, 0x1F, text);
        }
        WriteVariable(body, properties.WrittenCount);
        body.Write(properties.WrittenSpan);
        return body.WrittenCount + 5 <= packetBytesMax || text is null
            ? WritePacket(output, type, body.WrittenSpan)
            : WriteAck(output, type, packetId, reason, null, packetBytesMax);
    }

    /// <summary>MQTT 5 §3.2. MQTTnet's own says that everything is unlimited, and cannot state a session expiry of 0.</summary>
    public static int WriteConnAck(
        IBufferWriter<byte> output, MqttConnAckPacket packet, MqttOptions options, ushort? serverKeepAlive, TimeSpan sessionKept, bool withReason)
    {
        var properties = new ArrayBufferWriter<byte>(128);
        if (packet.ReasonCode == MqttConnectReasonCode.Success)
        {
            WriteByte(properties, 0x11); // session expiry interval
            WriteUInt32(properties, (uint)sessionKept.TotalSeconds);
            WriteByte(properties, 0x21);
            WriteUInt16(properties, options.ReceiveMaximum);
            // No maximum QoS: that means 2. [MQTT-3.2.2.3.4]
            WriteByte(properties, 0x25); // retain available
            WriteByte(properties, (byte)(options.RetainedMax > 0 ? 1 : 0));
            WriteByte(properties, 0x27); // maximum packet size
            WriteUInt32(properties, (uint)options.PacketBytesMax);
            WriteByte(properties, 0x22);
            WriteUInt16(properties, options.TopicAliasMaximum);
            WriteByte(properties, 0x29); // subscription identifiers available
            WriteByte(properties, 1);
            WriteByte(properties, 0x2A); // shared subscription available
            WriteByte(properties, 0);
            if (serverKeepAlive is { } seconds)
            {
                WriteByte(properties, 0x13);
                WriteUInt16(properties, seconds);
            }
            if (!string.IsNullOrEmpty(packet.AssignedClientIdentifier))
            {
                WriteString(properties, 0x12, packet.AssignedClientIdentifier);
            }
        }
        if (withReason && !string.IsNullOrEmpty(packet.ReasonString))
        {
            WriteString(properties, 0x1F, packet.ReasonString);
        }
        var body = new ArrayBufferWriter<byte>(128);
        WriteByte(body, (byte)(packet.IsSessionPresent ? 1 : 0));
        WriteByte(body, (byte)packet.ReasonCode);
        WriteVariable(body, properties.WrittenCount);
        body.Write(properties.WrittenSpan);
        return WritePacket(output, 0x20, body.WrittenSpan);
    }

    /// <summary>MQTT 5 §3.14.</summary>
    public static int WriteDisconnect(IBufferWriter<byte> output, MqttDisconnectReasonCode reason, string? text)
    {
        var properties = new ArrayBufferWriter<byte>(64);
        if (text is not null)
        {
            WriteString(properties, 0x1F, text);
        }
        var body = new ArrayBufferWriter<byte>(64);
        WriteByte(body, (byte)reason);
        WriteVariable(body, properties.WrittenCount);
        body.Write(properties.WrittenSpan);
        return WritePacket(output, 0xE0, body.WrittenSpan);
    }

    private static int WritePacket(IBufferWriter<byte> output, byte first, ReadOnlySpan<byte> body)
    {
        WriteByte(output, first);
        var lengthBytes = WriteVariable(output, body.Length);
        output.Write(body);
        return 1 + lengthBytes + body.Length;
    }

    private static void WriteByte(IBufferWriter<byte> output, byte value)
    {
        output.GetSpan(1)[0] = value;
        output.Advance(1);
    }

    private static void WriteUInt16(IBufferWriter<byte> output, ushort value)
    {
        BinaryPrimitives.WriteUInt16BigEndian(output.GetSpan(2), value);
        output.Advance(2);
    }

    private static void WriteUInt32(IBufferWriter<byte> output, uint value)
    {
        BinaryPrimitives.WriteUInt32BigEndian(output.GetSpan(4), value);
        output.Advance(4);
    }

    private static int WriteVariable(IBufferWriter<byte> output, int value)
    {
        var written = 0;
        do
        {
            var rest = value >> 7;
            WriteByte(output, (byte)((value & 0x7F) | (rest > 0 ? 0x80 : 0)));
            value = rest;
            written++;
        }
        while (value > 0);
        return written;
    }

    private static void WriteString(IBufferWriter<byte> output, byte property, string text)
    {
        // Reason strings quote what a stranger sent and are cut there already; this bounds our own sentences too.
        var utf8 = Encoding.UTF8.GetBytes(text.Length > 1000 ? text[..1000] : text);
        WriteByte(output, property);
        WriteUInt16(output, (ushort)utf8.Length);
        output.Write(utf8);
    }
}
