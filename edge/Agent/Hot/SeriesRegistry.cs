using System.Collections.Concurrent;
using Foretier.Core.Samples;

namespace Foretier.Agent.Hot;

/// <param name="Id">Handle, 1, 2, 3, …; fits the upper 23 bits of a block's key.</param>
/// <param name="Name">account/device/measurement.</param>
internal sealed record SeriesEntry(int Id, string Name, string? Unit, string Kind);

/// <summary>The series this edge knows and their handles. Reading is free of locks; adding is done under the store's lock.</summary>
internal sealed class SeriesRegistry
{
    public const int IdMax = (1 << 23) - 1;

    private readonly ConcurrentDictionary<(string Account, string Device, string Measurement), SeriesEntry> _byParts = new();
    private readonly ConcurrentDictionary<string, SeriesEntry> _byName = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<int, SeriesEntry> _byId = new();

    public int Count => _byId.Count;
    public IEnumerable<SeriesEntry> All => _byId.Values.OrderBy(entry => entry.Id);
    public int NextId { get; private set; } = 1;

    public SeriesEntry? Find(string account, string device, string measurement) => _byParts.GetValueOrDefault((account, device, measurement));
    public SeriesEntry? Find(string name) => _byName.GetValueOrDefault(name);
    public SeriesEntry? Find(int id) => _byId.GetValueOrDefault(id);

    public void Put(SeriesEntry entry)
    {
        var key = SeriesKey.Parse(entry.Name);
        _byId[entry.Id] = entry;
        _byName[entry.Name] = entry;
        _byParts[(key.Account, key.Device, key.Measurement)] = entry;
        NextId = Math.Max(NextId, entry.Id + 1);
    }
}
