using System.Collections.Concurrent;
using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Durable;
using Foretier.Node.Hosting;
using Foretier.Protocol.Api;

namespace Foretier.Agent.Hot;

/// <content>
/// Room for windows that are to come: their files made, with their space, and open, before the first sample; and what has to go for that.
/// </content>
public sealed partial class HotStore
{
    /// <summary>What a forecast alone may claim of the cap: a wrong one must not drive everything else off this edge.</summary>
    private const double ReserveShareMax = 0.5;

    /// <summary>Below the cap at which dropping begins, so that it does not begin again with the next sample.</summary>
    private const double FreeTo = 0.85;

    private readonly ConcurrentDictionary<Window, Reservation> _reservations = new();
    private readonly AheadCounts _ahead = new();
    private long _reservedBytes;

    /// <summary>
    /// Which of some windows, each with its bytes, oldest first, is worth least a byte here: readers would have to go to the gateway for it. Null: the oldest.
    /// Called on the store's own threads, with nothing locked.
    /// </summary>
    public Func<IReadOnlyList<(Window Window, long Bytes)>, Window>? LeastWorth { get; set; }

    /// <summary>What became of the window files that were made ahead, since the start.</summary>
    public IReadOnlyList<MoveLine> Moves
    {
        get
        {
            var waiting = _reservations.Values.Where(one => one is { IsReady: true, IsUsed: false }).ToList();
            lock (_ahead)
            {
                return [new("reserved", _ahead.Made, 0, _ahead.MadeBytes, _ahead.Used, _ahead.UsedBytes, _ahead.Wasted, _ahead.WastedBytes, waiting.Count, waiting.Sum(one => one.Bytes), 0)];
            }
        }
    }

    /// <summary>Bytes set aside for windows that are open or to come and that their files do not use yet.</summary>
    public long ReservedBytes => Interlocked.Read(ref _reservedBytes);

    /// <summary>
    /// Makes the file of a window that is to come, with so many bytes of the device; one that is there already, begun or not, gets what it lacks. Where the cap
    /// or the device has no room, what the gateway has goes first, least worth a byte first. A hint: a window that outgrows it takes more.
    /// </summary>
    /// <param name="bytes">More than half of the cap is not reserved; fewer than it has change nothing.</param>
    /// <exception cref="IOException">There is no such room, and nothing left to drop; what had been reserved for the window stays.</exception>
    public async Task ReserveAsync(Window window, long bytes, CancellationToken cancel)
    {
        await DiscardPastAsync(cancel);
        if (bytes > _flashMax * ReserveShareMax)
        {
            throw new IOException($"a window may reserve at most {Megabytes((long)(_flashMax * ReserveShareMax))}, half of Hot:FlashBytesMax; raise that, or have fewer samples sent");
        }
        var more = bytes - Math.Max(_reservations.GetValueOrDefault(window).Bytes, FileBytesOf(window));
        if (more <= 0)
        {
            return;
        }
        await FreeAheadAsync(more, cancel);
        if (UsedBytes + ReservedBytes + more > _flashMax)
        {
            throw new IOException($"{Megabytes(UsedBytes)} of {Megabytes(_flashMax)} of flash are used, {Megabytes(ReservedBytes)} set aside, and nothing more is at the gateway; "
                + "restore the link to it, or raise Hot:FlashBytesMax");
        }
        while (!await TryPrepareAsync(window, bytes, cancel))
        {
            if (Cheapest() is not { } cheapest)
            {
                throw new IOException("the disk is full, and nothing more is at the gateway; free some space on it, or restore the link");
            }
            await DropShippedAsync([cheapest], cancel);
        }
    }

    /// <returns>False where the device has no such room.</returns>
    private async Task<bool> TryPrepareAsync(Window window, long bytes, CancellationToken cancel)
    {
        await _flushing.WaitAsync(cancel);
        try
        {
            WindowFileName name;
            lock (_gate)
            {
                _windows.TryGetValue(window, out var state);
                if (state?.IsSealed == true)
                {
                    return true; // over, and as it will stay
                }
                name = state?.FileName ?? new(window, 1);
            }
            await Background.RunAsync(() => _files.Prepare(name, bytes));
            var before = _reservations.GetValueOrDefault(window);
            var (had, more) = (before.IsReady ? before.Bytes : 0, bytes - (before.IsReady ? before.Bytes : 0));
            Count(counts => counts.CountMade(had > 0 ? 0 : 1, more));
            if (before.IsUsed)
            {
                Count(counts => counts.CountUsed(0, more));
            }
            _reservations[window] = before with { Bytes = bytes, IsReady = true };
            return true;
        }
        catch (IOException e) when (Disk.IsFull(e))
        {
            return false;
        }
        finally
        {
            _flushing.Release();
            CountFlash();
        }
    }

