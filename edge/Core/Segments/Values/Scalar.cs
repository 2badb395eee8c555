namespace Foretier.Core.Segments.Values;

/// <summary>One double on its own: its decimals and a varint where that is short, else 255 and the eight bytes.</summary>
internal static class Scalar
{
    private const int Plain = 255;

    public static void Write(ByteWriter to, double value)
    {
        var decimals = DecimalScale.Of(value);
        if (decimals >= 0 && DecimalScale.TryScale(value, DecimalScale.Power(decimals), out var integer)
            && ByteWriter.VarUIntLength(ZigZag.Encode(integer)) < 8)
        {
            to.Byte(decimals);
            to.VarInt(integer);
            return;
        }
        to.Byte(Plain);
        to.Int64(BitConverter.DoubleToInt64Bits(value));
    }

    public static double Read(ref ByteReader from)
    {
        var decimals = from.Byte();
        return decimals switch
        {
            Plain => BitConverter.Int64BitsToDouble(from.Int64()),
            <= DecimalScale.Max => from.VarInt() / DecimalScale.Power(decimals),
            _ => throw new SegmentFormatException($"a number of {decimals} decimals"),
        };
    }
}
