using System.Text;
using Foretier.Agent.Hot;

namespace Foretier.Agent.Ingest.Mqtt;

/// <summary>One subscription of a connection.</summary>
/// <param name="Asked">What it asked for.</param>
/// <param name="Covered">The devices it covers.</param>
internal sealed record TopicFilter(SessionFilter Asked, Identity.DeviceName Covered)
{
    // MQTT 5 §3.8.3.1, without the QoS.
    public const byte NoLocal = 0x04;
    public const byte RetainAsPublished = 0x08;

    public const int LengthMax = 512;

    public byte[] Text { get; } = Encoding.UTF8.GetBytes(Asked.Topic);

    /// <summary>Whether wildcards stand where MQTT allows them.</summary>
    public static bool IsWellFormed(string filter)
    {
        if (filter.Length is 0 or > LengthMax || filter.Contains('\0', StringComparison.Ordinal))
        {
            return false;
        }
        var levels = filter.Split('/');
        for (var i = 0; i < levels.Length; i++)
        {
            var isWild = levels[i] == "+" || (levels[i] == "#" && i == levels.Length - 1);
            if (!isWild && levels[i].AsSpan().ContainsAny('+', '#'))
            {
                return false;
            }
        }
        return true;
    }

    /// <summary>MQTT 5 §4.7, for topics that do not begin with $ (no others are published here).</summary>
    public static bool Matches(ReadOnlySpan<byte> filter, ReadOnlySpan<byte> topic)
    {
        while (true)
        {
            var filterEnds = Cut(ref filter, out var level);
            if (level is [(byte)'#'])
            {
                return true;
            }
            var topicEnds = Cut(ref topic, out var name);
            if (level is not [(byte)'+'] && !level.SequenceEqual(name))
            {
                return false;
            }
            if (filterEnds || topicEnds)
            {
                // a/# matches a too.
                return topicEnds && (filterEnds || filter is [(byte)'#']);
            }
        }
    }

    /// <summary>Takes the first level off; true where it was the last.</summary>
    private static bool Cut(ref ReadOnlySpan<byte> text, out ReadOnlySpan<byte> level)
    {
        var at = text.IndexOf((byte)'/');
        level = at < 0 ? text : text[..at];
        text = at < 0 ? default : text[(at + 1)..];
        return at < 0;
    }
}
