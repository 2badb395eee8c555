using Foretier.Core.Partitions;

namespace Foretier.Node.Map;

/// <summary>In memory: after a start every edge sends its whole map again. What keeps it anywhere else has each change written first.</summary>
public class MemoryMapStore : PartitionMapStore
{
    private readonly Lock _lock = new();

    /// <summary>A failure to write is told to the one who puts; what is in memory serves on.</summary>
    public override string? Problem => null;

    public override Task<bool> RemoveAsync(string edge, CancellationToken cancel)
    {
        lock (_lock)
        {
            if (!Current.Edges.Contains(edge))
            {
                return Task.FromResult(false);
            }
            var revision = Current.Revision + 1;
            WriteRemoval(edge, revision);
            Swap(Current.With(revision, edge, null));
            return Task.FromResult(true);
        }
    }

    public override ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    protected sealed override Task<MapPut> StoreAsync(string edge, PartitionMapUpdate update, CancellationToken cancel)
    {
        lock (_lock)
        {
            var older = Current.Of(edge);
            if (update.Revision == older.Revision)
            {
                return Task.FromResult(MapPut.Known);
            }
            if (!update.Reset && update.Since != older.Revision)
            {
                return Task.FromResult(MapPut.NeedWhole);
            }
            var revision = Current.Revision + 1;
            var newer = Write(edge, older, update, revision);
            Swap(Current.With(revision, edge, newer));
            return Task.FromResult(MapPut.Stored);
        }
    }

    /// <summary>Writes an update down, one at a time.</summary>
    /// <returns>The edge's map as it is after it.</returns>
    /// <exception cref="IOException">It could not be written, and nothing has changed.</exception>
    protected virtual PartitionMap Write(string edge, PartitionMap older, PartitionMapUpdate update, long revision) => update.ApplyTo(older);

    /// <inheritdoc cref="Write"/>
    protected virtual void WriteRemoval(string edge, long revision)
    {
    }
}
