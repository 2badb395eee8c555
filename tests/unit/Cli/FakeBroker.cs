using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Foretier.Tests.Unit.Cli;

/// <summary>
/// A broker as far as a publisher at QoS 1 sees one: CONNACK, PUBACK in order, and a connection that breaks after so many messages,
/// the last of them taken but not acknowledged, as when a broker is killed.
/// </summary>
internal sealed class FakeBroker : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _run;

    public FakeBroker()
    {
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _run = RunAsync();
    }

    public int Port { get; }
    public List<(string Topic, string Payload)> Acknowledged { get; } = [];
    public List<(string Topic, string Payload)> Received { get; } = [];
    public int Connections { get; private set; }
    public int UnacknowledgedMax { get; private set; }

    /// <summary>CONNACK reason.</summary>
    public byte ConnectReason { get; set; }

    /// <summary>0 = none is told.</summary>
    public ushort ReceiveMaximum { get; set; }

    /// <summary>Breaks each connection after so many messages, all but these acknowledged; 0 = never.</summary>
    public int BreakAfter { get; set; }
    public int LeftUnacknowledged { get; set; } = 1;

    /// <summary>Reason and text for a message; null = success.</summary>
    public Func<string, (byte Reason, string Text)?> Judge { get; set; } = _ => null;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _run;
    }

    private async Task RunAsync()
    {
        try
        {
            while (!_stop.IsCancellationRequested)
            {
                using var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                Connections++;
                try
                {
                    await ServeAsync(client.GetStream());
                }
                catch (Exception e) when (e is IOException or EndOfStreamException)
                {
                    // The publisher left.
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException
            || (e is InvalidOperationException && _stop.IsCancellationRequested))
        {
            // Disposed; a listener that was stopped between two clients says InvalidOperation.
        }
    }

    private async Task ServeAsync(NetworkStream stream)
    {
        var taken = 0;
        while (true)
        {
            var (type, body) = await ReadAsync(stream);
            if (type == 0x10)
            {
                byte[] properties = ReceiveMaximum > 0 ? [3, 0x21, (byte)(ReceiveMaximum >> 8), (byte)ReceiveMaximum] : [0];
                await stream.WriteAsync((byte[])[0x20, (byte)(2 + properties.Length), 0, ConnectReason, .. properties], _stop.Token);
                if (ConnectReason >= 0x80)
                {
                    return;
                }
            }
            else if (type == 0x30)
            {
                // Everything that is there already is in flight together.
                var batch = new List<byte[]> { body };
                while (stream.DataAvailable)
                {
                    var (more, next) = await ReadAsync(stream);
                    if (more == 0x30)
                    {
                        batch.Add(next);
                    }
                }
                UnacknowledgedMax = Math.Max(UnacknowledgedMax, batch.Count);
                foreach (var publish in batch)
                {
                    taken++;
                    var length = BinaryPrimitives.ReadUInt16BigEndian(publish);
                    var topic = Encoding.UTF8.GetString(publish, 2, length);
                    var payload = Encoding.UTF8.GetString(publish.AsSpan(length + 5));
                    Received.Add((topic, payload));
                    if (BreakAfter > 0 && taken > BreakAfter - LeftUnacknowledged)
                    {
                        if (taken == BreakAfter)
                        {
                            return;
                        }
                        continue;
                    }
                    byte[] ack = [publish[2 + length], publish[3 + length]];
                    if (Judge(payload) is { } refusal)
                    {
                        var text = Encoding.UTF8.GetBytes(refusal.Text);
                        ack = [.. ack, refusal.Reason, (byte)(3 + text.Length), 0x1F, 0, (byte)text.Length, .. text];
                    }
                    else
                    {
                        Acknowledged.Add((topic, payload));
                    }
                    await stream.WriteAsync((byte[])[0x40, (byte)ack.Length, .. ack], _stop.Token);
                }
            }
            else if (type == 0xE0)
            {
                return;
            }
        }
    }

    private async Task<(byte Type, byte[] Body)> ReadAsync(NetworkStream stream)
    {
        var one = new byte[1];
        await stream.ReadExactlyAsync(one, _stop.Token);
        var type = (byte)(one[0] & 0xF0);
        var length = 0;
        for (var shift = 0; ; shift += 7)
        {
            await stream.ReadExactlyAsync(one, _stop.Token);
            length |= (one[0] & 0x7F) << shift;
            if (one[0] < 0x80)
            {
                break;
            }
        }
        var body = new byte[length];
        await stream.ReadExactlyAsync(body, _stop.Token);
        return (type, body);
    }
}
