using System.Runtime.ExceptionServices;
using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Durable;
using Foretier.Node.Hosting;

namespace Foretier.Agent.Hot;

public sealed partial class HotStore
{
    // Held while window files change or are given up: one flush at a time is what a small device does best.
    private readonly SemaphoreSlim _flushing = new(1, 1);
    private readonly SemaphoreSlim _flushWanted = new(0, 1);

    // The smallest transaction: a page of the log and of the file, and those that lead there.
    private const long FlushCostMin = 48 * 1024;

    private volatile HotStoreUnavailableException? _flushFailure;

    // Files given up, to be deleted once the facts that say so are durable. Under _flushing.
    private readonly List<WindowFileName> _condemned = [];

    /// <summary>Flushes every window that has samples in memory.</summary>
    public async Task FlushAllAsync(CancellationToken cancel)
    {
        List<WindowState> states;
        lock (_gate)
        {
            states = [.. _windows.Values.Where(state => state.IsInMemory)];
        }
        foreach (var state in states)
        {
            await FlushAsync(state, cancel);
        }
    }

    /// <summary>The background loop: flushes what is due, then gives journal space back.</summary>
    private async Task FlushAsync()
    {
        var pause = TimeSpan.FromTicks(Math.Min(_options.QuietAge.Ticks / 4, TimeSpan.TicksPerSecond));
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await WaitForFlushAsync(pause);
                var failure = await FlushDueAsync(_stop.Token);
                await KeepWithinLimitsAsync(_stop.Token);
                await ReleaseJournalAsync();
                failure?.Throw();
                _spare.Take();
                if (_flushFailure is not null)
                {
                    _flushFailure = null;
                    _log.LogInformation("Flushing works again");
                }
            }
            catch (Exception e) when (_stop.IsCancellationRequested && e is (OperationCanceledException or ObjectDisposedException))
            {
                // An abandoned store closes its journal under this loop.
                return;
            }
            catch (Exception e) when (e is IOException or HotStoreUnavailableException or InvalidDataException)
            {
                var (reason, hint) = HotStoreUnavailableException.Explain(e);
                if (_flushFailure is null)
                {
                    _log.LogError(e, "Flushing to a window file failed; the samples stay in journal and memory, and it is tried again: {Hint}", hint);
                }
                _flushFailure = new(reason, $"Samples cannot be brought from journal and memory into window files ({e.Message}): {hint}.", e);
                await Task.WhenAny(Task.Delay(TimeSpan.FromSeconds(1), _stop.Token));
            }
        }
    }

    /// <summary>
    /// Flushes what is due. A window that cannot be flushed is passed over until the next round: the others still have their turn, since the file of one may
    /// have its space where the disk has none left for another. From a failure on, each has one turn in a round.
    /// </summary>
    /// <returns>The first failure; null where all went well.</returns>
    private async Task<ExceptionDispatchInfo?> FlushDueAsync(CancellationToken cancel)
    {
        ExceptionDispatchInfo? failure = null;
        var passed = new HashSet<WindowState>();
        while (!cancel.IsCancellationRequested && NextDue(passed) is { } state)
        {
            try
            {
                await FlushAsync(state, cancel);
            }
            catch (Exception e) when (e is IOException or HotStoreUnavailableException or InvalidDataException)
            {
                failure ??= ExceptionDispatchInfo.Capture(e);
            }
            if (failure is not null)
            {
                passed.Add(state);
            }
        }
        // Before samples have to wait for room, a copy of what the gateway has goes.
        if (failure is not null && Disk.IsFull(failure.SourceException) && Cheapest() is { } cheapest && cheapest.Window.End <= Instant.Now(_clock))
        {
            await DropShippedAsync([cheapest], cancel);
        }
        return failure;
    }

    /// <summary>Wakes at the clock's pause, and early when memory or journal press: that is the machine's time, not the data's.</summary>
    private async Task WaitForFlushAsync(TimeSpan pause)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        var delay = Task.Delay(pause, _clock, either.Token);
        var wanted = _flushWanted.WaitAsync(either.Token);
        await await Task.WhenAny(delay, wanted);
        await either.CancelAsync();
        await Task.WhenAny(Task.WhenAll(delay, wanted));
    }

    private void WantFlush()
    {
        if (_flushWanted.CurrentCount == 0)
        {
            try
            {
                _flushWanted.Release();
            }
            catch (SemaphoreFullException)
            {
            }
        }
    }

    private bool IsPressed => _memoryBytes >= _options.MemoryBytesMax / 2 || _journal.Fill >= 0.5;

    private WindowState? NextDue(HashSet<WindowState> passed)
    {
        var now = _clock.GetTimestamp();
        lock (_gate)
        {
            var candidates = _windows.Values.Where(state => state.IsInMemory && !passed.Contains(state)).ToList();
            if (candidates.Count == 0)
            {
                return null;
            }
            if (_memoryBytes >= _options.MemoryBytesMax / 2)
            {
                return candidates.MaxBy(state => state.MemoryBytes);
            }
            var full = _journal.Fill >= 0.5 ? _journal.FullThrough : 0;
            return candidates.Find(state => state.Frozen is not null)
                ?? candidates.Find(state => state.Open.Bytes >= _options.FlushBytes)
                ?? candidates.Find(state => state.FirstPosition <= full)
                ?? candidates.Find(state => _clock.GetElapsedTime(state.OldestAt, now) >= _options.FlushAgeMax)
                ?? candidates.Find(state => (_clock.GetElapsedTime(state.NewestAt, now) >= _options.QuietAge
                    || _clock.GetElapsedTime(state.OldestAt, now) >= _options.FlushAge) && MayFlush(state));
        }
    }

    /// <summary>Whether a flush that nothing but age asks for may cost what the window's last one did.</summary>
    private bool MayFlush(WindowState state) =>
        !_flash.IsNear && _flushAllowance.WaitFor(Math.Max(state.FlushCost, FlushCostMin), Elapsed) == TimeSpan.Zero;

    private async Task FlushAsync(WindowState state, CancellationToken cancel)
    {
        await _flushing.WaitAsync(cancel);
        try
        {
            await FlushLockedAsync(state, cancel);
        }
        finally
        {
            _flushing.Release();
        }
    }

    /// <summary>Until the window has nothing of what is in memory now; a part left by a flush that failed goes first.</summary>
    private async Task FlushLockedAsync(WindowState state, CancellationToken cancel)
    {
        for (var round = 0; round < 2; round++)
        {
            long ticket;
            lock (_gate)
            {
                var last = _journal.Last;
                var isLeft = state.Frozen is not null;
                if (!isLeft && !Freeze(state, last.Position))
                {
                    return;
                }
                ticket = last.Ticket;
                round += isLeft ? 0 : 1;
            }
            // A file must never be ahead of the journal: after a crash its position would skip records that do not exist yet.
            await _journal.WaitDurableAsync(ticket, cancel);
            await Background.RunAsync(() => FlushRepaired(state));
        }
    }

    private static bool Freeze(WindowState state, long position)
    {
        if (state.Frozen is not null || state.Open.IsEmpty)
        {
            return false;
        }
        (state.Frozen, state.FrozenPosition, state.Open) = (state.Open, position, new());
        return true;
    }

    private void FlushRepaired(WindowState state)
    {
        try
        {
            FlushFrozen(state);
        }
        catch (InvalidDataException e) when (state.Meta is not null)
        {
            Repair(state, e.Message);
            FlushFrozen(state);
        }
    }

    /// <summary>Writes the frozen part into the window's file. After a failure the part stays, and what came of it shows next time.</summary>
    private void FlushFrozen(WindowState state)
    {
        var frozen = state.Frozen!;
        if (state.IsSealed)
        {
            Unseal(state);
        }
        using var lease = TakeToWrite(state);
        var file = lease.File;
        var heads = new List<BlockHead>();
        IReadOnlyCollection<long> deleted = [];
        var before = _disk.Use;
        // A commit whose outcome was unclear may have been durable after all: then the file already has this part.
        var isThere = file.Meta is { } there && there.Position >= state.FrozenPosition;
        if (!isThere)
        {
            var old = file.Meta ?? WindowMeta.Empty(state.Dropped);
            var merge = new BlockMerge(file, state.Window, old.Version + 1, _options.BlockBytesMax);
            foreach (var series in frozen.TouchedSeries.Order())
            {
                frozen.TryTake(series, out var taken);
                merge.Add(series, taken);
            }
            file.Commit(merge.Deleted, merge.Written, old with
            {
                Version = old.Version + 1,
                Position = state.FrozenPosition,
                Count = old.Count + merge.Added,
                Superseded = old.Superseded + merge.Superseded,
                Erased = old.Erased + merge.Erased,
                Tombstones = StoredTombstone.With(old.Tombstones, frozen.Erased, old.Version + 1),
                From = merge.Extent.IsEmpty ? old.From : Math.Min(old.From, merge.Extent.From),
                To = merge.Extent.IsEmpty ? old.To : Math.Max(old.To, merge.Extent.To),
                WrittenAt = Instant.Now(_clock),
            });
            heads.AddRange(merge.Written.Select(block => block.Head));
            deleted = merge.Deleted;
        }
        var cost = _disk.Use.DeviceBytes - before.DeviceBytes - (_disk.Use.JournalBytes - before.JournalBytes);
        var scanned = isThere ? file.Scan() : null;
        Begun(state.Window);
        lock (_gate)
        {
            state.Meta = file.Meta;
            state.FileBytes = file.Bytes;
            state.Frozen = null;
            state.FlushCost = cost;
            _flushAllowance.Spend(cost, Elapsed);
            _memoryBytes -= frozen.Bytes;
            foreach (var key in deleted)
            {
                state.Unshipped.Remove(key);
            }
            foreach (var head in scanned?.Where(head => head.Version > state.ShippedThrough) ?? heads)
            {
                state.Unshipped[head.Key] = head;
            }
            state.SettleShipped();
            Publish(state);
            _shipWanted.Set();
        }
    }

    /// <summary>The space to come is a wish: where the disk has less, what it has may do.</summary>
    private WindowFiles.Lease TakeToWrite(WindowState state)
    {
        var reserve = state.Meta is null ? ReserveFor(state.Window) : (long?)null;
        try
        {
            return _files.Take(state.FileName, reserve);
        }
        catch (IOException e) when (reserve > 0 && Disk.IsFull(e))
        {
            return _files.Take(state.FileName, 0);
        }
    }

    /// <summary>Space is reserved for the window that is filling and the next one; a day of history takes what it needs.</summary>
    private long ReserveFor(Window window)
    {
        var now = Instant.Now(_clock);
        return window.End > now && window.Start <= now + window.Length ? Reserved(window) ?? _options.ReserveBytes : 0;
    }

    /// <summary>Gives the ring back what files and saved facts have.</summary>
    private async Task ReleaseJournalAsync()
    {
        if (_mustSave || _condemned.Count > 0 || _journal.CanRelease(NeededFrom() - 1))
        {
            await _flushing.WaitAsync(_stop.Token);
            try
            {
                await SaveFactsAsync();
            }
            finally
            {
                _flushing.Release();
            }
        }
    }

    private void WriteFacts(StoreFacts facts)
    {
        try
        {
            StateFile.Write(_disk, facts);
        }
        catch (IOException e) when (Disk.IsFull(e) && _spare.TryGiveUp())
        {
            StateFile.Write(_disk, facts);
        }
    }

    private long NeededFrom()
    {
        lock (_gate)
        {
            return _windows.Values.Select(state => state.FirstPosition).DefaultIfEmpty(long.MaxValue).Min();
        }
    }

    /// <summary>Saves the facts as of now; then what they make superfluous goes: journal records, and the files of given up windows. Under <see cref="_flushing"/>.</summary>
    private async Task SaveFactsAsync()
    {
        StoreFacts facts;
        var condemned = _condemned.ToArray();
        var flash = new System.Buffers.ArrayBufferWriter<byte>();
        _flash.Write(flash);
        lock (_gate)
        {
            var released = Math.Max(_released, Math.Min(_journal.Last.Position, NeededFrom() - 1));
            CarrySessions(released);
            var (ticket, position) = _journal.Last;
            facts = new()
            {
                Position = position,
                Sequence = ticket,
                Released = released,
                Accepted = _accepted,
                Lost = _lost,
                Rejected = new Dictionary<string, long>(_rejected),
                Series = [.. _series.All],
                Windows = [.. _windows.Values.Select(state => new WindowFacts(
                    state.Window, state.Generation, state.Dropped, state.SentThrough, state.ShippedThrough, state.ShippedUnique,
                    state.RemovedCount is null ? Removal.None : state.Removal, state.RemovedCount ?? 0))],
                Time = Instant.Now(_clock),
                Flash = flash.WrittenMemory,
            };
        }
        await _journal.WaitDurableAsync(facts.Sequence, CancellationToken.None);
        await Task.Run(() => WriteFacts(facts));
        _mustSave = false;
        _released = facts.Released;
        _journal.Release(facts.Released);
        foreach (var name in condemned)
        {
            _files.Delete(name);
            _condemned.Remove(name);
        }
        if (condemned.Length > 0)
        {
            _disk.SyncFolder(WindowFileName.Folder);
        }
    }
}
