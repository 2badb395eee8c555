using Foretier.Core.Partitions;
using Foretier.Core.Tiers;
using Foretier.Protocol;
using Foretier.Protocol.Shipping;

namespace Foretier.Agent.Hot;

public sealed partial class HotStore
{
    private readonly Signal _shipWanted = new();
    private readonly Signal _shipped = new();

    /// <summary>Set whenever there may be something new to ship.</summary>
    internal Signal ShipWanted => _shipWanted;

    /// <summary>Windows with flushes the gateway has not acknowledged, newest first.</summary>
    internal IReadOnlyList<(Window Window, long ShippedThrough, long Version)> Unshipped()
    {
        lock (_gate)
        {
            return [.. _windows.Values.Where(state => state.Meta is not null && !state.IsShipped).Reverse()
                .Select(state => (state.Window, state.ShippedThrough, state.Version))];
        }
    }

    /// <summary>Stored bytes of what the gateway has not acknowledged.</summary>
    internal long UnshippedBytes()
    {
        lock (_gate)
        {
            return _windows.Values.Sum(state => state.Unshipped.Values.Sum(head => (long)head.Bytes));
        }
    }

    /// <summary>Windows of which the gateway has acknowledged something, or was sent something.</summary>
    internal IReadOnlyList<Window> ShippedWindows()
    {
        lock (_gate)
        {
            return [.. _windows.Values.Where(state => Math.Max(state.SentThrough, state.ShippedThrough) > 0).Select(state => state.Window)];
        }
    }

    /// <summary>Whether every flush of a window after this one can be sent again.</summary>
    internal bool HasAllAfter(Window window, long after)
    {
        lock (_gate)
        {
            return _windows.TryGetValue(window, out var state) && state is { Meta: not null, Damage: null } && state.Dropped.Through <= after;
        }
    }

    /// <summary>
    /// The next batch of a window, of whole flushes and up to about <paramref name="bytesMax"/>; null where nothing is left.
    /// </summary>
    /// <exception cref="IOException">The window's file cannot be read.</exception>
    /// <exception cref="InvalidDataException">Blocks are damaged: the window must not leave without anyone being told.</exception>
    internal async Task<PendingShip?> NextShipAsync(Window window, long bytesMax, CancellationToken cancel)
    {
        WindowFileName name;
        lock (_gate)
        {
            name = StateOf(window).FileName;
        }
        try
        {
            return await NextOfAsync(window, bytesMax, cancel);
        }
        catch (InvalidDataException e)
        {
            await RepairAsync(name, e.Message, cancel);
            return await NextOfAsync(window, bytesMax, cancel);
        }
    }

    private async Task<PendingShip?> NextOfAsync(Window window, long bytesMax, CancellationToken cancel)
    {
        await _flushing.WaitAsync(cancel);
        try
        {
            WindowState? state;
            List<BlockHead> heads;
            lock (_gate)
            {
                if (!_windows.TryGetValue(window, out state) || state.Meta is null || state.IsShipped)
                {
                    return null;
                }
                if (state.Damage is not null)
                {
                    throw new InvalidDataException(state.Damage);
                }
                heads = [.. state.Unshipped.Values.OrderBy(head => head.Version).ThenBy(head => head.Key)];
            }
            long bytes = 0;
            var through = state.Version;
            for (var i = 0; i < heads.Count; i++)
            {
                if (bytes > 0 && bytes + heads[i].Bytes > bytesMax && heads[i].Version > heads[i - 1].Version)
                {
                    through = heads[i - 1].Version;
                    break;
                }
                bytes += heads[i].Bytes;
            }
            var due = heads.Where(head => head.Version <= through).ToList();
            using var lease = _files.Take(state.FileName);
            var blocks = await Task.Run(() => lease.File.Read([.. due.Select(head => head.Key)]), cancel);
            var segments = blocks.ConvertAll(block =>
            {
                var series = _series.Find(block.Series)!;
                return new ShippedSegment(series.Name, series.Unit, series.Kind, block.Version, block.Segment, block.Rollups);
            });
            lock (_gate)
            {
                var tombstones = state.Meta!.Tombstones.Where(tombstone => tombstone.Version > state.ShippedThrough && tombstone.Version <= through).Select(tombstone =>
                {
                    var series = _series.Find(tombstone.Series)!;
                    return new ShippedTombstone(series.Name, series.Unit, series.Kind, tombstone.Version, tombstone.Range);
                }).ToList();
                return new(new(window, state.ShippedThrough, through, segments) { Tombstones = tombstones }, UniqueThrough(state, through));
            }
        }
        finally
        {
            _flushing.Release();
        }
    }

