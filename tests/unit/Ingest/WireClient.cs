using System.Net.Sockets;
using System.Text;

namespace Foretier.Tests.Unit.Ingest;

/// <summary>A packet as it came.</summary>
internal readonly record struct WirePacket(byte First, byte[] Body)
{
    public int Type => First >> 4;

    /// <summary>Of PUBACK, PUBREC, PUBCOMP.</summary>
    public int Id => (Body[0] << 8) | Body[1];

    public string Text => Encoding.UTF8.GetString(Body);
}

/// <summary>MQTT byte by byte over a socket, for what a client library would not do.</summary>
internal sealed class WireClient : IDisposable
{
    // Fails a test that would hang; nothing waits for it otherwise.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly TcpClient _tcp = new();

    public WirePacket ConnAck { get; private set; }

    public static async Task<WireClient> OpenAsync(int port)
    {
        var client = new WireClient();
        await client._tcp.ConnectAsync("127.0.0.1", port);
        client._tcp.NoDelay = true;
        return client;
    }

    public static async Task<WireClient> ConnectAsync(int port, byte version, string clientId, string? user, string? secret, ushort keepAlive = 0)
    {
        var client = await OpenAsync(port);
        await client.SendAsync(Connect(version, clientId, user, secret, keepAlive));
        await client.ReceiveConnAckAsync();
        return client;
    }

    public async Task ReceiveConnAckAsync() => ConnAck = await ReceiveAsync() ?? throw new IOException("closed instead of a CONNACK");

    /// <param name="clean">False: for MQTT 5 with a session expiry of an hour.</param>
    public static byte[] Connect(byte version, string clientId, string? user, string? secret, ushort keepAlive = 0, bool clean = true)
    {
        var flags = (byte)((clean ? 2 : 0) | (user is null ? 0 : 0x80) | (secret is null ? 0 : 0x40));
        return Packet(0x10, [
            .. Utf8("MQTT"), version, flags, (byte)(keepAlive >> 8), (byte)keepAlive,
            .. version != 5 ? Array.Empty<byte>() : clean ? [0] : [5, 0x11, 0, 0, 0x0E, 0x10],
            .. Utf8(clientId), .. user is null ? [] : Utf8(user), .. secret is null ? [] : Utf8(secret)]);
    }

    /// <param name="properties">MQTT 5: the properties, without their length.</param>
    public static byte[] Publish(string topic, string payload, int qos = 1, ushort id = 1, bool dup = false, byte[]? properties = null) =>
        Packet((byte)(0x30 | (qos << 1) | (dup ? 8 : 0)), [
            .. Utf8(topic), .. qos > 0 ? [(byte)(id >> 8), (byte)id] : Array.Empty<byte>(),
            .. properties is null ? [] : (byte[])[(byte)properties.Length, .. properties], .. Encoding.UTF8.GetBytes(payload)]);

    public static byte[] PubRel(ushort id) => [0x62, 2, (byte)(id >> 8), (byte)id];

    /// <param name="options">As in MQTT 5 §3.8.3.1; 0 for 3.1.1.</param>
    public static byte[] Subscribe(byte version, ushort id, byte options, params string[] filters) =>
        Packet(0x82, [(byte)(id >> 8), (byte)id, .. version == 5 ? [0] : Array.Empty<byte>(), .. filters.SelectMany(f => (byte[])[.. Utf8(f), options])]);

    /// <summary>MQTT 5, with a session expiry of so many seconds.</summary>
    public static byte[] Disconnect(uint expiry) =>
        Packet(0xE0, [0, 5, 0x11, (byte)(expiry >> 24), (byte)(expiry >> 16), (byte)(expiry >> 8), (byte)expiry]);

    public static byte[] PingReq => [0xC0, 0];

    public static byte[] Packet(byte first, byte[] body)
    {
        var packet = new List<byte> { first };
        var length = body.Length;
        do
        {
            packet.Add((byte)((length & 0x7F) | (length > 127 ? 0x80 : 0)));
            length >>= 7;
        }
        while (length > 0);
        return [.. packet, .. body];
    }

    public async Task SendAsync(params byte[][] packets) => await _tcp.GetStream().WriteAsync(packets.SelectMany(p => p).ToArray());

    /// <summary>The next packet; null where the server has closed.</summary>
    public async Task<WirePacket?> ReceiveAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            var stream = _tcp.GetStream();
            var one = new byte[1];
            await stream.ReadExactlyAsync(one, patience.Token);
            var first = one[0];
            var (length, shift) = (0, 0);
            do
            {
                await stream.ReadExactlyAsync(one, patience.Token);
                length |= (one[0] & 0x7F) << shift;
                shift += 7;
            }
            while (one[0] > 127);
            var body = new byte[length];
            await stream.ReadExactlyAsync(body, patience.Token);
            return new(first, body);
        }
        catch (Exception closed) when (closed is IOException or EndOfStreamException)
        {
            return null;
        }
    }

    public async Task<WirePacket> ReceiveAsync(int type)
    {
        var packet = await ReceiveAsync();
        Assert.NotNull(packet);
        Assert.Equal(type, packet.Value.Type);
        return packet.Value;
    }

    public void Dispose() => _tcp.Dispose();

    private static byte[] Utf8(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        return [(byte)(bytes.Length >> 8), (byte)bytes.Length, .. bytes];
    }
}
