using System.Buffers;

namespace Foretier.Agent.Ingest.Mqtt;

internal enum PacketType
{
    Connect = 1,
    Publish = 3,
    PubRel = 6,
    PingReq = 12,
}

/// <summary>The first two to five bytes of an MQTT packet: type, flags, and the length of what follows.</summary>
internal readonly record struct PacketHeader(byte First, int Length, int BodyLength)
{
    public PacketType Type => (PacketType)(First >> 4);
    public int Flags => First & 0x0F;

    /// <returns>False while bytes are missing.</returns>
    /// <exception cref="MalformedPacketException">The length is longer than four bytes.</exception>
    public static bool TryRead(in ReadOnlySequence<byte> buffer, out PacketHeader header)
    {
        header = default;
        Span<byte> copy = stackalloc byte[5];
        scoped var bytes = buffer.FirstSpan;
        if (bytes.Length < 5 && buffer.Length > bytes.Length)
        {
            var known = buffer.Slice(0, Math.Min(5, buffer.Length));
            known.CopyTo(copy);
            bytes = copy[..(int)known.Length];
        }
        var bodyLength = 0;
        for (var i = 1; i < bytes.Length; i++)
        {
            if (i == 5)
            {
                break;
            }
            bodyLength |= (bytes[i] & 0x7F) << (7 * (i - 1));
            if ((bytes[i] & 0x80) == 0)
            {
                header = new(bytes[0], i + 1, bodyLength);
                return true;
            }
            if (i == 4)
            {
                throw new MalformedPacketException("its length takes more than four bytes");
            }
        }
        return false;
    }
}

/// <summary>A packet that is no MQTT. The connection cannot go on.</summary>
internal sealed class MalformedPacketException(string what) : Exception(what);