    /// <summary>
    /// Compares what the gateway says it has of a window with what is known here, before the first batch of it is sent: the receipt of the
    /// last batch may have been lost, the gateway set back to a backup, or this edge set up anew under an old name.
    /// </summary>
    /// <exception cref="InvalidDataException">The gateway lacks flushes that are no longer here.</exception>
    internal async Task MeetGatewayAsync(Window window, long through, CancellationToken cancel)
    {
        long sent, shipped;
        lock (_gate)
        {
            var state = StateOf(window);
            (sent, shipped) = (Math.Max(state.SentThrough, state.ShippedThrough), state.ShippedThrough);
        }
        if (through > sent)
        {
            _log.LogWarning("The gateway has {Window} of {Edge} through flush {Through}, this edge sent {Sent}: its samples now count as later ones",
                window, Node, through, sent);
            await RenumberAsync(window, through, cancel);
        }
        else if (through > shipped)
        {
            await MarkShippedAsync(window, through, null, cancel);
        }
        else if (through < shipped)
        {
            await ShipAgainAsync(window, through, cancel);
        }
    }

    /// <summary>Notes, durably, that a batch is about to be sent.</summary>
    internal async Task MarkSendingAsync(Window window, long through, CancellationToken cancel)
    {
        long ticket;
        lock (_gate)
        {
            var state = StateOf(window);
            if (through <= state.SentThrough)
            {
                ticket = _journal.Last.Ticket;
            }
            else
            {
                (ticket, _) = _journal.Append(WindowRecord(RecordKind.Sending, window, through).WrittenSpan);
                state.SentThrough = through;
            }
        }
        await _journal.WaitDurableAsync(ticket, cancel);
    }

    /// <summary>Notes, durably, that the gateway has the window's flushes up to <paramref name="through"/>.</summary>
    /// <param name="unique">Distinct samples it has then; null to count them by the blocks that are there now.</param>
    internal async Task MarkShippedAsync(Window window, long through, long? unique, CancellationToken cancel)
    {
        long ticket;
        lock (_gate)
        {
            var state = StateOf(window);
            if (through <= state.ShippedThrough)
            {
                return;
            }
            var count = Math.Max(unique ?? UniqueThrough(state, through), state.ShippedUnique);
            var record = WindowRecord(RecordKind.Shipped, window, through);
            RecordWriter.WriteSigned(record, count);
            (ticket, _) = _journal.Append(record.WrittenSpan);
            (state.ShippedThrough, state.ShippedUnique) = (through, count);
            state.SettleShipped();
            state.IsDirty = true;
            foreach (var key in state.Unshipped.Where(head => head.Value.Version <= through).Select(head => head.Key).ToList())
            {
                state.Unshipped.Remove(key);
            }
        }
        await _journal.WaitDurableAsync(ticket, cancel);
        _shipped.Set();
    }

    /// <summary>What is at the gateway for certain once it has the flushes up to this one: all but the blocks that later ones have written.</summary>
    private static long UniqueThrough(WindowState state, long through) => state.Dropped.Unique + state.FileCount
        - state.Unshipped.Values.Where(head => head.Version > through).Sum(head => (long)head.Count);

    private static System.Buffers.ArrayBufferWriter<byte> WindowRecord(RecordKind kind, Window window, long through)
    {
        var record = Record(kind);
        RecordWriter.WriteSigned(record, window.Start);
        RecordWriter.WriteSigned(record, window.Length);
        RecordWriter.WriteSigned(record, through);
        return record;
    }

    /// <summary>
    /// The gateway has flushes of this window that this store never made: it was set up anew under an old name. What is here is numbered
    /// after them, and counts as later.
    /// </summary>
    private async Task RenumberAsync(Window window, long through, CancellationToken cancel)
    {
        await _flushing.WaitAsync(cancel);
        try
        {
            var state = StateOf(window);
            if (state.Meta is null)
            {
                return;
            }
            using var lease = _files.Take(state.FileName);
            var file = lease.File;
            await Task.Run(() =>
            {
                var version = Math.Max(through, file.Meta!.Version) + 1;
                var blocks = file.Read([.. file.Scan().Select(head => head.Key)]).ConvertAll(block => block with { Version = version });
                file.Commit([], blocks, file.Meta with
                {
                    Version = version,
                    Dropped = file.Meta.Dropped with { Through = through },
                    Tombstones = [.. file.Meta.Tombstones.Select(tombstone => tombstone with { Version = version })],
                });
            }, cancel);
            lock (_gate)
            {
                state.Meta = file.Meta;
                state.Dropped = file.Meta!.Dropped;
                (state.ShippedThrough, state.ShippedUnique) = (through, state.Dropped.Unique);
            }
            Recount(state);
            lock (_gate)
            {
                Publish(state);
            }
        }
        finally
        {
            _flushing.Release();
        }
    }

