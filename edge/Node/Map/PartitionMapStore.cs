using Foretier.Core.Partitions;
using Foretier.Core.Tiers;

namespace Foretier.Node.Map;

/// <summary>What became of an update.</summary>
public enum MapPut
{
    /// <summary>Stored, as durably as this store does.</summary>
    Stored,

    /// <summary>The store has that revision, or a later one, already.</summary>
    Known,

    /// <summary>It builds on a revision the store does not have: ask the node for its whole map.</summary>
    NeedWhole,

    /// <summary>It speaks for another edge than the one it comes from, or has nulls where names belong. Nothing of it is stored.</summary>
    Foreign,
}

/// <summary>
/// The maps of all edges, as the nodes above keep them: merged in memory into one immutable map that is swapped whole. <see cref="MemoryMapStore"/> is
/// a gateway's; of routers, one's own is in a SQLite file, and etcd is shared by many. Thread-safe; reading never waits.
/// </summary>
public abstract class PartitionMapStore : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly Signal _changed = new();
    private volatile PartitionMap _current = PartitionMap.Empty;

    /// <summary>All edges' maps in one. Its revision goes up with every update stored. It stays what it was while the store cannot be reached.</summary>
    public PartitionMap Current => _current;

    /// <summary>Why the store cannot be used now, in words for the health page; null while it can.</summary>
    public abstract string? Problem { get; }

    /// <summary>Returns when <see cref="Current"/> has what was stored before this process: asking edges for what is there already would cost both sides all of it.</summary>
    public virtual Task ReadyAsync(CancellationToken cancel) => Task.CompletedTask;

    /// <summary>The revision of an edge's own map that is stored here; 0 where there is none, which asks for all of it.</summary>
    public long RevisionOf(string edge) => _current.RevisionOf(edge);

    /// <summary>
    /// Stores what an edge said of its own partitions. When it returns <see cref="MapPut.Stored"/> that is durable, and in <see cref="Current"/>
    /// unless the store became unreachable meanwhile.
    /// </summary>
    /// <exception cref="IOException">It could not be stored: the disk is full, etcd cannot be reached or refuses it. The message says what to do.</exception>
    public Task<MapPut> PutAsync(string edge, PartitionMapUpdate update, CancellationToken cancel) =>
        // (What stands in a list of a document is not held to its type by the reader, and would fail whoever asks for it, much later.)
        update.Entries.Any(e => e?.Edge != edge || e.Rollups.Contains(null!)) || update.Groups.Any(g => g?.Edge != edge || g.Series.Contains(null!))
            ? Task.FromResult(MapPut.Foreign)
            // The heartbeat of an edge that has no news.
            : update is { Reset: false, Entries: [], Removed: [] } && update.Revision == RevisionOf(edge) ? Task.FromResult(MapPut.Known)
            : StoreAsync(edge, update, cancel);

    /// <summary>Forgets an edge that was taken out of service.</summary>
    /// <returns>False where nothing was known of it.</returns>
    /// <inheritdoc cref="PutAsync"/>
    public abstract Task<bool> RemoveAsync(string edge, CancellationToken cancel);

    /// <summary>Returns when <see cref="Current"/> is newer than a revision.</summary>
    public Task WaitForChangeAsync(long revision, CancellationToken cancel)
    {
        lock (_lock)
        {
            return _current.Revision > revision ? Task.CompletedTask : _changed.Next.WaitAsync(cancel);
        }
    }

    public abstract ValueTask DisposeAsync();

    /// <summary>An update that speaks for its edge alone.</summary>
    protected abstract Task<MapPut> StoreAsync(string edge, PartitionMapUpdate update, CancellationToken cancel);

    /// <summary>The map is another from now on.</summary>
    protected void Swap(PartitionMap map)
    {
        lock (_lock)
        {
            _current = map;
            _changed.Set();
        }
    }
}
