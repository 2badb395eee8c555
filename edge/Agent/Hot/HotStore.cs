using System.Buffers;
using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Agent.Hot;

/// <summary>
/// The hot tiers of an edge: journal, memory, LiteDB window files. A sample is safe when its ticket is durable, and can be queried at once.
/// Thread-safe.
/// </summary>
public sealed partial class HotStore : IAsyncDisposable, IDataSource
{
    private readonly HotOptions _options;
    private readonly IDisk _disk;
    private readonly Catalog _catalog;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;

    // Owns everything below except the registry's readers and the journal's own state. Never held during I/O.
    private readonly Lock _gate = new();
    private readonly SeriesRegistry _series = new();
    private readonly SortedDictionary<Window, WindowState> _windows = [];
    private readonly Dictionary<string, long> _rejected = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stop = new();
    private readonly WindowFiles _files;
    private readonly SpareFile _spare;
    private Journal _journal = null!;
    private Task _publisher = Task.CompletedTask, _flusher = Task.CompletedTask, _keeper = Task.CompletedTask;
    private long _accepted, _lost, _memoryBytes, _released, _lastTicket;
    private bool _isDisposed;

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? _record;

    private HotStore(HotOptions options, IDisk disk, Catalog catalog, TimeProvider clock, ILogger log)
    {
        (_options, _disk, _catalog, _clock, _log) = (options, disk, catalog, clock, log);
        _spare = new(disk);
        _book = new(clock, log);
        _files = new(disk, options, _book, log);
        _cache = new(options.CacheBytes);
        _flash = new(options.FlashBytesPerDay);
        _flashMax = options.FlashBytesMax > 0 ? options.FlashBytesMax : disk.VolumeBytes > 0 ? disk.VolumeBytes / 5 * 4 : long.MaxValue;
        _flushAllowance = new(options.PacedFlushBytesPerDay, 2 * options.CreditBytes);
    }

    public string Node => _options.Node;

    /// <summary>Tickets up to this one are durable: the device has confirmed them.</summary>
    public long DurableTicket => _journal.DurableTicket;

    /// <summary>Why nothing can be accepted now; null while all is well, or only slow.</summary>
    public HotStoreUnavailableException? Unavailable => _journal.Failure ?? (_flushFailure is { } failure && IsFull ? failure : null);

    /// <summary>Bytes written to the device and syncs waited for, since the start.</summary>
    public DiskUse DiskUse => _disk.Use;

    /// <summary>Opens the store and recovers what was acknowledged. Series and windows are put into <paramref name="catalog"/>.</summary>
    /// <exception cref="HotStoreUnavailableException">The folder is in use or cannot be written.</exception>
    public static Task<HotStore> OpenAsync(
        HotOptions options, Catalog catalog, TimeProvider clock, ILogger<HotStore> log, CancellationToken cancel) =>
        Task.Run(() => Open(options, new FileDisk(options.Validated().Directory), catalog, clock, log), cancel);

    internal static HotStore Open(HotOptions options, IDisk disk, Catalog catalog, TimeProvider clock, ILogger log)
    {
        var store = new HotStore(options, disk, catalog, clock, log);
        try
        {
            store.Recover();
        }
        catch
        {
            store._files.Dispose();
            store._journal?.Dispose();
            disk.Dispose();
            throw;
        }
        store.Measure();
        store.CountFlash();
        store._publisher = Task.Run(store.PublishAsync);
        store._flusher = Task.Run(store.FlushAsync);
        store._keeper = Task.Run(store.KeepAsync);
        return store;
    }

    /// <summary>Finds or creates a series. A new one is in the journal before its first sample.</summary>
    /// <param name="account">A valid name part, as are device and measurement.</param>
    /// <param name="unit">SenML unit; kept if the series had none yet.</param>
    /// <param name="isState">Whether a new series is of kind state instead of gauge.</param>
    /// <returns>Its handle; 0 where it would be one series more than <see cref="SeriesMax"/>.</returns>
    /// <exception cref="HotStoreUnavailableException">The journal has failed.</exception>
    public int Resolve(string account, string device, string measurement, string? unit, bool isState)
    {
        var name = new SeriesKey(account, device, measurement).ToString();
        var known = _series.Find(name);
        if (known is not null && (known.Unit is not null || unit is null))
        {
            return known.Id;
        }
        lock (_gate)
        {
            known = _series.Find(name);
            if (known is null && _series.Count >= SeriesMax)
            {
                return 0;
            }
            var entry = known is null
                ? new SeriesEntry(_series.NextId, name, unit, isState ? "state" : "gauge")
                : known with { Unit = known.Unit ?? unit };
            if (entry == known)
            {
                return entry.Id;
            }
            Journalise(entry);
            Define(entry);
            return entry.Id;
        }
    }

    /// <summary>Appends all samples of one message, as one: after a crash either all of them are there or none. Does not wait for the device.</summary>
    /// <returns>The ticket to wait for before the message is acknowledged.</returns>
    /// <exception cref="HotStoreUnavailableException">Nothing can be accepted now.</exception>
    public long Append(ReadOnlySpan<IncomingSample> samples) => Append(samples, default);

