using System.Collections;
using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Foretier.Agent.Hot;
using Foretier.Agent.Ingest.Foreign;
using Foretier.Agent.Ingest.Identity;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using MQTTnet;
using MQTTnet.Diagnostics.Logger;
using MQTTnet.Adapter;
using MQTTnet.Protocol;
using MQTTnet.Server;

namespace Foretier.Agent.Ingest.Mqtt;

/// <summary>
/// The MQTT face of the agent. Connections come from Kestrel (<see cref="MqttEndpoints.Listen"/>), samples go to the hot store, and a
/// PUBACK goes out after they are durable. MQTTnet keeps CONNECT and wills, and reads and writes all packets but PUBLISH and its acknowledgements.
/// </summary>
/// <remarks>
/// A subscription is a live view of what arrives, with QoS 0: nothing is queued for a client that is away. A session outlives its connection
/// where the client asks for that: it has the client's subscriptions and, for QoS 2, what was taken and not released, in the journal, so that
/// a message sent again after a reconnect or a crash is not stored twice. Retained messages are in memory only.
/// </remarks>
public sealed class MqttIngest : IAsyncDisposable
{
    private const string ChannelItem = "foretier.channel";
    private const int RefusedConnectionsMax = 16;

    private static readonly TimeSpan Sweep = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan SamePause = TimeSpan.FromSeconds(10);

    private readonly MqttOptions _options;
    private readonly HotStore _store;
    private readonly DeviceRegistry _devices;
    private readonly ILogger _log;
    private readonly Quarantine _quarantine;
    private readonly Intake _intake;
    private readonly LogIns _logIns;
    private readonly ConnectThrottle _connects;
    private readonly ConcurrentDictionary<long, MqttChannel> _channels = new();
    private readonly ConcurrentDictionary<(string User, string ClientId), MqttChannel> _clients = new();
    private readonly Adapter _adapter = new();
    private readonly MqttServer _server;
    private readonly Func<X509Certificate2, DeviceName?> _identify;
    private readonly int _connectionsMax;
    private readonly long _start;
    private readonly Rarely _sayJournalFailed;
    private readonly Rarely _sayNoRoom;
    private readonly Rarely _sayThrottled;
    private readonly Rarely _sayNotRetained;
    private ITimer? _sweeper;
    private long _numbers;
    private long _sweeps;
    private long _refusedForRoom;
    private long _deliveriesDropped;
    private bool _stopping;

    /// <param name="clock">The node's clock: arrival times, and what times are judged by.</param>
    /// <param name="wire">
    /// Clock of the time-outs of connections. Real time, also where the node's clock is scaled: the other ends keep real time.
    /// </param>
    /// <param name="identify">
    /// Whom a client certificate stands for at this moment; null where it stands for nobody. The default knows none. To be thread-safe.
    /// </param>
    /// <param name="ingest">What all ways in share.</param>
    /// <param name="stamps">Where samples are marked that a clock stamps which is not trusted.</param>
    /// <exception cref="ArgumentException">An option is impossible; the message names it.</exception>
    public MqttIngest(
        MqttOptions options, HotStore store, DeviceRegistry devices, TimeProvider clock, ILogger<MqttIngest> log, TimeProvider? wire = null,
        Func<X509Certificate2, DeviceName?>? identify = null, IngestOptions? ingest = null, StampBook? stamps = null)
    {
        _options = options.Validated();
        _identify = identify ?? (_ => null);
        _connectionsMax = FileLimit.ConnectionsWithin(options.ConnectionsMax, FilesMax);
        if (_connectionsMax < options.ConnectionsMax)
        {
            log.LogWarning("Mqtt:ConnectionsMax is {Wanted}, but this process may not open so many files: {Possible} connections are taken. "
                + "Raise the limit (ulimit -n, or LimitNOFILE= of its service)", options.ConnectionsMax, _connectionsMax);
        }
        _store = store;
        _devices = devices;
        _log = log;
        Wire = wire ?? TimeProvider.System;
        _quarantine = new(options.QuarantineFile, options.QuarantineBytesMax, Wire, log);
        _intake = new(store, devices, new(store, _quarantine, clock, Wire, log), new(), clock)
        {
            Options = (ingest ?? new()).Validated(),
            Command = Send,
            Stamps = stamps,
        };
        Retained = new(options.RetainedMax, options.RetainedBytesMax);
        _start = clock.GetUtcNow().ToUnixTimeMilliseconds();
        _logIns = new(devices, new(options.FailedLoginsBurst, options.FailedLoginRefill, Wire));
        _connects = new(options.ConnectsBurst, options.ConnectsRefill, Wire);
        (_sayJournalFailed, _sayNoRoom) = (new(SamePause, Wire), new(SamePause, Wire));
        (_sayThrottled, _sayNotRetained) = (new(SamePause, Wire), new(SamePause, Wire));
        _server = new(new MqttServerOptions
        {
            DefaultCommunicationTimeout = options.ConnectTimeout,
            EnablePersistentSessions = false,
            // The monitor has nothing to do (MqttChannel sees to silence), and need not wake a thread twice a second for it.
            KeepAliveOptions = { MonitorInterval = TimeSpan.FromMinutes(1) },
        }, [_adapter], new MqttLog(log));
        _server.ValidatingConnectionAsync += LogInAsync;
        _server.InterceptingPublishAsync += TakeWillAsync;
    }

