using System.Diagnostics;
using Foretier.Core.Samples;

namespace Foretier.Agent.Hot;

/// <summary>
/// The write-ahead journal: a ring of preallocated files. What it has synced survives any kill or power cut, in order.
/// </summary>
/// <remarks>
/// Each record has a position (1, 2, 3, …) that holds across restarts; records that are synced together are a batch, and the batch's
/// sequence is the ticket. One thread writes: it waits for the first record, then up to the commit interval for others, writes one frame,
/// syncs, and only then moves <see cref="DurableTicket"/>. Records that arrive during a sync belong to the next batch.
/// After a failed write or sync nothing is assumed of the file: the batch stays queued and is written again to another one.
/// </remarks>
internal sealed partial class Journal : IDisposable
{
    /// <summary>A batch does not grow past this; what comes later begins the next one.</summary>
    private const int BatchBytesMax = 1024 * 1024;

    /// <summary>Queued bytes past which appending fails: ingest should have waited long before, at <see cref="IsBehind"/>.</summary>
    private const int QueueBytesMax = 32 * 1024 * 1024;

    /// <summary>Queued bytes past which ingest has to wait. The rest is for what was being read when this was reached.</summary>
    private const int QueueBytesGood = 8 * 1024 * 1024;

    private const int PageBytes = 4096;

    /// <summary>
    /// From so many records on, a sync costs less than 100 device bytes a record, and is worth it: a sender that keeps 100 messages in flight
    /// and waits for them must not be held up.
    /// </summary>
    private const int ThinRecords = 64;

    /// <summary>What a batch of less than a page makes the device write: it lies in one page, or as often across two.</summary>
    private const int ThinCommitBytes = PageBytes * 3 / 2;

    private readonly IDisk _disk;
    private readonly HotOptions _options;
    private readonly ILogger _log;
    private readonly TimeSpan _retry;
    private readonly object _gate = new();
    private readonly Queue<JournalBatch> _queue = [];
    private readonly List<JournalFile> _used = [];
    private readonly Queue<JournalFile> _free = [];  // first in, first out: files are reused in the order of their sequences
    private readonly WriteAllowance _allowance;
    private readonly Thread _writer;
    private JournalBatch? _open;
    private HotStoreUnavailableException? _failure;
    private long _nextSequence = 1, _nextPosition = 1, _durableTicket, _durablePosition, _epoch, _queuedBytes, _usedBytes;
    private int _fileNumber;
    private bool _stopping, _abandoned, _mustRotate;

    private Journal(IDisk disk, HotOptions options, ILogger log, TimeSpan retry)
    {
        _disk = disk;
        _options = options;
        _log = log;
        _retry = retry;
        _allowance = new(options.ThinCommitBytesPerDay, options.CreditBytes);
        _writer = new(Write) { IsBackground = true, Name = "journal" };
    }

    /// <summary>Takes a record found at opening.</summary>
    public delegate void Replay(long position, ReadOnlySpan<byte> record);

    /// <summary>Positions of records whose frames were damaged on the device (not merely torn at the end) while still needed: they are lost.</summary>
    public IReadOnlyList<TimeRange> Damaged { get; private set; } = [];

    public long DurableTicket => Interlocked.Read(ref _durableTicket);
    public long DurablePosition => Interlocked.Read(ref _durablePosition);
    public HotStoreUnavailableException? Failure => Volatile.Read(ref _failure);

    /// <summary>Share of the ring in use, over 1 where more files than planned were needed. Asked before every read of a connection.</summary>
    public double Fill => (Interlocked.Read(ref _queuedBytes) + Interlocked.Read(ref _usedBytes)) / ((double)_options.JournalFiles * _options.JournalFileBytes);

    /// <summary>True while more is queued than a device that keeps up would leave there.</summary>
    public bool IsBehind => Interlocked.Read(ref _queuedBytes) >= QueueBytesGood;

    /// <summary>Set where flash writes are short: whatever does not fill a group waits as long as it may.</summary>
    public bool IsThrifty { get; set; }