    /// <param name="delivery">The QoS 2 message that the samples come from, durable with them.</param>
    internal long Append(ReadOnlySpan<IncomingSample> samples, in Delivery delivery)
    {
        if (samples.IsEmpty)
        {
            return DurableTicket;
        }
        var record = RecordOf(delivery);
        SamplesRecord.Write(record, samples);
        long ticket;
        lock (_gate)
        {
            if (IsTooLate(samples))
            {
                // Removed since the sender looked: it sends the message again, and is told.
                throw new HotStoreUnavailableException("too_late", "what this message belongs to was removed while it arrived; send it again");
            }
            (ticket, var position) = _journal.Append(record.WrittenSpan);
            Apply(position, samples, _clock.GetTimestamp());
            _accepted += samples.Length;
            Received(delivery, ticket);
            if (ticket != _lastTicket)
            {
                _lastTicket = ticket;
                if (IsPressed)
                {
                    WantFlush();
                }
            }
        }
        Accepted?.Invoke(samples);
        return ticket;
    }

    /// <summary>Counts a refused payload, durably.</summary>
    /// <param name="reason">A code, for example <c>unparsable</c>.</param>
    /// <param name="samples">How many samples it stood for; 1 where that cannot be told.</param>
    /// <returns>A ticket, as <see cref="Append"/>.</returns>
    public long Reject(string reason, int samples) => Reject(reason, samples, default);

    internal long Reject(string reason, int samples, in Delivery delivery)
    {
        lock (_gate)
        {
            var record = RecordOf(delivery);
            RecordWriter.WriteByte(record, (byte)RecordKind.Rejected);
            RecordWriter.WriteText(record, reason);
            RecordWriter.WriteVarint(record, (ulong)samples);
            var (ticket, _) = _journal.Append(record.WrittenSpan);
            _rejected[reason] = _rejected.GetValueOrDefault(reason) + samples;
            Received(delivery, ticket);
            return ticket;
        }
    }

    /// <summary>Completes when the ticket is durable.</summary>
    /// <exception cref="HotStoreUnavailableException">The journal failed first: do not acknowledge.</exception>
    public ValueTask WaitDurableAsync(long ticket, CancellationToken cancel) => _journal.WaitDurableAsync(ticket, cancel);

    /// <inheritdoc cref="Journal.WhenDurable"/>
    internal bool WhenDurable(long ticket, Action<Exception?> then) => _journal.WhenDurable(ticket, then);

    /// <summary>Completes when <see cref="IsFull"/> is false.</summary>
    public async ValueTask WaitForRoomAsync(CancellationToken cancel)
    {
        while (IsFull)
        {
            await Task.Delay(10, cancel);
        }
    }

    /// <summary>Stops accepting, makes durable what was appended, and closes. Samples in memory stay in the journal.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_isDisposed)
        {
            return;
        }
        _isDisposed = true;
        await _stop.CancelAsync();
        await Task.WhenAll(_publisher, _flusher, _keeper);
        await _flushing.WaitAsync();
        try
        {
            await SaveFactsAsync();
        }
        catch (Exception e) when (e is IOException or HotStoreUnavailableException)
        {
            _log.LogWarning("The hot store's state was not saved at the end: {Reason}. The journal has all of it", e.Message);
        }
        _files.Dispose();
        _journal.Dispose();
        _disk.Dispose();
        _stop.Dispose();
        _meter.Dispose();
    }

    /// <summary>Lets go of everything as a kill would; for tests.</summary>
    internal async Task AbandonAsync()
    {
        if (_isDisposed)
        {
            return;
        }
        _isDisposed = true;
        await _stop.CancelAsync();
        _journal.Abandon();
        await Task.WhenAll(_publisher, _flusher, _keeper);
        await _flushing.WaitAsync();
        _files.Abandon();
        _disk.Dispose();
        _meter.Dispose();
    }

    private static ArrayBufferWriter<byte> Record(RecordKind kind)
    {
        var record = _record ??= new(4096);
        record.ResetWrittenCount();
        RecordWriter.WriteByte(record, (byte)kind);
        return record;
    }

    private void Define(SeriesEntry entry)
    {
        _series.Put(entry);
        _catalog.Put(new SeriesInfo(entry.Name, Node, entry.Unit, entry.Kind));
    }

    private void Apply(long position, ReadOnlySpan<IncomingSample> samples, long now)
    {
        WindowState? state = null;
        foreach (ref readonly var sample in samples)
        {
            if (state is null || !state.Window.Range.Contains(sample.Time))
            {
                state = StateOf(Window.DayOf(sample.Time));
                state.OldestAt = state.Open.Count == 0 ? now : state.OldestAt;
                state.NewestAt = now;
            }
            Interlocked.Add(ref _memoryBytes, state.Open.Add(position, sample));
            state.IsDirty = true;
            if (MustPublish(state, sample.Time))
            {
                Publish(state);
            }
        }
    }

    private WindowState StateOf(Window window)
    {
        if (!_windows.TryGetValue(window, out var state))
        {
            _windows[window] = state = new(window);
        }
        return state;
    }
}
