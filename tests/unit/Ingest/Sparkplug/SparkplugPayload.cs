using System.Buffers.Binary;
using System.Text;

namespace Foretier.Tests.Unit.Ingest.Sparkplug;

/// <summary>Sparkplug B payloads, byte by byte.</summary>
internal static class SparkplugPayload
{
    /// <summary>2017-03-08, ms: the time of payloads that are given none.</summary>
    public const ulong At = 1_489_017_377_000;

    public static byte[] Payload(ulong? sequence, params byte[][] metrics) => Payload(At, sequence, metrics);

    public static byte[] Payload(ulong milliseconds, ulong? sequence, params byte[][] metrics) =>
        [0x08, .. Varint(milliseconds), .. metrics.SelectMany(m => (byte[])[0x12, .. Varint((ulong)m.Length), .. m]), .. sequence is { } s ? (byte[])[0x18, .. Varint(s)] : []];

    public static byte[] Metric(string? name, ulong? alias, ulong type, byte[] value) =>
    [
        .. name is null ? [] : (byte[])[0x0A, (byte)name.Length, .. Encoding.UTF8.GetBytes(name)],
        .. alias is { } a ? (byte[])[0x10, .. Varint(a)] : [],
        .. type == 0 ? [] : (byte[])[0x20, .. Varint(type)],
        .. value,
    ];

    public static byte[] Integer(ulong value) => [0x58, .. Varint(value)];

    public static byte[] Bool(bool value) => [0x70, value ? (byte)1 : (byte)0];

    public static byte[] Text(string value) => [0x7A, (byte)value.Length, .. Encoding.UTF8.GetBytes(value)];

    public static byte[] Float(float value)
    {
        var bytes = new byte[5];
        bytes[0] = 0x65;
        BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(1), value);
        return bytes;
    }

    public static byte[] Double(double value)
    {
        var bytes = new byte[9];
        bytes[0] = 0x69;
        BinaryPrimitives.WriteDoubleLittleEndian(bytes.AsSpan(1), value);
        return bytes;
    }

    private static byte[] Varint(ulong value)
    {
        var bytes = new List<byte>();
        for (; value >= 0x80; value >>= 7)
        {
            bytes.Add((byte)(value | 0x80));
        }
        return [.. bytes, (byte)value];
    }
}
