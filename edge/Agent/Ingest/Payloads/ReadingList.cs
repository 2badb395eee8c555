using System.Runtime.InteropServices;
using System.Text.Json;

namespace Foretier.Agent.Ingest.Payloads;

/// <summary>One decoded value on its way into a series.</summary>
/// <param name="Time">Microseconds UTC; <see cref="Untimed"/> = to be stamped on arrival.</param>
/// <param name="State">The state, or null for a number.</param>
/// <param name="Unit">SenML unit where the payload gave one.</param>
internal readonly record struct Reading(int NameStart, int NameLength, long Time, double Value, string? State, string? Unit)
{
    public const long Untimed = long.MinValue;

    /// <summary>The message's topic names the series, rather than the payload.</summary>
    public bool IsNamedByTopic => NameLength == 0;
}

/// <summary>What one message decodes to. Used again for every message of a connection; not thread-safe.</summary>
internal sealed class ReadingList
{
    // A rare giant message must not stay pinned to its connection for good.
    private const int KeptMax = 1024;

    private readonly List<Reading> _readings = [];
    private byte[] _names = new byte[64];
    private int _namesLength;

    public int Count => _readings.Count;
    public ReadOnlySpan<Reading> Readings => CollectionsMarshal.AsSpan(_readings);

    /// <summary>The measurement's name where the payload gave it; empty where the topic does.</summary>
    public ReadOnlySpan<byte> NameOf(in Reading reading) => _names.AsSpan(reading.NameStart, reading.NameLength);

    public void Add(long time, double value, string? state, string? unit) => _readings.Add(new(0, 0, time, value, state, unit));

    public void AddNamed(int nameStart, int nameLength, long time, double value, string? state) =>
        _readings.Add(new(nameStart, nameLength, time, value, state, null));

    /// <summary>Keeps the name that <paramref name="reader"/> stands on, unescaped.</summary>
    public ReadOnlySpan<byte> KeepName(ref Utf8JsonReader reader, out int start)
    {
        var most = reader.ValueSpan.Length;
        if (_names.Length - _namesLength < most)
        {
            Array.Resize(ref _names, Math.Max(_names.Length * 2, _namesLength + most));
        }
        start = _namesLength;
        var length = reader.CopyString(_names.AsSpan(start));
        _namesLength += length;
        return _names.AsSpan(start, length);
    }

    /// <summary>Gives every reading the time that the message states once for all.</summary>
    public void SetTimes(long time)
    {
        foreach (ref var reading in CollectionsMarshal.AsSpan(_readings))
        {
            reading = reading with { Time = time };
        }
    }

    public void Clear()
    {
        _readings.Clear();
        _namesLength = 0;
        if (_readings.Capacity > KeptMax)
        {
            _readings.Capacity = 0;
        }
        if (_names.Length > 16 * KeptMax)
        {
            _names = new byte[64];
        }
    }
}