    /// <summary>Bytes of all files of the ring.</summary>
    public long FileBytes
    {
        get
        {
            lock (_gate)
            {
                return _used.Concat(_free).Sum(file => file.Length);
            }
        }
    }

    /// <summary>Opens the journal in the folder <c>journal</c> and hands every record it still has to <paramref name="replay"/>, oldest first.</summary>
    /// <param name="disk">Where the files are.</param>
    /// <param name="options">Sizes and intervals.</param>
    /// <param name="log">For damage and failures.</param>
    /// <param name="floor">What the store knows to have been reached and released.</param>
    /// <param name="replay">Receives the records.</param>
    /// <param name="retry">How long to wait before writing again after a failure; default 1 s.</param>
    public static Journal Open(
        IDisk disk, HotOptions options, ILogger log, JournalFloor floor, Replay replay, TimeSpan? retry = null)
    {
        var journal = new Journal(disk, options, log, retry ?? TimeSpan.FromSeconds(1));
        try
        {
            journal.Recover(floor, replay);
            journal.Preallocate();
            journal.CountUsed();
        }
        catch
        {
            journal._abandoned = true;
            journal.CloseFiles();
            throw;
        }
        journal._writer.Start();
        return journal;
    }

    /// <summary>Queues a record; never waits for the device.</summary>
    /// <returns>The ticket of the batch it is in, and its position.</returns>
    /// <exception cref="HotStoreUnavailableException">The journal has failed, is closed, or too much is queued.</exception>
    public (long Ticket, long Position) Append(ReadOnlySpan<byte> record)
    {
        // A frame must fit one file whole: a message is durable or it is not.
        if (record.Length > Math.Min(BatchBytesMax * 8, _options.JournalFileBytes - JournalFile.HeaderBytes - 64))
        {
            throw new ArgumentException($"a message of {record.Length} bytes does not fit the journal; send it in parts");
        }
        lock (_gate)
        {
            if (_failure is not null)
            {
                throw _failure;
            }
            if (_stopping)
            {
                throw new HotStoreUnavailableException("closed", "the hot store is closed");
            }
            if (_queuedBytes + record.Length > QueueBytesMax)
            {
                throw new HotStoreUnavailableException("overloaded", "the journal's device is too slow for what arrives; send again later");
            }
            var full = Math.Min(BatchBytesMax, _options.JournalFileBytes - JournalFile.HeaderBytes - 64);
            if (_open is null || (_open.Bytes + record.Length + 8 > full && _open.Count > 0))
            {
                _open = new(_nextSequence++, _nextPosition) { Began = Stopwatch.GetTimestamp() };
                _queue.Enqueue(_open);
                Monitor.PulseAll(_gate);
            }
            _open.Add(record);
            _queuedBytes += record.Length;
            var before = _open.Bytes - record.Length - 8;
            if (_open.Bytes >= _options.CommitBytes || (_open.Bytes >= PageBytes && before < PageBytes) || _open.Count == ThinRecords)
            {
                Monitor.PulseAll(_gate);
            }
            return (_open.Sequence, _nextPosition++);
        }
    }

    /// <summary>Completes when the ticket's batch is on the device.</summary>
    /// <exception cref="HotStoreUnavailableException">The journal failed before that.</exception>
    public ValueTask WaitDurableAsync(long ticket, CancellationToken cancel)
    {
        if (DurableTicket >= ticket)
        {
            return ValueTask.CompletedTask;
        }
        lock (_gate)
        {
            if (DurableTicket >= ticket)
            {
                return ValueTask.CompletedTask;
            }
            if (_failure is not null)
            {
                return ValueTask.FromException(_failure);
            }
            var batch = _queue.FirstOrDefault(batch => batch.Sequence >= ticket);
            return batch is null
                ? ValueTask.FromException(new HotStoreUnavailableException("closed", "the journal was closed before this was durable"))
                : new(batch.Done.WaitAsync(cancel));
        }
    }

