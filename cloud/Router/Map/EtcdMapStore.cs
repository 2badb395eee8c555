using Etcdserverpb;
using Foretier.Core.Partitions;
using Foretier.Node.Hosting;
using Foretier.Node.Map;
using Foretier.Router.Etcd;
using Google.Protobuf;

namespace Foretier.Router.Map;

/// <summary>
/// The store that many routers share: written by whoever is told of a change first, followed by all through a watch. Only the watch swaps the
/// map, so that every router goes through the same maps in the same order.
/// </summary>
/// <remarks>
/// An edge's map changes under its head, which every transaction compares: 1. read the head; 2. what fits into one transaction goes with the
/// new head; 3. what does not is announced in the head first, written in pieces, and the head says when it is whole. A router that died in
/// the middle is found by its head not moving on; the next one begins with what really lies there. An edge's map is swapped when it is whole.
/// </remarks>
public sealed class EtcdMapStore : PartitionMapStore
{
    /// <summary>etcd takes 128 operations and 1.5 MB in one transaction.</summary>
    private const int OperationsMax = 120;
    private const int BytesMax = 1 << 20;

    /// <summary>Reading the maps of so many leaves more than a collection costs.</summary>
    private const int ManyEdges = 100;

    private const int TriesMax = 20;
    private static readonly TimeSpan WriterPatience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan ReachPatience = TimeSpan.FromSeconds(5);

    private readonly EtcdCluster _etcd;
    /// <summary>For the thread that follows, which keeps what it reads, and for those that write.</summary>
    private readonly MapDocuments _documents;
    private readonly MapDocuments _written;

    private readonly EtcdFollower _follower;
    private readonly TimeProvider _clock;
    private readonly Dictionary<string, PendingChange> _pending = new(StringComparer.Ordinal);

    internal EtcdMapStore(EtcdCluster etcd, TimeProvider clock, ILogger<EtcdMapStore> log)
    {
        (_etcd, _clock) = (etcd, clock);
        (_documents, _written) = (new(etcd.Prefix, new()), new(etcd.Prefix, null));
        _follower = new(etcd, _documents.Prefix, Load, Change, clock, log);
        _follower.Start();
    }

    public override string? Problem => _follower.Problem is { } problem
        ? Current.Revision == 0 ? $"{problem}; there is no partition map yet" : $"{problem}; going on with the partition map of revision {Current.Revision}" : null;

    /// <summary>Times the whole map was read; for tests.</summary>
    internal int Loads => _follower.Loads;

    /// <summary>(Revisions of etcd begin with 1.)</summary>
    public override Task ReadyAsync(CancellationToken cancel) => _follower.ReachAsync(1, cancel);

    public override async Task<bool> RemoveAsync(string edge, CancellationToken cancel)
    {
        var prefix = _documents.PrefixOf(edge);
        var all = new RequestOp { RequestDeleteRange = new() { Key = ByteString.CopyFromUtf8(prefix), RangeEnd = EtcdCluster.EndOf(prefix) } };
        var done = await _etcd.TryAsync(new() { Key = ByteString.CopyFromUtf8(_documents.HeadOf(edge)), Target = Compare.Types.CompareTarget.Create, Result = Compare.Types.CompareResult.Greater, CreateRevision = 0 }, [all], cancel).ConfigureAwait(false);
        if (done.Succeeded)
        {
            await ReachAsync(done.Header.Revision, cancel).ConfigureAwait(false);
        }
        return done.Succeeded;
    }

    public override async ValueTask DisposeAsync() => await _follower.DisposeAsync().ConfigureAwait(false);

    protected override async Task<MapPut> StoreAsync(string edge, PartitionMapUpdate update, CancellationToken cancel)
    {
        var (stuck, stuckSince) = (0L, _clock.GetTimestamp());
        for (var tries = 0; tries < TriesMax;)
        {
            var (head, at) = await HeadAsync(edge, cancel).ConfigureAwait(false);
            if (head is { IsBeingWritten: true })
            {
                if (stuck != at)
                {
                    (stuck, stuckSince) = (at, _clock.GetTimestamp());
                }
                if (_clock.GetElapsedTime(stuckSince) < WriterPatience)
                {
                    await Task.Delay(Pause, _clock, cancel).ConfigureAwait(false);
                    continue;
                }
            }
            else if (head?.Revision == update.Revision || (!update.Reset && head?.Revision > update.Revision))
            {
                await ReachAsync(at, cancel).ConfigureAwait(false);
                return MapPut.Known;
            }
            if (!update.Reset && (head is null or { IsBeingWritten: true } || head.Revision != update.Since))
            {
                return MapPut.NeedWhole;
            }
            if (await TryStoreAsync(edge, update, head, at, cancel).ConfigureAwait(false) is { } put)
            {
                return put;
            }
            tries++;
        }
        throw new EtcdException($"the map of {edge} is changed by others all the time; trying again later");
    }

