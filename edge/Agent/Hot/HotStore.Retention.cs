using System.Collections.Frozen;
using Foretier.Core.Partitions;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Segments;

namespace Foretier.Agent.Hot;

/// <content>What leaves this edge by age or for want of space: to the gateway, or for good and counted.</content>
public sealed partial class HotStore
{
    /// <summary>From here on, windows the gateway has are dropped here.</summary>
    private const double NearCap = 0.9;

    /// <summary>From here on the oldest window gives up its samples, where that is allowed.</summary>
    private const double ShedCap = 0.95;

    // Windows whose samples were removed: nothing more may come for them. Swapped whole under the store's lock, read without.
    private volatile FrozenSet<Window> _closed = FrozenSet<Window>.Empty;

    /// <summary>True where a sample belongs to a window whose samples retention or shedding has removed: refuse the message as too_late.</summary>
    public bool IsTooLate(ReadOnlySpan<IncomingSample> samples)
    {
        if (_closed.Count > 0)
        {
            foreach (ref readonly var sample in samples)
            {
                if (_closed.Contains(Window.DayOf(sample.Time)))
                {
                    return true;
                }
            }
        }
        return false;
    }

    /// <summary>1. What is older than it may be goes. 2. What the gateway has goes where space is short. 3. So do samples, where they may.</summary>
    private async Task KeepWithinLimitsAsync(CancellationToken cancel)
    {
        // A clock that is wrong by a year would delete a year.
        if (_clock is not SiteClock { IsSettled: false })
        {
            var now = Instant.Now(_clock);
            foreach (var state in Select(state => _options.RetainDays > 0 && state.RemovedCount is null && !state.HasNewsOfDeletion && AgeOf(state, now) >= _options.RetainDays * Instant.Day))
            {
                await ExpireAsync(state, cancel);
            }
            if (_options.KeepReleasedDays > 0 && Select(state => CanDrop(state) && AgeOf(state, now) >= _options.KeepReleasedDays * Instant.Day) is { Count: > 0 } old)
            {
                await DropShippedAsync(old, cancel);
            }
        }
        await DiscardPastAsync(cancel);
        await FreeAheadAsync(0, cancel);
        // Samples nobody else has go for those that are there already, never for a forecast.
        while (_options.Shed != Shed.None && UsedBytes >= _flashMax * ShedCap && await ShedOldestAsync(cancel))
        {
            CountFlash();
        }
    }

    /// <summary>Oldest first.</summary>
    private List<WindowState> Select(Func<WindowState, bool> which)
    {
        lock (_gate)
        {
            return [.. _windows.Values.Where(which)];
        }
    }

    private static bool CanDrop(WindowState state) => state is { IsShipped: true, Meta: not null, MemoryCount: 0, Damage: null };

    /// <summary>Counts from the last write: imported history stays until it has cooled.</summary>
    private static long AgeOf(WindowState state, long now) =>
        state.Meta is null || state.IsInMemory ? 0 : now - Math.Max(state.Window.End, state.Meta?.WrittenAt ?? 0);

    private async Task ExpireAsync(WindowState state, CancellationToken cancel)
    {
        await CloseAsync(state, Removal.Expired, cancel);
        await _flushing.WaitAsync(cancel);
        try
        {
            lock (_gate)
            {
                if (state.Meta is not null)
                {
                    _condemned.Add(state.FileName);
                    Remove(state);
                    state.Generation++;
                    state.FileBytes = 0;
                    Publish(state);
                }
            }
            await SaveFactsAsync();
        }
        finally
        {
            _flushing.Release();
        }
        _log.LogInformation("Window {Window} is past retention and deleted: {Expired} samples of it were never at a gateway", state.Window, state.Removed);
    }

    private async Task<bool> ShedOldestAsync(CancellationToken cancel)
    {
        var now = Instant.Now(_clock);
        foreach (var state in Select(state => state is { Meta: not null, Damage: null, HasNewsOfDeletion: false, RemovedCount: null } && state.Window.End <= now))
        {
            await CloseAsync(state, Removal.Shed, cancel);
            await _flushing.WaitAsync(cancel);
            try
            {
                await Task.Run(() => ShedSamples(state), cancel);
                await SaveFactsAsync();
            }
            catch (InvalidDataException e)
            {
                state.Damage ??= e.Message; // stays as it is; the next one goes
                continue;
            }
            finally
            {
                _flushing.Release();
            }
            _log.LogWarning("Flash is full: window {Window} gave up {Shed} samples no gateway has, its rollups stay", state.Window, state.Removed);
            return true;
        }
        if (Select(state => state.Rollups is not null) is [var oldest, ..])
        {
            await _flushing.WaitAsync(cancel);
            try
            {
                lock (_gate)
                {
                    _condemned.Add(oldest.FileName);
                    (oldest.Rollups, oldest.FileBytes, oldest.Generation) = (null, 0, oldest.Generation + 1);
                    Publish(oldest);
                }
                await SaveFactsAsync();
            }
            finally
            {
                _flushing.Release();
            }
            _log.LogWarning("Flash is full: window {Window} gave up its rollups too", oldest.Window);
            return true;
        }
        return false;
    }

    /// <summary>Lets nothing more into the window, and brings what is in memory into its file.</summary>
    private async Task CloseAsync(WindowState state, Removal removal, CancellationToken cancel)
    {
        lock (_gate)
        {
            state.Removal = removal;
            _closed = _closed.Append(state.Window).ToFrozenSet();
        }
        await FlushAsync(state, cancel);
    }

    /// <summary>Writes the rollups of all blocks into a file of the next generation. Its name is the moment at which the samples are gone.</summary>
    private void ShedSamples(WindowState state)
    {
        var old = state.FileName;
        var next = old with { Generation = old.Generation + 1 };
        List<StoredBlock> blocks = [];
        using (var lease = _files.Take(old))
        {
            foreach (var heads in lease.File.Scan().Chunk(256))
            {
                var read = lease.File.Read([.. heads.Select(head => head.Key)]);
                if (read.Count != heads.Length)
                {
                    throw new InvalidDataException($"{heads.Length - read.Count} blocks of {old.Data} are damaged");
                }
                blocks.AddRange(read.Select(block => block with { Segment = [], Rollups = RollupsOf(block) }));
            }
        }
        WindowMeta meta;
        lock (_gate)
        {
            meta = state.Meta! with { Dropped = state.DroppedWhole, Removed = state.HeldInFile };
        }
        using var created = _files.Take(next, 0);
        created.File.Commit([], blocks, meta);
        lock (_gate)
        {
            _condemned.Add(old);
            Remove(state);
            (state.Generation, state.Rollups, state.FileBytes) = (next.Generation, meta, created.File.Bytes);
            Publish(state);
        }
    }

    private static byte[] RollupsOf(StoredBlock block)
    {
        var samples = new SampleColumns();
        Segment.Open(block.Segment).Decode(samples);
        using var rows = new BucketRows();
        rows.Add(samples, new BucketGrid(TimeRange.Everything, Instant.Minute));
        return RollupBlock.Encode(Instant.Minute, rows);
    }

    /// <summary>The account of a window whose samples go, as of now; a receipt still on its way may yet turn removed into released.</summary>
    private static void Remove(WindowState state)
    {
        (state.RemovedCount, state.Dropped) = (state.HeldInFile, state.DroppedWhole);
        state.Meta = null;
        state.Unshipped.Clear();
    }
}
