using System.Buffers.Binary;

namespace Foretier.Core.Segments.Values;

/// <summary>Eight bytes each: what no other encoding makes shorter.</summary>
internal static class RawValues
{
    public static void Write(ByteWriter to, ReadOnlySpan<double> values)
    {
        var room = to.Reserve(8 * values.Length);
        for (var i = 0; i < values.Length; i++)
        {
            BinaryPrimitives.WriteDoubleLittleEndian(room[(8 * i)..], values[i]);
        }
    }

    public static void Read(ref ByteReader from, Span<double> values)
    {
        var bytes = from.Bytes(checked(8 * values.Length));
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = BinaryPrimitives.ReadDoubleLittleEndian(bytes[(8 * i)..]);
        }
    }
}
