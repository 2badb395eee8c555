using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Foretier.Tests.Benchmarks.Ingest;

/// <summary>MQTT 3.1.1 byte by byte, for what a client library would not do.</summary>
internal sealed class RawClient : IDisposable
{
    public const int ConnAck = 2, Publish = 3, PubAck = 4, PubRec = 5, SubAck = 9, PingResp = 13;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly Stream _stream;

    private RawClient(int port)
    {
        _socket.Connect(IPAddress.Loopback, port);
        _stream = new BufferedStream(new NetworkStream(_socket), 64 * 1024);
    }

    /// <summary>Connected, and nothing said yet.</summary>
    public static RawClient Open(Broker broker) => new(broker.Port);

    public static async Task<RawClient> LogInAsync(Broker broker, string clientId)
    {
        var client = Open(broker);
        await client.SendAsync(Packet(0x10, [.. Utf8("MQTT"), 4, 0xC2, 0, 0, .. Utf8(clientId), .. Utf8(broker.User!), .. Utf8(broker.Secret!)]));
        var answer = await client.ReceiveAsync(ConnAck);
        return answer[1] == 0 ? client : throw new IOException($"the log-in of {clientId} was refused, code {answer[1]}");
    }

    public async Task SubscribeAsync(string filter)
    {
        await SendAsync(Packet(0x82, [0, 1, .. Utf8(filter), 0]));
        await ReceiveAsync(SubAck);
    }

    public async Task PingAsync()
    {
        await SendAsync([0xC0, 0]);
        await ReceiveAsync(PingResp);
    }

    public static byte[] Message(string topic, byte[] payload, int qos, int id) =>
        Packet((byte)(0x30 | qos << 1), [.. Utf8(topic), (byte)(id >> 8), (byte)id, .. payload]);

    public async Task SendAsync(byte[] bytes)
    {
        for (var sent = 0; sent < bytes.Length;)
        {
            sent += await _socket.SendAsync(bytes.AsMemory(sent));
        }
    }

    /// <summary>The body of the next packet, which is of this type; of any where that is 0. Null where the server has closed.</summary>
    public async Task<byte[]?> TryReceiveAsync(int type)
    {
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            var one = new byte[1];
            await _stream.ReadExactlyAsync(one, patience.Token);
            var got = one[0] >> 4;
            var (length, shift) = (0, 0);
            do
            {
                await _stream.ReadExactlyAsync(one, patience.Token);
                length |= (one[0] & 0x7F) << shift;
                shift += 7;
            }
            while (one[0] > 127);
            var body = new byte[length];
            await _stream.ReadExactlyAsync(body, patience.Token);
            return type == 0 || got == type ? body : throw new InvalidDataException($"packet type {got} came where {type} was to come");
        }
        catch (IOException)
        {
            return null;
        }
    }

    public async Task<byte[]> ReceiveAsync(int type) => await TryReceiveAsync(type) ?? throw new IOException("the server closed the connection");

    public void Dispose() => _stream.Dispose();

    private static byte[] Packet(byte first, byte[] body)
    {
        var packet = new List<byte> { first };
        for (var left = body.Length; ; left >>= 7)
        {
            packet.Add((byte)(left > 127 ? left & 127 | 128 : left));
            if (left <= 127)
            {
                return [.. packet, .. body];
            }
        }
    }

    private static byte[] Utf8(string text) => [(byte)(text.Length >> 8), (byte)text.Length, .. Encoding.UTF8.GetBytes(text)];
}