    /// <summary>
    /// Has <paramref name="then"/> called, once and on another thread, when the ticket's batch is on the device: with null, or with the reason
    /// why it will not be. False, and no call, where it is there already. Cheaper than <see cref="WaitDurableAsync"/> where many wait.
    /// </summary>
    public bool WhenDurable(long ticket, Action<Exception?> then)
    {
        lock (_gate)
        {
            if (DurableTicket >= ticket)
            {
                return false;
            }
            if (_failure is null && _queue.FirstOrDefault(batch => batch.Sequence >= ticket) is { } batch)
            {
                batch.Tell(then);
                return true;
            }
            var failure = _failure ?? new HotStoreUnavailableException("closed", "the journal was closed before this was durable");
            ThreadPool.UnsafeQueueUserWorkItem(_ => then(failure), null);
            return true;
        }
    }

    /// <summary>The sequence of the last batch; anything appended so far has this ticket or a lower one.</summary>
    public (long Ticket, long Position) Last
    {
        get
        {
            lock (_gate)
            {
                return (_nextSequence - 1, _nextPosition - 1);
            }
        }
    }

    /// <summary>Records up to here are in files that are full: releasing them gives a file back. 0 while there is none.</summary>
    public long FullThrough
    {
        get
        {
            lock (_gate)
            {
                return _used.Count > 1 ? _used[^2].LastPosition : 0;
            }
        }
    }

    /// <summary>Whether <see cref="Release"/> with this position would give a file back.</summary>
    public bool CanRelease(long position)
    {
        lock (_gate)
        {
            return _used.Count > 1 && _used[0].LastPosition <= position;
        }
    }

    /// <summary>Says that records up to this position are safe elsewhere. Their files go back to the ring.</summary>
    public void Release(long position)
    {
        lock (_gate)
        {
            while (_used.Count > 1 && _used[0].LastPosition <= position)
            {
                var file = _used[0];
                _used.RemoveAt(0);
                if (_used.Count + _free.Count < _options.JournalFiles)
                {
                    _free.Enqueue(file);
                    continue;
                }
                file.Dispose();
                _disk.Delete(file.Name);
                _disk.SyncFolder("journal");
            }
            CountUsed();
        }
    }

    private void CountUsed() => Interlocked.Exchange(ref _usedBytes, _used.Sum(file => file == _used[^1] ? file.End : file.Length));

    /// <summary>Writes what is queued, then closes.</summary>
    public void Dispose() => Stop(abandon: false);

    /// <summary>Closes without writing what is queued, as a crash would.</summary>
    public void Abandon() => Stop(abandon: true);

    private void Stop(bool abandon)
    {
        lock (_gate)
        {
            if (_stopping)
            {
                return;
            }
            _stopping = true;
            _abandoned = abandon;
            Monitor.PulseAll(_gate);
        }
        _writer.Join();
        CloseFiles();
    }

    private void CloseFiles()
    {
        foreach (var file in _used.Concat(_free))
        {
            file.Dispose();
        }
    }

    private void Write()
    {
        while (NextBatch() is { } batch)
        {
            try
            {
                var bytes = FileFor(batch).Commit(batch);
                if (batch.Bytes < PageBytes)
                {
                    _allowance.Spend(bytes, Now);
                }
            }
            catch (IOException e)
            {
                Fail(e);
                continue;
            }
            lock (_gate)
            {
                _queue.Dequeue();
                _queuedBytes = _queue.Sum(queued => (long)queued.Bytes);
                CountUsed();
                Interlocked.Exchange(ref _durablePosition, batch.LastPosition);
                Interlocked.Exchange(ref _durableTicket, batch.Sequence);
                if (_failure is not null && _queue.Count == 0)
                {
                    _failure = null;
                    _log.LogInformation("The journal writes again");
                }
            }
            // Out of the queue nobody joins it any more, and whoever is told may append again.
            batch.Complete();
        }
    }