    /// <summary>Connections now.</summary>
    public int Connections => _channels.Count;

    /// <summary>Deliveries that subscribers were too slow for, since the start.</summary>
    public long DroppedDeliveries => Interlocked.Read(ref _deliveriesDropped);

    /// <summary>Connections dropped because their address opened too many in a short time, since the start.</summary>
    public long ThrottledConnections => _connects.Refused;

    /// <summary>Connections refused because all that this server takes were there, since the start.</summary>
    public long RefusedConnections => Interlocked.Read(ref _refusedForRoom);

    /// <summary>Retained messages that are kept, and those that were not for want of room since the start.</summary>
    public (int Kept, long Refused) RetainedCounts => (Retained.Count, Retained.Refused);

    internal TimeProvider Wire { get; }
    internal SubscriptionTable Subscriptions { get; } = new();
    internal RetainedMessages Retained { get; }

    /// <summary>Bytes waiting for subscribers.</summary>
    internal long PendingBytes => _channels.Values.Sum(channel => channel.PendingBytes);

    /// <summary>Shared with the other ways in.</summary>
    internal Intake Intake => _intake;

    internal LogIns LogIns => _logIns;

    /// <summary>To be called before Kestrel starts.</summary>
    public async Task StartAsync()
    {
        await _server.StartAsync();
        _devices.SecretChanged += CredentialsChanged;
        _sweeper = Wire.CreateTimer(_ => SweepConnections(), null, Sweep, Sweep);
    }

