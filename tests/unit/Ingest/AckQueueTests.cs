using System.Buffers;
using System.IO.Pipelines;
using Foretier.Agent.Hot;
using Foretier.Agent.Ingest.Mqtt;

namespace Foretier.Tests.Unit.Ingest;

public sealed class AckQueueTests : IDisposable
{
    private readonly Pipe _pipe = new();
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly AckQueue _acks;
    private readonly List<Action<Exception?>> _waiting = [];
    private long _durable;

    public AckQueueTests() => _acks = new(() => Volatile.Read(ref _durable), WhenDurable, _pipe.Writer, _gate, messagesMax: 4, bytesMax: 1000);

    public void Dispose() => _acks.Dispose();

    [Fact]
    public async Task Acknowledgements_go_out_in_packet_order_and_none_before_its_ticket()
    {
        _acks.Add(new(1, PacketWriter.PubAck, 7, 0, null, 10));
        _acks.Add(new(2, PacketWriter.PubAck, 3, 0, null, 10));
        _acks.Add(new(2, PacketWriter.PubAck, 9, 0, null, 10));
        _acks.Add(new(3, PacketWriter.PubAck, 1, 0, null, 10));
        Assert.False(_pipe.Reader.TryRead(out _));
        Commit(2);
        Assert.Equal([7, 3, 9], await ReadIdsAsync(3));
        Assert.False(_pipe.Reader.TryRead(out _));
        Commit(3);
        Assert.Equal([1], await ReadIdsAsync(1));
        _acks.Complete();
        await _acks.Drained;
    }

    [Fact]
    public async Task There_is_no_room_past_the_bound_until_acknowledgements_have_gone_out()
    {
        for (ushort id = 1; id <= 4; id++)
        {
            Assert.True(_acks.HasRoom);
            _acks.Add(new(1, PacketWriter.PubAck, id, 0, null, 10));
        }
        Assert.False(_acks.HasRoom);
        var room = _acks.WaitForRoomAsync(CancellationToken.None);
        Assert.False(room.IsCompleted);
        Commit(1);
        await room;
        Assert.True(_acks.HasRoom);
        _acks.Complete();
        await _acks.Drained;
    }

    [Fact]
    public void Bytes_bound_it_too()
    {
        _acks.Add(new(1, PacketWriter.PubAck, 1, 0, null, 1000));
        Assert.False(_acks.HasRoom);
    }

    [Fact]
    public async Task A_failed_journal_ends_it_without_an_acknowledgement()
    {
        _acks.Add(new(1, PacketWriter.PubAck, 1, 0, null, 10));
        Tell(new HotStoreUnavailableException("io_error", "the disk is gone"));
        await Assert.ThrowsAsync<HotStoreUnavailableException>(() => _acks.Drained);
        Assert.False(_pipe.Reader.TryRead(out _));
    }

    [Fact]
    public async Task A_reason_string_that_the_client_has_no_room_for_is_left_out()
    {
        _acks.PacketBytesMax = 20;
        _acks.Add(new(0, PacketWriter.PubAck, 5, 0x87, "a sentence of more than twenty bytes", 10));
        _acks.Complete();
        await _acks.Drained;
        var read = await _pipe.Reader.ReadAsync();
        Assert.Equal([0x40, 4, 0, 5, 0x87, 0], read.Buffer.ToArray());
    }

    private bool WhenDurable(long ticket, Action<Exception?> then)
    {
        if (_durable >= ticket)
        {
            return false;
        }
        _waiting.Add(then);
        return true;
    }

    private void Commit(long ticket)
    {
        Volatile.Write(ref _durable, ticket);
        Tell(null);
    }

    private void Tell(Exception? failure)
    {
        var told = _waiting.ToArray();
        _waiting.Clear();
        foreach (var then in told)
        {
            then(failure);
        }
    }

    private async Task<List<int>> ReadIdsAsync(int count)
    {
        var ids = new List<int>();
        while (ids.Count < count)
        {
            var read = await _pipe.Reader.ReadAsync();
            var bytes = read.Buffer.ToArray();
            for (var at = 0; at < bytes.Length; at += 4)
            {
                ids.Add((bytes[at + 2] << 8) | bytes[at + 3]);
            }
            _pipe.Reader.AdvanceTo(read.Buffer.End);
        }
        return ids;
    }
}
