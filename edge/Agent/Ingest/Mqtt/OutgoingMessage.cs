using System.Buffers.Binary;

namespace Foretier.Agent.Ingest.Mqtt;

/// <summary>A message on its way to subscribers, with QoS 0: encoded once for all that get the same bytes.</summary>
internal sealed class OutgoingMessage(ReadOnlySpan<byte> topic, ReadOnlySpan<byte> payload)
{
    private readonly byte[] _payload = payload.ToArray();
    private byte[]? _plain;
    private byte[]? _plainV5;

    public byte[] Topic { get; } = topic.ToArray();

    /// <param name="ids">Subscription identifiers, of MQTT 5.</param>
    public byte[] Encode(bool isV5, bool isRetained, ReadOnlySpan<int> ids) =>
        isRetained || !ids.IsEmpty ? Write(isV5, isRetained, ids)
        : isV5 ? _plainV5 ??= Write(isV5, isRetained, ids)
        : _plain ??= Write(isV5, isRetained, ids);

    private byte[] Write(bool isV5, bool isRetained, ReadOnlySpan<int> ids)
    {
        var properties = 0;
        foreach (var id in ids)
        {
            properties += 1 + VariableBytes(id);
        }
        var body = 2 + Topic.Length + _payload.Length + (isV5 ? VariableBytes(properties) + properties : 0);
        var packet = new byte[1 + VariableBytes(body) + body];
        packet[0] = (byte)(isRetained ? 0x31 : 0x30);
        var at = WriteVariable(packet, 1, body);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(at), (ushort)Topic.Length);
        Topic.CopyTo(packet, at + 2);
        at += 2 + Topic.Length;
        if (isV5)
        {
            at = WriteVariable(packet, at, properties);
            foreach (var id in ids)
            {
                packet[at] = 0x0B;
                at = WriteVariable(packet, at + 1, id);
            }
        }
        _payload.CopyTo(packet, at);
        return packet;
    }

    private static int VariableBytes(int value) => value < 128 ? 1 : value < 16_384 ? 2 : value < 2_097_152 ? 3 : 4;

    private static int WriteVariable(byte[] into, int at, int value)
    {
        for (; value > 127; value >>= 7)
        {
            into[at++] = (byte)(value | 0x80);
        }
        into[at++] = (byte)value;
        return at;
    }
}
