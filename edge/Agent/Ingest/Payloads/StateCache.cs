using System.Text;

namespace Foretier.Agent.Ingest.Payloads;

/// <summary>States repeat: a door is open or closed. Keeps the last few as strings so that a known one costs no allocation.</summary>
internal sealed class StateCache
{
    private readonly string?[] _states = new string?[64];

    public string Get(ReadOnlySpan<byte> utf8)
    {
        var hash = 2166136261u;
        foreach (var b in utf8)
        {
            hash = (hash ^ b) * 16777619u;
        }
        ref var slot = ref _states[hash % (uint)_states.Length];
        if (slot is null || !Matches(slot, utf8))
        {
            slot = Encoding.UTF8.GetString(utf8);
        }
        return slot;
    }

    private static bool Matches(string state, ReadOnlySpan<byte> utf8)
    {
        Span<byte> bytes = stackalloc byte[Draft.StateBytesMax];
        return Encoding.UTF8.TryGetBytes(state, bytes, out var written) && bytes[..written].SequenceEqual(utf8);
    }
}