    private void Count(Action<AheadCounts> count)
    {
        lock (_ahead)
        {
            count(_ahead);
        }
    }

    /// <summary>The first samples of a window have been brought to its file.</summary>
    private void Begun(Window window)
    {
        if (_reservations.TryGetValue(window, out var reservation) && reservation is { IsReady: true, IsUsed: false })
        {
            _reservations[window] = reservation with { IsUsed = true };
            Count(counts => counts.CountUsed(1, reservation.Bytes));
        }
    }

    /// <summary>Prepared windows that are over and never got a sample give their space back.</summary>
    private async Task DiscardPastAsync(CancellationToken cancel)
    {
        var now = Instant.Now(_clock);
        var past = _reservations.Keys.Where(window => window.End <= now).ToList();
        if (past.Count == 0)
        {
            return;
        }
        await _flushing.WaitAsync(cancel);
        try
        {
            foreach (var window in past)
            {
                if (_reservations.TryRemove(window, out var over) && over is { IsReady: true, IsUsed: false })
                {
                    Count(counts => counts.CountWasted(over.Bytes));
                }
                WindowFileName name;
                lock (_gate)
                {
                    name = _windows.TryGetValue(window, out var state) ? state.FileName : new(window, 1);
                }
                _files.Discard(name);
            }
        }
        finally
        {
            _flushing.Release();
        }
    }

    private long FileBytesOf(Window window)
    {
        lock (_gate)
        {
            return _windows.TryGetValue(window, out var state) ? state.FileBytes : 0;
        }
    }

    private long? Reserved(Window window) => _reservations.TryGetValue(window, out var reservation) && reservation.Bytes > 0 ? reservation.Bytes : null;

    /// <summary>What the gateway has goes once nine tenths of the cap are used or set aside, until there is room for so many bytes more with some to spare.</summary>
    private async Task FreeAheadAsync(long bytes, CancellationToken cancel)
    {
        CountFlash();
        if (UsedBytes + ReservedBytes + bytes < _flashMax * NearCap)
        {
            return;
        }
        for (; UsedBytes + ReservedBytes + bytes > _flashMax * FreeTo && Cheapest() is { } cheapest; CountFlash())
        {
            await DropShippedAsync([cheapest], cancel);
        }
    }

    /// <summary>Of the windows that the gateway has, the one that is worth least a byte; of equals the oldest. Null where there is none. One that still fills goes last.</summary>
    private WindowState? Cheapest()
    {
        var now = Instant.Now(_clock);
        var states = Select(CanDrop);
        states = states.Exists(state => state.Window.End <= now) ? states.FindAll(state => state.Window.End <= now) : states;
        return states.Count == 0 ? null : LeastWorth is not { } least ? states[0]
            : least([.. states.Select(state => (state.Window, state.FileBytes))]) is var window && states.Find(state => state.Window == window) is { } chosen ? chosen : states[0];
    }

    /// <summary>Under the store's lock.</summary>
    private long CountReserved() => _reservations.Sum(one => Math.Max(0, one.Value.Bytes - (_windows.TryGetValue(one.Key, out var state) ? state.FileBytes : 0)));

    /// <param name="IsReady">The file stands there.</param>
    /// <param name="IsUsed">Samples have been brought to it.</param>
    private readonly record struct Reservation(long Bytes, bool IsReady, bool IsUsed = false);

    /// <summary>Window files made ahead since the start: made = used + wasted + waiting.</summary>
    private sealed class AheadCounts
    {
        public long Made { get; private set; }
        public long MadeBytes { get; private set; }
        public long Used { get; private set; }
        public long UsedBytes { get; private set; }
        public long Wasted { get; private set; }
        public long WastedBytes { get; private set; }

        public void CountMade(int files, long bytes) => (Made, MadeBytes) = (Made + files, MadeBytes + bytes);
        public void CountUsed(int files, long bytes) => (Used, UsedBytes) = (Used + files, UsedBytes + bytes);
        public void CountWasted(long bytes) => (Wasted, WastedBytes) = (Wasted + 1, WastedBytes + bytes);
    }
}
