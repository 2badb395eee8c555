using System.Runtime.InteropServices;
using System.Text;

namespace Foretier.Core.Segments;

/// <summary>
/// A state's text: UTF-8, or, for text that is not well-formed (a surrogate on its own), its UTF-16 units, so that it too comes back as it was.
/// </summary>
internal static class StateText
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static void Write(ByteWriter to, string text)
    {
        byte[] bytes;
        var isUnits = 0ul;
        try
        {
            bytes = Strict.GetBytes(text);
        }
        catch (EncoderFallbackException)
        {
            // Not Encoding.Unicode: it mends what is ill-formed.
            bytes = MemoryMarshal.AsBytes(text.AsSpan()).ToArray();
            isUnits = 1;
        }
        to.VarUInt(((ulong)bytes.Length << 1) | isUnits);
        to.Bytes(bytes);
    }

    public static string Read(ref ByteReader from)
    {
        var head = from.Count(int.MaxValue, "bytes of a state");
        var bytes = from.Bytes(head >> 1);
        if ((head & 1) != 0)
        {
            return new string(MemoryMarshal.Cast<byte, char>(bytes));
        }
        try
        {
            return Strict.GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new SegmentFormatException($"a state that is not UTF-8: {e.Message}");
        }
    }
}