    /// <returns>Null where somebody else has changed the head meanwhile.</returns>
    private async Task<MapPut?> TryStoreAsync(string edge, PartitionMapUpdate update, MapHead? head, long at, CancellationToken cancel)
    {
        PartitionMap older;
        if (update.Reset)
        {
            older = await ReadAsync(edge, cancel).ConfigureAwait(false);
        }
        else
        {
            await ReachAsync(at, cancel).ConfigureAwait(false);
            older = Current.Of(edge);
            if (older.Revision != update.Since)
            {
                return MapPut.NeedWhole;
            }
        }
        var newer = update.ApplyTo(older);
        var whole = _written.Put(edge, new MapHead(newer.Revision, false));
        var pieces = Pieces(_written.Between(edge, older, newer)).ToList();
        if (head is { IsBeingWritten: true } || pieces.Count > 1)
        {
            // From here on the head is ours, and what lies there changes no more unless somebody takes it from us.
            var claimed = await _etcd.TryAsync(HeadIs(edge, at), [_written.Put(edge, new MapHead(head?.Revision ?? 0, true))], cancel).ConfigureAwait(false);
            if (!claimed.Succeeded)
            {
                return null;
            }
            at = claimed.Header.Revision;
            pieces = [.. Pieces(_written.Between(edge, await ReadAsync(edge, cancel).ConfigureAwait(false), newer))];
        }
        if (pieces.Count == 0)
        {
            pieces.Add([]);
        }
        pieces[^1].Add(whole);
        long done = 0;
        foreach (var piece in pieces)
        {
            var written = await _etcd.TryAsync(HeadIs(edge, at), piece, cancel).ConfigureAwait(false);
            if (!written.Succeeded)
            {
                return null;
            }
            done = written.Header.Revision;
        }
        await ReachAsync(done, cancel).ConfigureAwait(false);
        return MapPut.Stored;
    }

    private async Task<(MapHead? Head, long At)> HeadAsync(string edge, CancellationToken cancel)
    {
        var key = await _etcd.GetAsync(_documents.HeadOf(edge), cancel).ConfigureAwait(false);
        // A head that cannot be read is one of nothing: whoever has the whole map writes it anew.
        return key is null ? (null, 0) : (_written.TryRead(key, false, out var read) ? read.Head : new MapHead(0, false), key.ModRevision);
    }

    /// <summary>What lies there now, whole or not.</summary>
    private async Task<PartitionMap> ReadAsync(string edge, CancellationToken cancel)
    {
        var lying = new PendingChange();
        await _etcd.ReadAsync(_documents.PrefixOf(edge), key =>
        {
            if (_written.TryRead(key, false, out var read))
            {
                lying.Add(read);
            }
        }, cancel).ConfigureAwait(false);
        return lying.To(0, PartitionMap.Empty).ApplyTo(PartitionMap.Empty);
    }

    private Compare HeadIs(string edge, long at) => new()
    {
        Key = ByteString.CopyFromUtf8(_documents.HeadOf(edge)),
        Target = Compare.Types.CompareTarget.Mod,
        Result = Compare.Types.CompareResult.Equal,
        ModRevision = at,
    };

    private static IEnumerable<List<RequestOp>> Pieces(IEnumerable<RequestOp> operations)
    {
        List<RequestOp> piece = [];
        var bytes = 0;
        foreach (var operation in operations)
        {
            var size = operation.CalculateSize();
            if (piece.Count > 0 && (piece.Count >= OperationsMax || bytes + size > BytesMax))
            {
                yield return piece;
                (piece, bytes) = ([], 0);
            }
            piece.Add(operation);
            bytes += size;
        }
        if (piece.Count > 0)
        {
            yield return piece;
        }
    }

    /// <summary>Returns when the watch has told of a revision; after a while also when not: it is durable all the same.</summary>
    private async Task ReachAsync(long revision, CancellationToken cancel)
    {
        using var patience = new CancellationTokenSource(ReachPatience, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, patience.Token);
        await _follower.ReachAsync(revision, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancel.ThrowIfCancellationRequested();
    }

    private Loading Load()
    {
        _pending.Clear();
        // Keys come in their order, so edge by edge: one at a time is taken apart.
        List<KeyValuePair<string, PartitionMap?>> parts = [];
        var (edge, lying) = ("", new PendingChange());
        void Finish()
        {
            if (edge.Length > 0)
            {
                parts.Add(new(edge, Make(lying, PartitionMap.Empty, lying.Head?.Revision ?? 0)));
            }
        }
        return new(key =>
        {
            if (!_documents.TryRead(key, false, out var read))
            {
                return;
            }
            if (read.Edge != edge)
            {
                Finish();
                (edge, lying) = (read.Edge, new());
            }
            lying.Add(read);
        }, revision =>
        {
            Finish();
            Swap(PartitionMap.Empty.With(Math.Max(revision, Current.Revision + 1), parts));
            var isLarge = parts.Count >= ManyEdges;
            parts.Clear();
            if (isLarge)
            {
                Intake.GiveBack();
            }
        });
    }

    private void Change(IReadOnlyList<Mvccpb.Event> events, long revision)
    {
        foreach (var told in events)
        {
            if (_documents.TryRead(told.Kv, told.Type == Mvccpb.Event.Types.EventType.Delete, out var read))
            {
                Pending(read.Edge).Add(read);
            }
        }
        var whole = _pending.Where(edge => edge.Value.IsWhole).Select(edge =>
            KeyValuePair.Create(edge.Key, edge.Value.Head is { } head ? Make(edge.Value, Current.Of(edge.Key), head.Revision) : null)).ToList();
        foreach (var (edge, _) in whole)
        {
            _pending.Remove(edge);
        }
        if (whole.Count > 0)
        {
            Swap(Current.With(Math.Max(revision, Current.Revision + 1), whole));
        }
    }

    private static PartitionMap Make(PendingChange change, PartitionMap older, long revision) => MemberNames.Apply(change.To(revision, older), older);

    private PendingChange Pending(string edge)
    {
        if (!_pending.TryGetValue(edge, out var change))
        {
            _pending[edge] = change = new();
        }
        return change;
    }
}
