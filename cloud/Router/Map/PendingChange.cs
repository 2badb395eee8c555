using Foretier.Core.Partitions;

namespace Foretier.Router.Map;

/// <summary>What was told of one edge's map since it was whole.</summary>
internal sealed class PendingChange
{
    private readonly Dictionary<PartitionId, PartitionEntry?> _entries = [];
    private readonly List<GroupMembers> _groups = [];
    private bool _isHeadTold;

    /// <summary>The last that was told; null where none was, or it was deleted.</summary>
    public MapHead? Head { get; private set; }

    /// <summary>The head says that all of it has been told, or that the edge is gone.</summary>
    public bool IsWhole => _isHeadTold && Head is null or { IsBeingWritten: false };

    public void Add(MapKey told)
    {
        if (told.Id is { } id)
        {
            _entries[id] = told.Entry;
        }
        else if (told.Group is not null)
        {
            _groups.Add(told.Group);
        }
        else
        {
            (Head, _isHeadTold) = (told.Head, true);
        }
    }

    /// <summary>What makes of the edge's map before it that of a revision.</summary>
    public PartitionMapUpdate To(long revision, PartitionMap older) => new(older.Revision, revision, Reset: false, _groups,
        [.. _entries.Values.OfType<PartitionEntry>()], [.. _entries.Keys]);
}
