using Foretier.Core.Partitions;

namespace Foretier.Router.Map;

/// <summary>
/// One copy of each name that entries repeat: of 200,000 entries read from documents, half of the memory would be the same few names again. Members are packed.
/// Not thread-safe.
/// </summary>
internal sealed class SharedNames
{
    private readonly Dictionary<string, string> _names = new(StringComparer.Ordinal);
    private readonly Dictionary<string, IReadOnlyList<string>> _rollups = new(StringComparer.Ordinal);

    public PartitionEntry In(PartitionEntry entry)
    {
        var rollups = string.Join(',', entry.Rollups);
        if (!_rollups.TryGetValue(rollups, out var shared))
        {
            _rollups[rollups] = shared = [.. entry.Rollups];
        }
        return entry with { Id = entry.Id with { Account = In(entry.Id.Account), Group = In(entry.Id.Group) }, Edge = In(entry.Edge), Rollups = shared };
    }

    /// <inheritdoc cref="PackedMembers.Kept"/>
    public GroupMembers In(GroupMembers group) => PackedMembers.Kept(group with { Edge = In(group.Edge), Account = In(group.Account), Group = In(group.Group) });

    private string In(string name)
    {
        if (!_names.TryGetValue(name, out var shared))
        {
            _names[name] = shared = name;
        }
        return shared;
    }
}