    /// <summary>
    /// Ends all connections (acknowledging what is durable within seconds) and writes the devices down. The hot store must still be open.
    /// </summary>
    public async Task StopAsync()
    {
        if (Interlocked.Exchange(ref _stopping, true))
        {
            return;
        }
        _devices.SecretChanged -= CredentialsChanged;
        if (_sweeper is not null)
        {
            await _sweeper.DisposeAsync();
        }
        foreach (var channel in _channels.Values)
        {
            channel.Close(MqttDisconnectReasonCode.ServerShuttingDown, "the server is stopping");
        }
        using var limit = new CancellationTokenSource(StopLimit);
        foreach (var channel in _channels.Values)
        {
            await channel.Finished.WaitAsync(limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        await _server.StopAsync(new MqttServerStopOptions());
        await _quarantine.DisposeAsync();
        SaveDevices();
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _server.Dispose();
        _logIns.Dispose();
    }

    /// <summary>
    /// Ends the live connections of a device, or of a concentrator, at once: its secret or certificate was replaced or revoked. What they
    /// published is acknowledged if it becomes durable; nothing more is taken from them, also not their will.
    /// </summary>
    public void Disconnect(DeviceName name)
    {
        foreach (var channel in _channels.Values.Where(c => c.Sender?.Name == name))
        {
            channel.Close(MqttDisconnectReasonCode.NotAuthorized, "a secret, certificate or right of this device was changed or revoked");
        }
    }

    private void CredentialsChanged(DeviceName name)
    {
        Disconnect(name);
        EndSessionsOfGone(name);
    }

    /// <summary>Who was revoked or removed finds nothing of its sessions if it is let in again: neither subscriptions nor packet ids.</summary>
    private void EndSessionsOfGone(DeviceName name)
    {
        if (_devices.Find(name) is null or { IsRevoked: true })
        {
            var prefix = MqttChannel.SessionPrefix(name);
            _store.EndSessions(client => client.StartsWith(prefix, StringComparison.Ordinal));
        }
    }

    /// <summary>Files that this process may have open; null where the system tells of no limit.</summary>
    internal int? FilesMax => FileLimit.Of(_options.FilesMax, FileLimit.OfProcess());

    /// <summary>False where the address has opened too many: the connection is dropped without a word, as words are what a flood wants.</summary>
    internal bool Admits(ConnectionContext connection)
    {
        if (connection.RemoteEndPoint is not IPEndPoint { Address: var from } || Admits(from))
        {
            return true;
        }
        connection.Abort(new ConnectionAbortedException("too many connections from this address in a short time"));
        return false;
    }

    /// <summary>The same of a connection that was made already: a WebSocket of the HTTP address.</summary>
    internal bool Admits(IPAddress from)
    {
        if (_connects.Allows(from))
        {
            return true;
        }
        if (_sayThrottled.IsDue())
        {
            _log.LogWarning("Connections from {Address} are dropped: it opened {Burst} and more in a short time (Mqtt:ConnectsBurst, Mqtt:ConnectsRefill); {Count} dropped since the start",
                from, _options.ConnectsBurst, _connects.Refused);
        }
        return false;
    }

    /// <summary>Serves one connection until its end.</summary>
    public async Task OnConnectedAsync(ConnectionContext connection)
    {
        // Some more are heard, to be told at their log-in that there is no room; the rest of a flood is dropped.
        if (_stopping || _channels.Count >= _connectionsMax + RefusedConnectionsMax || _adapter.ClientHandler is not { } handler)
        {
            connection.Abort(new ConnectionAbortedException("this server takes no more connections"));
            return;
        }
        using var channel = new MqttChannel(connection, this, _options, _store, Interlocked.Increment(ref _numbers));
        _channels[channel.Number] = channel;
        using var leaving = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested
            .Register(() => channel.Close(MqttDisconnectReasonCode.ServerShuttingDown, "the server is stopping"));
        try
        {
            await handler(channel);
        }
        catch (Exception failure)
        {
            _log.LogError(failure, "The connection of {Sender} from {Remote} failed", channel.Sender?.Name, channel.RemoteEndPoint);
        }
        finally
        {
            channel.DropSubscriptions();
            if (channel.Sender is { } sender)
            {
                _clients.TryRemove(new((sender.Name.ToString(), channel.ClientId), channel));
            }
            channel.CloseSession();
            if (channel is { CloseReason: MqttDisconnectReasonCode.NotAuthorized, Sender: { } ended })
            {
                // It may have opened its session just after those of its device were ended.
                EndSessionsOfGone(ended.Name);
            }
            await channel.FinishAsync();
            _channels.TryRemove(channel.Number, out _);
            channel.SetFinished();
        }
    }

    /// <summary>Hands an accepted message to who listens to it, and keeps it for who will, where it is retained.</summary>
    internal void Deliver(MqttChannel? from, DeviceName device, ReadOnlySpan<byte> topic, ReadOnlySpan<byte> payload, bool isRetained)
    {
        if (isRetained && !Retained.Put(device, topic, payload) && _sayNotRetained.IsDue())
        {
            _log.LogWarning("A retained message was delivered but not kept: {Count} are kept, in {Bytes} bytes (Mqtt:RetainedMax, Mqtt:RetainedBytesMax)",
                Retained.Count, Retained.Bytes);
        }
        Subscriptions.Deliver(from, device, topic, payload, isRetained);
    }

    /// <summary>Publishes a message of the agent's own.</summary>
    private void Send(string topic, byte[] payload)
    {
        var text = Encoding.UTF8.GetBytes(topic);
        if (ForeignTopic.TryParse(text, _intake.Options, out var foreign, out _) && foreign is not null)
        {
            Subscriptions.Deliver(null, foreign.Device, text, payload, isRetained: false);
        }
    }

    internal void DeliveriesDropped(int count) => Interlocked.Add(ref _deliveriesDropped, count);

    /// <summary>Logs a failure of the journal, which every connection meets at once, one time in ten seconds.</summary>
    internal void JournalFailed(HotStoreUnavailableException failure)
    {
        if (_sayJournalFailed.IsDue())
        {
            _log.LogError("Messages are not acknowledged and connections closed: {Reason}: {Message}", failure.Reason, failure.Message);
        }
    }

    private async Task LogInAsync(ValidatingConnectionEventArgs args)
    {
        var channel = (MqttChannel)args.ChannelAdapter;
        if (_channels.Count > _connectionsMax)
        {
            Interlocked.Increment(ref _refusedForRoom);
            if (_sayNoRoom.IsDue())
            {
                _log.LogWarning("Connections are refused: this server takes {Most} at a time (Mqtt:ConnectionsMax)", _connectionsMax);
            }
            args.ReasonCode = channel.IsV5 ? MqttConnectReasonCode.ServerBusy : MqttConnectReasonCode.ServerUnavailable;
            args.ReasonString = $"this server takes {_connectionsMax} connections at a time";
            return;
        }
        if (!TryCertificate(channel, args, out var name))
        {
            return;
        }
        if (name is null && !await TrySecretAsync(channel, args))
        {
            return;
        }
        args.SessionItems[ChannelItem] = channel;
        if (channel.ClientId.Length == 0)
        {
            // Not to be given to another client after a restart: the session would be.
            args.AssignedClientIdentifier = channel.ClientId = $"auto-{_start:x}-{channel.Number}";
        }
        MqttChannel? older = null;
        _clients.AddOrUpdate((channel.Sender!.Name.ToString(), channel.ClientId), channel, (_, known) =>
        {
            older = known;
            return channel;
        });
        try
        {
            if (older is not null)
            {
                // What it has still in hand comes before anything of its successor.
                older.Close(MqttDisconnectReasonCode.SessionTakenOver, null);
                await older.Finished.WaitAsync(args.CancellationToken);
            }
            await channel.OpenSessionAsync(args.CancellationToken);
        }
        catch (HotStoreUnavailableException failure)
        {
            JournalFailed(failure);
            args.ReasonCode = channel.IsV5 ? MqttConnectReasonCode.ServerBusy : MqttConnectReasonCode.ServerUnavailable;
            args.ReasonString = failure.Message;
        }
    }

    /// <summary>
    /// Whom the client's certificate stands for, where it has one that is known; a user name, where one is given, must be the same, else it
    /// is that one's secret which counts. False where the connection is refused.
    /// </summary>
    private bool TryCertificate(MqttChannel channel, ValidatingConnectionEventArgs args, out DeviceName? name)
    {
        name = channel.ClientCertificate is { } certificate ? _identify(certificate) : null;
        if (name is not null && (string.IsNullOrEmpty(args.UserName) || args.UserName == name.ToString()))
        {
            channel.Sender = new(name, _intake);
            // Revoked while we looked: its connections were closed just before this one could be seen.
            if (name == _identify(channel.ClientCertificate!))
            {
                return true;
            }
        }
        else if (!channel.IsSecureConnection || _options.Tls?.ClientCertificates != ClientCertificates.Required)
        {
            name = null;
            return true;
        }
        _log.LogInformation("Refused the log-in of {User} from {Remote}: its certificate is not known", Shown(args.UserName), channel.RemoteEndPoint);
        args.ReasonCode = channel.IsV5 ? MqttConnectReasonCode.NotAuthorized : MqttConnectReasonCode.BadUserNameOrPassword;
        args.ReasonString = "a client certificate is needed that this server knows, and the user name of its device or none";
        return false;
    }

    private async Task<bool> TrySecretAsync(MqttChannel channel, ValidatingConnectionEventArgs args)
    {
        var (admitted, isThrottled) = await _logIns.TryAsync(channel.RemoteAddress, args.UserName, args.RawPassword, args.CancellationToken);
        if (isThrottled)
        {
            args.ReasonCode = channel.IsV5 ? MqttConnectReasonCode.ConnectionRateExceeded : MqttConnectReasonCode.ServerUnavailable;
            args.ReasonString = "too many failed log-ins from this address: wait, then check user name and secret";
            return false;
        }
        if (admitted is null)
        {
            _log.LogInformation("Refused the log-in of {User} from {Remote}", Shown(args.UserName), channel.RemoteEndPoint);
            args.ReasonCode = MqttConnectReasonCode.BadUserNameOrPassword;
            args.ReasonString = "user name account/device (or account/*) and its secret are needed, and do not match";
            return false;
        }
        var name = admitted.Name;
        channel.Sender = new(name, _intake, admitted.Rights);
        if (!_devices.IsCurrent(admitted))
        {
            // Changed while we looked: its connections were closed just before this one could be seen.
            args.ReasonCode = MqttConnectReasonCode.BadUserNameOrPassword;
            return false;
        }
        return true;
    }

    /// <summary>A will comes from MQTTnet, past the channel, and obeys the same rules: its sender's topics, a good payload, the journal.</summary>
    private async Task TakeWillAsync(InterceptingPublishEventArgs args)
    {
        args.ProcessPublish = false;
        if (ChannelOf(args.SessionItems) is not { Sender: { } sender } channel || channel.CloseReason == MqttDisconnectReasonCode.NotAuthorized)
        {
            return;
        }
        try
        {
            // The reader has ended, so the sender is ours alone.
            var topic = Encoding.UTF8.GetBytes(args.ApplicationMessage.Topic);
            var payload = System.Buffers.BuffersExtensions.ToArray(args.ApplicationMessage.Payload);
            var verdict = sender.Publish(topic, payload);
            await _store.WaitDurableAsync(verdict.Ticket, args.CancellationToken);
            if (verdict.Device is not null)
            {
                Deliver(channel, verdict.Device, topic, payload, args.ApplicationMessage.Retain);
            }
        }
        catch (HotStoreUnavailableException failure)
        {
            JournalFailed(failure);
        }
    }

    private void SweepConnections()
    {
        foreach (var (_, channel) in _channels)
        {
            channel.CheckSilence();
        }
        if (++_sweeps % 60 == 0)
        {
            _store.ExpireSessions();
            SaveDevices();
        }
    }

    private void SaveDevices()
    {
        try
        {
            _devices.Save();
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            _log.LogWarning("The devices could not be written down: {Reason}", failure.Message);
        }
    }

    private static MqttChannel? ChannelOf(IDictionary items) => items[ChannelItem] as MqttChannel;

    private static string Shown(string? user) => user is null ? "nobody" : Excerpt.Of(Encoding.UTF8.GetBytes(user), 100);

    /// <summary>The door through which MQTTnet is given the connections that Kestrel accepted.</summary>
    private sealed class Adapter : IMqttServerAdapter
    {
        public Func<IMqttChannelAdapter, Task>? ClientHandler { get; set; }

        public Task StartAsync(MqttServerOptions options, IMqttNetLogger logger) => Task.CompletedTask;

        public Task StopAsync() => Task.CompletedTask;

        public void Dispose()
        {
        }
    }
}
