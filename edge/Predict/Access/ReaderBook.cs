using System.Runtime.InteropServices;
using Foretier.Core.Query;
using Foretier.Core.Samples;

namespace Foretier.Predict.Access;

/// <summary>
/// The periodic readers of many keys, kept up to date as reads come in: a key is looked at anew once a day, and only where it was read since. Not thread-safe.
/// </summary>
/// <param name="zoneOf">The time zone an account lives by; UTC where left out.</param>
public sealed class ReaderBook(Func<string, TimeZoneInfo>? zoneOf = null)
{
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Entry> _found = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TimeZoneInfo> _zones = new(StringComparer.Ordinal);
    private readonly HashSet<Entry> _fresh = [];

    /// <param name="hour">Hours since 1970; of one key ascending.</param>
    public void Add(string name, ReadShape shape, long hour, int count)
    {
        if (!_entries.TryGetValue(name, out var entry))
        {
            _entries[name] = entry = new(name, shape);
        }
        entry.Hours.Add(hour, count);
        _fresh.Add(entry);
    }

    /// <summary>Keys with a reader who is expected between two hours, with the reads to expect of it.</summary>
    public IEnumerable<(string Name, double Reads)> Due(long hour, long until)
    {
        Update(hour);
        foreach (var (name, entry) in _found)
        {
            if (entry.NextHour < until && entry.ReadsIn(hour, until) is var reads and > 0)
            {
                yield return (name, reads);
            }
        }
    }

    /// <summary>The readers of a key, as of the last time it was looked at.</summary>
    public IReadOnlyList<PeriodicReader> Of(string name) => _found.TryGetValue(name, out var entry) ? entry.Readers : [];

    private void Update(long hour)
    {
        foreach (var entry in _fresh.Where(e => hour - e.SeenAt >= 24).ToList())
        {
            Look(entry, hour);
            _fresh.Remove(entry);
        }
        // Expected, and not seen since: its confidence falls with each run that is missed.
        foreach (var entry in CollectionsMarshal.AsSpan([.. _found.Values.Where(e => e.NextHour + 3 < hour && hour - e.SeenAt >= 24)]))
        {
            Look(entry, hour);
        }
    }

    private void Look(Entry entry, long hour)
    {
        entry.SeenAt = hour;
        entry.Readers = PeriodicReaders.Find(entry.Hours.All(), entry.Shape, hour * Instant.Hour, ZoneOf(entry.Name));
        entry.NextHour = entry.Readers.Count == 0 ? long.MaxValue : entry.Readers.Min(r => r.Next) / Instant.Hour;
        if (entry.Readers.Count > 0)
        {
            _found[entry.Name] = entry;
        }
        else
        {
            _found.Remove(entry.Name);
        }
    }

    private TimeZoneInfo ZoneOf(string name)
    {
        var slash = name.IndexOf('/', StringComparison.Ordinal);
        var account = slash < 0 ? name : name[..slash];
        return _zones.TryGetValue(account, out var zone) ? zone : _zones[account] = zoneOf?.Invoke(account) ?? TimeZoneInfo.Utc;
    }

    private sealed class Entry(string name, ReadShape shape)
    {
        public readonly string Name = name;
        public readonly ReadShape Shape = shape;
        public readonly ReadHours Hours = new();
        public IReadOnlyList<PeriodicReader> Readers = [];
        public long NextHour = long.MaxValue;
        public long SeenAt = long.MinValue / 2;

        public double ReadsIn(long hour, long until) => Readers.Sum(r => r.ReadsIn(hour, until));
    }
}
