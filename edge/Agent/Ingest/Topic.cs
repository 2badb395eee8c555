using System.Text;
using Foretier.Agent.Ingest.Identity;

namespace Foretier.Agent.Ingest;

/// <summary>A topic samples are published to: <c>v1/account/device/measurement</c> or, for several at once, <c>v1/account/device</c>.</summary>
/// <param name="Measurement">Null on a device's topic, where the payload names the measurements.</param>
internal sealed record Topic(DeviceName Device, string? Measurement)
{
    private const string Shape = "publish to v1/account/device/measurement, or to v1/account/device with a flat JSON object";

    public static bool TryParse(ReadOnlySpan<byte> text, out Topic? topic, out Refusal refusal)
    {
        topic = null;
        refusal = default;
        Span<Range> levels = stackalloc Range[6];
        var count = 0;
        foreach (var level in text.Split((byte)'/'))
        {
            if (count == levels.Length)
            {
                break;
            }
            levels[count++] = level;
        }
        if (count is not (3 or 4) || !text[levels[0]].SequenceEqual("v1"u8))
        {
            refusal = new(RefusalCode.BadTopic, $"'{Excerpt.Of(text, 80)}' is no topic of this server: {Shape}", 1);
            return false;
        }
        for (var i = 1; i < count; i++)
        {
            if (!Names.IsValid(text[levels[i]]))
            {
                refusal = new(RefusalCode.BadTopic, $"{Names.Explain("topic level", text[levels[i]])}; {Shape}", 1);
                return false;
            }
        }
        topic = new(new(Encoding.ASCII.GetString(text[levels[1]]), Encoding.ASCII.GetString(text[levels[2]])),
            count == 4 ? Encoding.ASCII.GetString(text[levels[3]]) : null);
        return true;
    }
}
