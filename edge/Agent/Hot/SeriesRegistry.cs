using System.Collections.Concurrent;

namespace Foretier.Agent.Hot;

/// <param name="Id">Handle, 1, 2, 3, …; fits the upper 23 bits of a block's key.</param>
/// <param name="Name">account/device/measurement.</param>
internal sealed record SeriesEntry(int Id, string Name, string? Unit, string Kind);

/// <summary>The series this edge knows and their handles. Reading is free of locks; adding is done under the store's lock.</summary>
internal sealed class SeriesRegistry
{
    public const int IdMax = (1 << 23) - 1;

    private readonly ConcurrentDictionary<string, SeriesEntry> _byName = new(StringComparer.Ordinal);
    private volatile SeriesEntry?[] _byId = new SeriesEntry?[64];

    public int Count { get; private set; }
    public IEnumerable<SeriesEntry> All => _byId.OfType<SeriesEntry>();
    public int NextId { get; private set; } = 1;

    public SeriesEntry? Find(string name) => _byName.GetValueOrDefault(name);
    public SeriesEntry? Find(int id) => _byId is var known && (uint)id < (uint)known.Length ? known[id] : null;

    public void Put(SeriesEntry entry)
    {
        var known = _byId;
        if (entry.Id >= known.Length)
        {
            Array.Resize(ref known, Math.Max(entry.Id + 1, known.Length * 2));
        }
        Count += known[entry.Id] is null ? 1 : 0;
        known[entry.Id] = entry;
        _byId = known;
        _byName[entry.Name] = entry;
        NextId = Math.Max(NextId, entry.Id + 1);
    }
}
