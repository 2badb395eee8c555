using System.Text;

namespace Foretier.Agent.Ingest;

/// <summary>The beginning of something a stranger sent, made safe to show in a log line or a reason string.</summary>
internal static class Excerpt
{
    public static string Of(ReadOnlySpan<byte> bytes, int bytesMax)
    {
        var cut = bytes.Length > bytesMax;
        var text = Encoding.UTF8.GetString(cut ? bytes[..bytesMax] : bytes);
        var shown = new StringBuilder(text.Length + 1);
        foreach (var c in text)
        {
            // Control characters would forge log lines and are not allowed in an MQTT string; U+FFFD marks what is no UTF-8.
            shown.Append(char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029' ? '\uFFFD' : c);
        }
        return cut ? shown.Append('…').ToString() : shown.ToString();
    }
}
