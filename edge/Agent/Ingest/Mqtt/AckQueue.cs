using System.IO.Pipelines;
using System.Threading.Channels;

namespace Foretier.Agent.Ingest.Mqtt;

/// <summary>An acknowledgement that waits for its commit.</summary>
/// <param name="Ticket">Not to be written before this is durable.</param>
/// <param name="Type">First byte of PUBACK, PUBREC or PUBCOMP.</param>
/// <param name="Bytes">What the message counts against the connection's bound.</param>
internal readonly record struct PendingAck(long Ticket, byte Type, ushort PacketId, byte Reason, string? Text, int Bytes);

/// <summary>
/// The acknowledgements of one connection, in the order of its packets [MQTT-4.6.0-2], each written after its commit ticket is durable.
/// One reader of the connection adds, one flusher (<see cref="RunAsync"/>) writes, so that they cannot overtake each other.
/// </summary>
/// <param name="durable">The ticket up to which commits are durable.</param>
/// <param name="waitDurable">Completes when a ticket is durable, fails when it never will be.</param>
/// <param name="output">Where to write.</param>
/// <param name="gate">Held while writing: other packets go to the same output.</param>
/// <param name="messagesMax">Past so many there is no room.</param>
/// <param name="bytesMax">Nor past so many bytes of messages.</param>
internal sealed class AckQueue(
    Func<long> durable, Func<long, CancellationToken, ValueTask> waitDurable, PipeWriter output, SemaphoreSlim gate,
    int messagesMax, int bytesMax)
{
    private const int FlushBytes = 16 * 1024;

    // PUBCOMPs and the one message read past the bound need a little more.
    private readonly Channel<PendingAck> _pending = Channel.CreateBounded<PendingAck>(
        new BoundedChannelOptions(messagesMax + 16) { SingleReader = true, SingleWriter = true });
    private int _messages;
    private int _bytes;
    private TaskCompletionSource? _room;

    /// <summary>The largest packet the client takes, from its CONNECT.</summary>
    public uint PacketBytesMax { get; set; } = uint.MaxValue;

    /// <summary>
    /// False while the connection is not to be read from: too much of it waits for the journal, or its client takes no acknowledgements.
    /// </summary>
    public bool HasRoom => Volatile.Read(ref _messages) < messagesMax && Volatile.Read(ref _bytes) < bytesMax;

    /// <summary>Only after <see cref="HasRoom"/> was seen true; by the reader alone.</summary>
    public void Add(in PendingAck ack)
    {
        Interlocked.Increment(ref _messages);
        Interlocked.Add(ref _bytes, ack.Bytes);
        if (!_pending.Writer.TryWrite(ack))
        {
            throw new InvalidOperationException("acknowledgements were added without room");
        }
    }

    public async Task WaitForRoomAsync(CancellationToken cancel)
    {
        while (!HasRoom)
        {
            var room = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            Volatile.Write(ref _room, room);
            // The flusher may have made room before it could see us waiting. A full fence, as each side writes one field and reads the other's.
            Interlocked.MemoryBarrier();
            if (HasRoom)
            {
                return;
            }
            await room.Task.WaitAsync(cancel);
        }
    }

    /// <summary>Nothing more comes; <see cref="RunAsync"/> ends after what is there.</summary>
    public void Complete() => _pending.Writer.TryComplete();

    /// <exception cref="Hot.HotStoreUnavailableException">The journal failed: what is still here must not be acknowledged.</exception>
    public async Task RunAsync(CancellationToken cancel)
    {
        while (await _pending.Reader.WaitToReadAsync(cancel))
        {
            if (!_pending.Reader.TryPeek(out var head))
            {
                continue;
            }
            if (head.Ticket > durable())
            {
                await waitDurable(head.Ticket, cancel);
            }
            await gate.WaitAsync(cancel);
            try
            {
                var (messages, bytes) = Write(durable());
                var flushed = await output.FlushAsync(cancel);
                Interlocked.Add(ref _messages, -messages);
                Interlocked.Add(ref _bytes, -bytes);
                if (flushed.IsCompleted)
                {
                    return;
                }
            }
            finally
            {
                gate.Release();
                Interlocked.MemoryBarrier();
                Interlocked.Exchange(ref _room, null)?.TrySetResult();
            }
        }
    }

    /// <summary>Writes from the head on what is durable, and stops at the first that is not.</summary>
    private (int Messages, int Bytes) Write(long through)
    {
        var (messages, bytes, written) = (0, 0, 0);
        while (written < FlushBytes && _pending.Reader.TryPeek(out var ack) && ack.Ticket <= through && _pending.Reader.TryRead(out ack))
        {
            written += PacketWriter.WriteAck(output, ack.Type, ack.PacketId, ack.Reason, ack.Text, PacketBytesMax);
            messages++;
            bytes += ack.Bytes;
        }
        return (messages, bytes);
    }
}