    /// <summary>Waits for the first batch and for its time to be over, and closes it; null at the end.</summary>
    private JournalBatch? NextBatch()
    {
        lock (_gate)
        {
            while (true)
            {
                if (_abandoned || (_stopping && (_queue.Count == 0 || _failure is not null)))
                {
                    FailQueue(new("closed", "the hot store was closed before this was durable"));
                    return null;
                }
                if (!_queue.TryPeek(out var batch))
                {
                    Monitor.Wait(_gate);
                    continue;
                }
                if (batch == _open && !_stopping && batch.Bytes < _options.CommitBytes)
                {
                    var left = WaitFor(batch);
                    if (left > TimeSpan.Zero)
                    {
                        Monitor.Wait(_gate, TimeSpan.FromMilliseconds(Math.Ceiling(left.TotalMilliseconds)));
                        continue;
                    }
                }
                if (batch == _open)
                {
                    _open = null;
                }
                return batch;
            }
        }
    }

    /// <summary>
    /// How long the batch should still wait for more: the commit interval; and where it is few records and less than a page, for which the device writes one or
    /// two all the same, until the allowance has that, but not past the longest interval.
    /// </summary>
    private TimeSpan WaitFor(JournalBatch batch)
    {
        // The device's time, not the data's: the injected clock may run faster than the disk.
        var waited = Stopwatch.GetElapsedTime(batch.Began);
        var left = _options.CommitInterval - waited;
        if (left > TimeSpan.Zero || _options.CommitInterval == TimeSpan.Zero || !IsThin(batch))
        {
            return left;
        }
        var most = _options.CommitIntervalMax - waited;
        var wait = IsThrifty ? most : _allowance.WaitFor(ThinCommitBytes, Now);
        return wait < most ? wait : most;
    }

    private bool IsThin(JournalBatch batch) =>
        IsThrifty ? batch.Bytes < _options.CommitBytes : batch.Bytes < PageBytes && batch.Count < ThinRecords;

    private static TimeSpan Now => Stopwatch.GetElapsedTime(0);

    private JournalFile FileFor(JournalBatch batch)
    {
        JournalFile? file;
        lock (_gate)
        {
            if (!_mustRotate && _used.Count > 0 && _used[^1].Fits(batch))
            {
                return _used[^1];
            }
            // A file in which nothing was ever committed is written anew from its head, under a new epoch: what a failed sync lost of it
            // does not matter, and a device that fails for long does not use up one file after another.
            file = _used.Count > 0 && _used[^1].IsEmpty ? _used[^1] : null;
            if (file is not null)
            {
                _used.Remove(file);
            }
            else
            {
                _free.TryDequeue(out file);
            }
        }
        // With no free file the ring grows by one: what must be flushed to free it may itself wait for this very batch.
        file ??= CreateFile();
        try
        {
            file.Begin(++_epoch, batch.Sequence, batch.FirstPosition);
        }
        catch
        {
            lock (_gate)
            {
                _free.Enqueue(file);
            }
            throw;
        }
        lock (_gate)
        {
            _used.Add(file);
            CountUsed();
            _mustRotate = false;
            return file;
        }
    }

    private void Fail(IOException e)
    {
        var (reason, hint) = HotStoreUnavailableException.Explain(e);
        lock (_gate)
        {
            if (_failure is null)
            {
                _log.LogError(e, "The journal cannot write: {Hint}", hint);
            }
            // After a failed sync the kernel may have dropped the pages and call the next sync a success: never this file again.
            _mustRotate = true;
            _failure = new(reason, $"the journal cannot write ({e.Message}): {hint}", e);
            FailQueue(_failure);
            if (!_stopping)
            {
                Monitor.Wait(_gate, _retry);
            }
        }
    }

    private void FailQueue(HotStoreUnavailableException reason)
    {
        foreach (var batch in _queue)
        {
            batch.Fail(reason);
        }
    }
}

/// <summary>Where a journal stood when the store last wrote its state down; numbering goes on from there even if no frame is left.</summary>
/// <param name="Position">A position that was durable then.</param>
/// <param name="Sequence">A ticket that was durable then.</param>
/// <param name="Released">Records up to this one are not needed any more.</param>
internal readonly record struct JournalFloor(long Position, long Sequence, long Released);
