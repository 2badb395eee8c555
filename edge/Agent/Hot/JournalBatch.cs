using System.Buffers;

namespace Foretier.Agent.Hot;

/// <summary>Records that become durable together: one frame, one sync.</summary>
internal sealed class JournalBatch(long sequence, long firstPosition)
{
    private readonly ArrayBufferWriter<byte> _records = new(4096);
    private TaskCompletionSource? _done;

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

    public void Complete() => _done?.TrySetResult();

    public void Fail(Exception reason)
    {
        if (_done is not null)
        {
            _done.TrySetException(reason);
            _ = _done.Task.Exception; // observed: a waiter may have given up
        }
    }
}
