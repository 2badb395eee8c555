using System.IO.Pipelines;

namespace Foretier.Agent.Ingest.Mqtt;

/// <summary>An acknowledgement that waits for its commit.</summary>
/// <param name="Ticket">Not to be written before this is durable.</param>
/// <param name="Type">First byte of PUBACK, PUBREC or PUBCOMP.</param>
/// <param name="Bytes">What the message counts against the connection's bound.</param>
internal readonly record struct PendingAck(long Ticket, byte Type, ushort PacketId, byte Reason, string? Text, int Bytes);

/// <summary>
/// The acknowledgements of one connection, in the order of its packets [MQTT-4.6.0-2], each written after its commit ticket is durable.
/// One reader of the connection adds; one flush at a time writes, so that they cannot overtake each other. Between two commits nothing
/// waits: the commit itself begins the flush, on the thread that tells all its connections.
/// </summary>
/// <param name="durable">The ticket up to which commits are durable.</param>
/// <param name="whenDurable">As <see cref="Hot.Journal.WhenDurable"/>.</param>
/// <param name="output">Where to write.</param>
/// <param name="gate">Held while writing: other packets go to the same output.</param>
/// <param name="messagesMax">Past so many there is no room.</param>
/// <param name="bytesMax">Nor past so many bytes of messages.</param>
internal sealed class AckQueue(
    Func<long> durable, Func<long, Action<Exception?>, bool> whenDurable, PipeWriter output, SemaphoreSlim gate, int messagesMax, int bytesMax)
    : IDisposable
{
    private const int FlushBytes = 16 * 1024;

    private readonly Lock _lock = new();
    private readonly Queue<PendingAck> _pending = new();
    private readonly CancellationTokenSource _abandon = new();
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Action<Exception?>? _committed;
    private int _messages;
    private int _bytes;
    private bool _isBusy; // a commit is waited for, or a flush runs; for good once that failed
    private bool _isComplete;
    private TaskCompletionSource? _room;

    /// <summary>The largest packet the client takes, from its CONNECT.</summary>
    public uint PacketBytesMax { get; set; } = uint.MaxValue;

    /// <summary>
    /// False while the connection is not to be read from: too much of it waits for the journal, or its client takes no acknowledgements.
    /// </summary>
    public bool HasRoom => Volatile.Read(ref _messages) < messagesMax && Volatile.Read(ref _bytes) < bytesMax;

    /// <summary>
    /// Ends when all is written after <see cref="Complete"/>, or the client is gone; cancelled by <see cref="Abandon"/>. Fails with
    /// <see cref="Hot.HotStoreUnavailableException"/> where the journal failed: what is still here must not be acknowledged.
    /// </summary>
    public Task Drained => _drained.Task;

    /// <summary>Only after <see cref="HasRoom"/> was seen true; by the reader alone.</summary>
    public void Add(in PendingAck ack)
    {
        lock (_lock)
        {
            _pending.Enqueue(ack);
            _messages++;
            _bytes += ack.Bytes;
            if (_isBusy)
            {
                return;
            }
            _isBusy = true;
        }
        FlushAt(ack.Ticket);
    }

    public async Task WaitForRoomAsync(CancellationToken cancel)
    {
        while (!HasRoom)
        {
            var room = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            Volatile.Write(ref _room, room);
            // The flush may have made room before it could see us waiting. A full fence, as each side writes one field and reads the other's.
            Interlocked.MemoryBarrier();
            if (HasRoom)
            {
                return;
            }
            await room.Task.WaitAsync(cancel);
        }
    }

    /// <summary>Nothing more comes; <see cref="Drained"/> ends after what is there.</summary>
    public void Complete()
    {
        lock (_lock)
        {
            _isComplete = true;
            if (_isBusy)
            {
                return;
            }
        }
        _drained.TrySetResult();
    }

    /// <summary>Gives up on a client that does not read, or on a commit that does not come.</summary>
    public void Abandon()
    {
        _abandon.Cancel();
        _drained.TrySetCanceled();
    }

    public void Dispose() => _abandon.Dispose();

    private void FlushAt(long ticket)
    {
        if (!whenDurable(ticket, _committed ??= failure => _ = FlushAsync(failure)))
        {
            _ = FlushAsync(null);
        }
    }

    private async Task FlushAsync(Exception? failure)
    {
        try
        {
            if (failure is not null)
            {
                _drained.TrySetException(failure);
                return;
            }
            long next;
            do
            {
                if (!await TryWriteAsync(_abandon.Token))
                {
                    _drained.TrySetResult();
                    return;
                }
                lock (_lock)
                {
                    if (!_pending.TryPeek(out var head))
                    {
                        _isBusy = false;
                        if (_isComplete)
                        {
                            _drained.TrySetResult();
                        }
                        return;
                    }
                    next = head.Ticket;
                }
            }
            while (next <= durable());
            FlushAt(next);
        }
        catch (OperationCanceledException)
        {
            _drained.TrySetCanceled();
        }
        catch (Exception gone)
        {
            _drained.TrySetException(gone);
        }
    }

    /// <returns>False where nobody reads any more.</returns>
    private async ValueTask<bool> TryWriteAsync(CancellationToken cancel)
    {
        await gate.WaitAsync(cancel);
        try
        {
            var (messages, bytes) = Write(durable());
            var flushed = await output.FlushAsync(cancel);
            lock (_lock)
            {
                _messages -= messages;
                _bytes -= bytes;
            }
            return !flushed.IsCompleted;
        }
        finally
        {
            gate.Release();
            Interlocked.MemoryBarrier();
            Interlocked.Exchange(ref _room, null)?.TrySetResult();
        }
    }

    /// <summary>Writes from the head on what is durable, and stops at the first that is not.</summary>
    private (int Messages, int Bytes) Write(long through)
    {
        var (messages, bytes, written) = (0, 0, 0);
        lock (_lock)
        {
            while (written < FlushBytes && _pending.TryPeek(out var ack) && ack.Ticket <= through)
            {
                _pending.Dequeue();
                written += PacketWriter.WriteAck(output, ack.Type, ack.PacketId, ack.Reason, ack.Text, PacketBytesMax);
                messages++;
                bytes += ack.Bytes;
            }
        }
        return (messages, bytes);
    }
}
