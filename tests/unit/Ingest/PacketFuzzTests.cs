using System.Buffers;
using System.IO.Pipelines;
using CsCheck;
using Foretier.Agent.Ingest.Mqtt;
using Microsoft.AspNetCore.Connections;

namespace Foretier.Tests.Unit.Ingest;

public class PacketFuzzTests
{
    private const string Topic = "v1/acme/boiler-1/temperature";

    [Fact]
    public void A_header_reads_the_same_however_it_is_cut() => Gen.Int[0, 268_435_455].Sample(length =>
    {
        var packet = WireClient.Packet(0x32, [])[..1].Concat(Variable(length)).ToArray();
        for (var cut = 0; cut <= packet.Length; cut++)
        {
            var whole = Segments.Of(packet[..cut], packet[cut..]);
            Assert.True(PacketHeader.TryRead(whole, out var header));
            Assert.Equal(new PacketHeader(0x32, packet.Length, length), header);
            Assert.Equal(cut == packet.Length, PacketHeader.TryRead(new ReadOnlySequence<byte>(packet[..cut]), out _));
        }
    }, iter: 1_000);

    [Fact]
    public void A_length_of_five_bytes_is_malformed() => Assert.Throws<MalformedPacketException>(
        () => PacketHeader.TryRead(new ReadOnlySequence<byte>([0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]), out _));

    [Fact]
    public void No_bytes_whatever_make_the_publish_reader_throw_anything_but_malformed()
    {
        var random = new Random(20170309);
        var seeds = new[]
        {
            WireClient.Publish(Topic, "21.5")[2..],
            WireClient.Publish(Topic, "21.5", properties: [0x23, 0, 1, 0x26, 0, 1, (byte)'a', 0, 1, (byte)'b', 0x01, 1, 0x02, 0, 0, 0, 9])[2..],
        };
        var malformed = 0;
        for (var i = 0; i < 20_000; i++)
        {
            var body = Mutate(seeds[i % 2], random);
            try
            {
                var publish = PublishPacket.Read(random.Next(16), body, isV5: random.Next(2) == 0);
                Assert.True(publish.Topic.Length + publish.Payload.Length <= body.Length);
            }
            catch (MalformedPacketException)
            {
                malformed++;
            }
        }
        Assert.InRange(malformed, 1_000, 19_999);
    }

    [Fact]
    public async Task No_bytes_whatever_do_more_than_end_their_own_connection()
    {
        // Bytes that hit the secret are failed log-ins, which are not what this is about.
        await using var agent = await MqttFixture.StartAsync(o => o with { FailedLoginsBurst = 1_000 });
        var random = new Random(20170310);
        for (var i = 0; i < 500; i++)
        {
            var version = (byte)(i % 2 == 0 ? 4 : 5);
            byte[]? properties = version == 5 ? [] : null;
            var connect = WireClient.Connect(version, "fuzz", "acme/boiler-1", agent.Secret, 60);
            byte[][] rest =
            [
                WireClient.Publish(Topic, "21.5", id: 1, properties: properties),
                WireClient.Publish(Topic, "2", qos: 2, id: 2, properties: properties), WireClient.PubRel(2),
                WireClient.Packet(0x82, [0, 1, .. properties is null ? [] : "\0"u8, 0, 4, .. "v1/#"u8, 0]), WireClient.PingReq,
                WireClient.Packet(0xA2, [0, 1, .. properties is null ? [] : "\0"u8, 0, 4, .. "v1/#"u8]), [0xE0, 0],
            ];
            byte[] after = [.. rest.SelectMany(p => p)];
            await SendAsync(agent.Ingest, i % 5 == 0 ? Mutate([.. connect, .. after], random) : [.. connect, .. Mutate(after, random)], random);
        }
        Assert.Equal(0, agent.Ingest.Connections);
        using var client = await agent.ConnectAsync();
        await client.SendAsync(WireClient.Publish(Topic, "1", id: 7));
        Assert.Equal(7, (await client.ReceiveAsync(4)).Id);
    }

    /// <summary>Sends a stream in random pieces over a connection in memory, and waits for the server to be done with it.</summary>
    private static async Task SendAsync(MqttIngest ingest, byte[] stream, Random random)
    {
        var (toServer, toClient) = (new Pipe(), new Pipe());
        await using var connection = new DefaultConnectionContext(
            "fuzz", new Duplex(toServer.Reader, toClient.Writer), new Duplex(toClient.Reader, toServer.Writer));
        var served = ingest.OnConnectedAsync(connection);
        for (var at = 0; at < stream.Length;)
        {
            var length = Math.Min(stream.Length - at, random.Next(1, 64));
            await toServer.Writer.WriteAsync(stream.AsMemory(at, length));
            at += length;
        }
        await toServer.Writer.CompleteAsync();
        await served.WaitAsync(TimeSpan.FromSeconds(30));
    }

    private static byte[] Mutate(byte[] seed, Random random)
    {
        var bytes = (byte[])seed.Clone();
        for (var flips = random.Next(4); flips > 0; flips--)
        {
            bytes[random.Next(bytes.Length)] = random.Next(2) == 0 ? (byte)random.Next(256) : (byte)random.Next(4);
        }
        return random.Next(4) == 0 ? bytes[..random.Next(bytes.Length + 1)] : bytes;
    }

    private static byte[] Variable(int value)
    {
        var bytes = new List<byte>();
        do
        {
            bytes.Add((byte)((value & 0x7F) | (value > 127 ? 0x80 : 0)));
            value >>= 7;
        }
        while (value > 0);
        return [.. bytes];
    }

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    private sealed class Segments : ReadOnlySequenceSegment<byte>
    {
        public static ReadOnlySequence<byte> Of(byte[] first, byte[] second)
        {
            var tail = new Segments { Memory = second, RunningIndex = first.Length };
            var head = new Segments { Memory = first, Next = tail };
            return new(head, 0, tail, second.Length);
        }
    }
}
