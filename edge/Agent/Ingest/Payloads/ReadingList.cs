using System.Buffers;
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

    // Below this, comparing each with each is faster than hashing.
    private const int PairwiseMax = 12;

    private readonly List<Reading> _readings = [];
    private byte[] _names = new byte[64];
    private int _namesLength;

    public int Count => _readings.Count;
    public ReadOnlySpan<Reading> Readings => CollectionsMarshal.AsSpan(_readings);

    /// <summary>
    /// The measurement's name where the payload gave it; empty where the topic does. <c>device/measurement</c> where the payload names both.
    /// </summary>
    public ReadOnlySpan<byte> NameOf(in Reading reading) => _names.AsSpan(reading.NameStart, reading.NameLength);

    public void Add(long time, double value, string? state, string? unit) => _readings.Add(new(0, 0, time, value, state, unit));

    public void AddNamed(int nameStart, int nameLength, long time, double value, string? state, string? unit = null) =>
        _readings.Add(new(nameStart, nameLength, time, value, state, unit));

    /// <summary>Keeps the name that <paramref name="reader"/> stands on, unescaped.</summary>
    public ReadOnlySpan<byte> KeepName(ref Utf8JsonReader reader, out int start)
    {
        var room = Room(reader.ValueSpan.Length);
        start = _namesLength;
        var length = reader.CopyString(room);
        _namesLength += length;
        return _names.AsSpan(start, length);
    }

    /// <summary>Keeps a name as it is.</summary>
    /// <returns>Its start.</returns>
    public int KeepName(ReadOnlySpan<byte> name)
    {
        var start = _namesLength;
        name.CopyTo(Room(name.Length));
        _namesLength += name.Length;
        return start;
    }

    /// <summary>Gives every reading from <paramref name="first"/> on the time that the message states once for all.</summary>
    public void SetTimes(long time, int first = 0)
    {
        foreach (ref var reading in CollectionsMarshal.AsSpan(_readings)[first..])
        {
            reading = reading with { Time = time };
        }
    }

    /// <summary>Gives temperatures and pressures, told by their names, the units the message states once for all.</summary>
    public void SetUnits(string? temperature, string? pressure)
    {
        if (temperature is null && pressure is null)
        {
            return;
        }
        foreach (ref var reading in CollectionsMarshal.AsSpan(_readings))
        {
            var name = NameOf(reading);
            var unit = reading.State is not null ? null
                : name.EndsWith("Temperature"u8) || name.EndsWith("DewPoint"u8) ? temperature
                : name.EndsWith("Pressure"u8) ? pressure : null;
            reading = reading with { Unit = unit };
        }
    }

    /// <summary>Gives up what was added after there were <paramref name="count"/>.</summary>
    public void CutTo(int count) => _readings.RemoveRange(count, _readings.Count - count);

    /// <summary>A reading that has the same name and time as an earlier one; null where there is none. Untimed ones count as of one time.</summary>
    /// <param name="first">Those before it are not looked at.</param>
    public Reading? FindDuplicate(int first = 0)
    {
        var all = Readings[first..];
        if (all.Length > PairwiseMax)
        {
            return FindDuplicateByHash(all);
        }
        for (var i = 1; i < all.Length; i++)
        {
            for (var j = 0; j < i; j++)
            {
                if (AreSame(all[i], all[j]))
                {
                    return all[i];
                }
            }
        }
        return null;
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

    private bool AreSame(in Reading a, in Reading b) => a.Time == b.Time && a.NameLength == b.NameLength && NameOf(a).SequenceEqual(NameOf(b));

    private Reading? FindDuplicateByHash(ReadOnlySpan<Reading> all)
    {
        var size = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)all.Length * 2);
        var slots = ArrayPool<int>.Shared.Rent(size);
        slots.AsSpan(0, size).Clear();
        try
        {
            for (var i = 0; i < all.Length; i++)
            {
                // Seeded by the runtime for each process, so that nobody can choose names that all collide.
                var hash = default(HashCode);
                hash.AddBytes(NameOf(all[i]));
                hash.Add(all[i].Time);
                var at = hash.ToHashCode() & (size - 1);
                for (; slots[at] != 0; at = (at + 1) & (size - 1))
                {
                    if (AreSame(all[slots[at] - 1], all[i]))
                    {
                        return all[i];
                    }
                }
                slots[at] = i + 1;
            }
            return null;
        }
        finally
        {
            ArrayPool<int>.Shared.Return(slots);
        }
    }

    private Span<byte> Room(int bytes)
    {
        if (_names.Length - _namesLength < bytes)
        {
            Array.Resize(ref _names, Math.Max(_names.Length * 2, _namesLength + bytes));
        }
        return _names.AsSpan(_namesLength);
    }
}
