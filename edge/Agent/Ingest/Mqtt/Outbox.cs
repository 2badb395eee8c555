using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;

namespace Foretier.Agent.Ingest.Mqtt;

/// <summary>
/// What one subscriber has still to be sent, bounded in messages and bytes: past that the oldest is dropped and counted, so that a slow
/// reader holds little memory and nobody waits for it. Thread-safe.
/// </summary>
/// <param name="gate">Held while writing: other packets go to the same output.</param>
internal sealed class Outbox(PipeWriter output, SemaphoreSlim gate, int messagesMax, int bytesMax)
{
    private const int FlushBytes = 16 * 1024;

    private readonly Lock _lock = new();
    private readonly Queue<byte[]> _queue = new();
    private long _bytes;
    private bool _isRunning;
    private bool _isClosed;

    /// <summary>Bytes waiting.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <returns>How many messages were dropped for it.</returns>
    public int Add(byte[] packet)
    {
        var dropped = 0;
        lock (_lock)
        {
            if (_isClosed)
            {
                return 0;
            }
            while (_queue.Count > 0 && (_queue.Count >= messagesMax || _bytes + packet.Length > bytesMax))
            {
                _bytes -= _queue.Dequeue().Length;
                dropped++;
            }
            _queue.Enqueue(packet);
            _bytes += packet.Length;
            if (_isRunning)
            {
                return dropped;
            }
            _isRunning = true;
        }
        _ = SendAsync();
        return dropped;
    }

    /// <summary>What waits is dropped: the connection is over.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _isClosed = true;
            _queue.Clear();
            _bytes = 0;
        }
    }

    private async Task SendAsync()
    {
        try
        {
            while (true)
            {
                await gate.WaitAsync();
                try
                {
                    for (var written = 0; written < FlushBytes;)
                    {
                        byte[]? packet;
                        lock (_lock)
                        {
                            if (!_queue.TryDequeue(out packet))
                            {
                                if (written > 0)
                                {
                                    break;
                                }
                                _isRunning = false;
                                return;
                            }
                            _bytes -= packet.Length;
                        }
                        output.Write(packet);
                        written += packet.Length;
                    }
                    await output.FlushAsync();
                }
                finally
                {
                    gate.Release();
                }
            }
        }
        catch (Exception gone) when (gone is IOException or InvalidOperationException or ConnectionAbortedException or OperationCanceledException)
        {
            Close();
        }
    }
}