    /// <summary>The gateway has less than was noted: it was set back. What it lacks is shipped again, as far as it is still here.</summary>
    private async Task ShipAgainAsync(Window window, long through, CancellationToken cancel)
    {
        await _flushing.WaitAsync(cancel);
        try
        {
            var state = StateOf(window);
            lock (_gate)
            {
                if (through < state.Dropped.Through)
                {
                    throw new InvalidDataException(
                        $"the gateway has {window} only through flush {through}; flushes up to {state.Dropped.Through} are no longer on this edge");
                }
                (state.ShippedThrough, state.ShippedUnique) = (through, state.Dropped.Unique);
                state.IsDirty = true;
                if (state.Meta is null)
                {
                    return;
                }
            }
            Recount(state);
            lock (_gate)
            {
                state.ShippedUnique = UniqueThrough(state, through);
            }
        }
        finally
        {
            _flushing.Release();
        }
    }

    /// <summary>
    /// Moves all windows that begin before <paramref name="before"/> to the gateway: flushes them, waits until the shipper has the gateway's
    /// acknowledgement for everything, then drops the local files. What arrives later for them begins a new generation.
    /// </summary>
    /// <exception cref="HotStoreUnavailableException">The journal has failed.</exception>
    /// <exception cref="InvalidDataException">Blocks of a window are damaged; its file is kept.</exception>
    public async Task<MoveResult> ReleaseAsync(long before, CancellationToken cancel)
    {
        long windows = 0, samples = 0;
        var left = new List<WindowState>();
        lock (_gate)
        {
            left.AddRange(_windows.Values.Where(state => state.Window.Start < before && (state.Meta is not null || state.IsInMemory)));
        }
        foreach (var state in left)
        {
            await FlushAsync(state, cancel);
        }
        while (left.Count > 0)
        {
            var seen = _shipped.Next;
            _shipWanted.Set();
            var dropped = await DropShippedAsync(left, cancel);
            windows += dropped.Count;
            samples += dropped.Sum(state => state.Samples);
            lock (_gate)
            {
                left.RemoveAll(state => state.Meta is null); // dropped just now, or by another release beside this one
            }
            if (left.Find(state => state.Damage is not null) is { } damaged)
            {
                throw new InvalidDataException($"{damaged.Window} stays on the edge: {damaged.Damage}");
            }
            if (left.Count > 0 && dropped.Count == 0)
            {
                await seen.WaitAsync(cancel);
            }
        }
        return new(windows, samples);
    }

    /// <summary>
    /// Gives up the files of windows the gateway has all of. The saved facts say so first, durably; then the files go. A crash in between
    /// leaves either the window as it was, or files that the next start deletes.
    /// </summary>
    private async Task<List<(WindowState State, long Samples)>> DropShippedAsync(List<WindowState> states, CancellationToken cancel)
    {
        var dropped = new List<(WindowState State, long Samples)>();
        await _flushing.WaitAsync(cancel);
        try
        {
            lock (_gate)
            {
                foreach (var state in states.Where(state => state is { IsShipped: true, Frozen: null, Meta: not null }))
                {
                    var (meta, before) = (state.Meta!, state.Dropped);
                    _condemned.Add(state.FileName);
                    dropped.Add((state, meta.Count));
                    state.Dropped = new(meta.Version, meta.Position, before.Unique + meta.Count, before.Superseded + meta.Superseded, before.Lost + meta.Lost, before.Erased + meta.Erased);
                    (state.Generation, state.Meta, state.FileBytes, state.IsSealed) = (state.Generation + 1, null, 0, false);
                    Publish(state);
                }
            }
            if (dropped.Count > 0)
            {
                // If this fails the windows stay given up here, and their files stay until it succeeds. A crash brings them back whole.
                await SaveFactsAsync();
            }
            return dropped;
        }
        finally
        {
            _flushing.Release();
        }
    }
}

/// <summary>A batch to send, and the distinct samples of its window that the gateway has once it is acknowledged.</summary>
internal sealed record PendingShip(ShipBatch Batch, long Unique);
