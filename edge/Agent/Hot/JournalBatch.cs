using System.Buffers;

namespace Foretier.Agent.Hot;

/// <summary>
/// Records that become durable together: one frame, one sync. A few who wait for the end are told by the thread that brought it about, since waking another
/// costs more than what they do; many on the thread pool, since the next commit should not wait for them.
/// </summary>
internal sealed class JournalBatch(long sequence, long firstPosition) : IThreadPoolWorkItem
{
    /// <summary>So many are told by one thread before it is worth waking another: a millisecond or two.</summary>
    private const int WaitersPerThread = 32;

    private readonly ArrayBufferWriter<byte> _records = new(4096);
    private TaskCompletionSource? _done;
    private List<Action<Exception?>>? _waiters;
    private Exception? _failure;
    private int _told = -1;

    public long Sequence => sequence;
    public long FirstPosition => firstPosition;
    public long LastPosition => firstPosition + Count - 1;
    public int Count { get; private set; }
    public int Bytes => _records.WrittenCount;
    public ReadOnlySpan<byte> Records => _records.WrittenSpan;

    /// <summary>When the first record came; a <see cref="System.Diagnostics.Stopwatch"/> time stamp.</summary>
    public long Began { get; init; }

    public void Add(ReadOnlySpan<byte> record)
    {
        RecordWriter.WriteVarint(_records, (ulong)record.Length);
        _records.Write(record);
        Count++;
    }

    /// <summary>Completes or faults with the commit. Created on demand: most batches have one waiter or many, some have none.</summary>
    public Task Done => (_done ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    /// <summary>Has <paramref name="then"/> called after the commit, with null, or with the reason why there is none. It must neither throw nor wait.</summary>
    public void Tell(Action<Exception?> then) => (_waiters ??= []).Add(then);

    public void Complete()
    {
        _done?.TrySetResult();
        if (_waiters?.Count <= WaitersPerThread)
        {
            Tell();
        }
        else
        {
            TellOnThreadPool();
        }
    }

    public void Fail(Exception reason)
    {
        _failure = reason;
        TellOnThreadPool();
        if (_done is not null)
        {
            _done.TrySetException(reason);
            _ = _done.Task.Exception; // observed: a waiter may have given up
        }
    }

    void IThreadPoolWorkItem.Execute() => Tell();

    private void Tell()
    {
        for (int i; (i = Interlocked.Increment(ref _told)) < _waiters!.Count;)
        {
            _waiters[i](_failure);
        }
    }

    private void TellOnThreadPool()
    {
        for (var i = 0; i < Math.Min(Environment.ProcessorCount, (_waiters?.Count + WaitersPerThread - 1) / WaitersPerThread ?? 0); i++)
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }
}
