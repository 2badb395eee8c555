using System.Net;

namespace Foretier.Agent.Ingest.Mqtt;

/// <summary>How devices reach the agent by MQTT, and what one connection may cost.</summary>
public sealed record MqttOptions
{
    /// <summary>Address of the plain port. Anything but loopback must be opted in by <see cref="PlainBeyondLoopback"/>. Default 127.0.0.1.</summary>
    public string Address { get; init; } = "127.0.0.1";

    /// <summary>TCP port without TLS; 0 = any free one, -1 = none. Default 1883.</summary>
    public int Port { get; init; } = 1883;

    /// <summary>Lets the plain port, over which secrets travel readable, listen on other addresses than loopback.</summary>
    public bool PlainBeyondLoopback { get; init; }

    /// <summary>The TLS port; null = none.</summary>
    public MqttTlsOptions? Tls { get; init; }

    /// <summary>
    /// Port for MQTT over WebSockets (at /mqtt) and nothing else: with TLS, on the address of <see cref="Tls"/>, where that is set, else plain
    /// on <see cref="Address"/>. 0 = any free one, -1 = none, the default. The agent's HTTP address serves /mqtt anyway.
    /// </summary>
    public int WebSocketPort { get; init; } = -1;

    /// <summary>Where refused messages are kept, a file of JSON lines.</summary>
    public required string QuarantineFile { get; init; }

    /// <summary>Bytes of quarantine file and its predecessor together. Default 1 MB.</summary>
    public int QuarantineBytesMax { get; init; } = 1024 * 1024;

    /// <summary>Connections at a time; fewer where the process may not open so many files. Default 10,000.</summary>
    public int ConnectionsMax { get; init; } = 10_000;

    /// <summary>New connections that one remote address has free (loopback: all). Default 2,000: a site behind one address comes back at once.</summary>
    public int ConnectsBurst { get; init; } = 2_000;

    /// <summary>Time after which an address has another one. Default 10 ms.</summary>
    public TimeSpan ConnectsRefill { get; init; } = TimeSpan.FromMilliseconds(10);

    /// <summary>Largest packet once connected, judged by its header. Default 256 KB.</summary>
    public int PacketBytesMax { get; init; } = 256 * 1024;

    /// <summary>Largest CONNECT packet. Default 4 KB.</summary>
    public int ConnectBytesMax { get; init; } = 4 * 1024;

    /// <summary>How long a new connection may take until its CONNECT is complete. Default 5 s.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Unacknowledged messages that MQTT 5 clients are told they may send. Default 100.</summary>
    public ushort ReceiveMaximum { get; init; } = 100;

    /// <summary>Topic aliases a client may use. Default 16.</summary>
    public ushort TopicAliasMaximum { get; init; } = 16;

    /// <summary>Longest keep-alive granted to MQTT 5 clients. Default 300 s.</summary>
    public TimeSpan KeepAliveMax { get; init; } = TimeSpan.FromSeconds(300);

    /// <summary>Silence after which an MQTT 3.1.1 client that asked for no keep-alive is given up. Default 1 h.</summary>
    public TimeSpan SilenceMax { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Messages of one connection waiting for the journal past which it is not read from. Default 1,000.</summary>
    public int UnackedMessagesMax { get; init; } = 1_000;

    /// <summary>The same in bytes. Default 4 MB.</summary>
    public int UnackedBytesMax { get; init; } = 4 * 1024 * 1024;

    /// <summary>
    /// Files and sockets that this process may have open, 512 at least; 0, the default: as many as the system lets it. Connections get what the journal, the
    /// window files and the HTTP side do not need.
    /// </summary>
    public int FilesMax { get; init; }

    /// <summary>Subscriptions of one connection. Default 100.</summary>
    public int SubscriptionsMax { get; init; } = 100;

    /// <summary>Messages queued for one slow subscriber, past which the oldest is dropped. Default 1,000.</summary>
    public int PendingMessagesMax { get; init; } = 1_000;

    /// <summary>The same in bytes. Default 512 KB.</summary>
    public int PendingBytesMax { get; init; } = 512 * 1024;

    /// <summary>Retained messages at a time, in memory only. Default 10,000.</summary>
    public int RetainedMax { get; init; } = 10_000;

    /// <summary>Bytes of retained messages, with what keeping them costs. Default 8 MB.</summary>
    public long RetainedBytesMax { get; init; } = 8L * 1024 * 1024;

    /// <summary>Client sessions that outlive their connections. Default 1,000.</summary>
    public int SessionsMax { get; init; } = 1_000;

    /// <summary>How long a session may outlive its connection: what MQTT 5 clients get at most, and MQTT 3.1.1 clients always. Default 1 day.</summary>
    public TimeSpan SessionExpiryMax { get; init; } = TimeSpan.FromDays(1);

    /// <summary>Failed log-ins an address has free. Default 10.</summary>
    public int FailedLoginsBurst { get; init; } = 10;

    /// <summary>Time after which an address has another one. Default 2 s.</summary>
    public TimeSpan FailedLoginRefill { get; init; } = TimeSpan.FromSeconds(2);

    /// <exception cref="ArgumentException">A value is impossible; the message names it.</exception>
    public MqttOptions Validated()
    {
        Require(IPAddress.TryParse(Address, out var address), nameof(Address), "must be an IP address such as 127.0.0.1 or 0.0.0.0");
        Require(PlainBeyondLoopback || IPAddress.IsLoopback(address!), nameof(Address),
            "is not loopback, and without TLS secrets would travel readable: set Mqtt:PlainBeyondLoopback to true if the network is trusted");
        Require(Port is >= -1 and <= 65_535, nameof(Port), "must lie within 0 and 65535, or be -1 for no plain port");
        Require(Tls is null || IPAddress.TryParse(Tls.Address, out _), "Tls:Address", "must be an IP address such as 0.0.0.0");
        Require(Tls is null || Tls.Port is >= 0 and <= 65_535, "Tls:Port", "must lie within 0 and 65535");
        Require(Tls is null || Tls.CertificateFile is { Length: > 0 } || Tls.OwnCertificateFile.Length > 0, "Tls:CertificateFile", "must name a file");
        Require(Tls is null || Enum.IsDefined(Tls.ClientCertificates), "Tls:ClientCertificates", "must be None, Optional or Required");
        Require(WebSocketPort is >= -1 and <= 65_535, nameof(WebSocketPort), "must lie within 0 and 65535, or be -1 for none");
        Require(QuarantineFile.Length > 0, nameof(QuarantineFile), "must name a file");
        Require(QuarantineBytesMax >= 16 * 1024, nameof(QuarantineBytesMax), "must be at least 16 KB");
        Require(ConnectionsMax > 0, nameof(ConnectionsMax), "must be positive");
        Require(FilesMax is 0 or >= 2 * FileLimit.Headroom, nameof(FilesMax), $"must be 0 for what the system allows, or at least {2 * FileLimit.Headroom}");
        Require(ConnectsBurst > 0, nameof(ConnectsBurst), "must be positive");
        Require(ConnectsRefill > TimeSpan.Zero, nameof(ConnectsRefill), "must be positive");
        Require(ConnectBytesMax is >= 256 and <= 64 * 1024, nameof(ConnectBytesMax), "must lie within 256 and 64 KB");
        Require(PacketBytesMax is >= 1024 and <= 1024 * 1024, nameof(PacketBytesMax), "must lie within 1 KB and 1 MB");
        Require(ConnectTimeout > TimeSpan.Zero, nameof(ConnectTimeout), "must be positive");
        Require(ReceiveMaximum > 0, nameof(ReceiveMaximum), "must be positive");
        Require(TopicAliasMaximum <= 1000, nameof(TopicAliasMaximum), "must be at most 1000");
        Require(KeepAliveMax >= TimeSpan.FromSeconds(5) && KeepAliveMax.TotalSeconds <= 65_535, nameof(KeepAliveMax),
            "must lie within 5 s and 65535 s");
        Require(SilenceMax >= KeepAliveMax, nameof(SilenceMax), "must be at least KeepAliveMax");
        Require(UnackedMessagesMax >= ReceiveMaximum, nameof(UnackedMessagesMax), "must be at least ReceiveMaximum");
        Require(UnackedBytesMax >= PacketBytesMax, nameof(UnackedBytesMax), "must be at least PacketBytesMax");
        Require(SubscriptionsMax >= 0, nameof(SubscriptionsMax), "must not be negative");
        Require(PendingMessagesMax > 0, nameof(PendingMessagesMax), "must be positive");
        Require(PendingBytesMax >= PacketBytesMax, nameof(PendingBytesMax), "must be at least PacketBytesMax");
        Require(RetainedMax >= 0, nameof(RetainedMax), "must not be negative");
        Require(RetainedBytesMax >= 0, nameof(RetainedBytesMax), "must not be negative");
        Require(SessionsMax >= 0, nameof(SessionsMax), "must not be negative");
        Require(SessionExpiryMax >= TimeSpan.Zero && SessionExpiryMax <= TimeSpan.FromDays(365), nameof(SessionExpiryMax), "must lie within 0 and 365 days");
        Require(FailedLoginsBurst > 0, nameof(FailedLoginsBurst), "must be positive");
        Require(FailedLoginRefill > TimeSpan.Zero, nameof(FailedLoginRefill), "must be positive");
        return this;
    }

    private static void Require(bool condition, string name, string rule)
    {
        if (!condition)
        {
            throw new ArgumentException($"Mqtt:{name} {rule}");
        }
    }
}

/// <summary>The port with TLS 1.2 or later.</summary>
public sealed record MqttTlsOptions
{
    /// <summary>Default all addresses.</summary>
    public string Address { get; init; } = "0.0.0.0";

    /// <summary>Default 8883.</summary>
    public int Port { get; init; } = 8883;

    /// <summary>PEM (chain allowed) or PKCS #12 file. Null, the default: the agent makes a certificate for itself, in <see cref="OwnCertificateFile"/>.</summary>
    public string? CertificateFile { get; init; }

    /// <summary>Where a certificate the agent made for itself is kept, with its key; beside it, as .crt, what devices need to trust it. Set from Data.</summary>
    public string OwnCertificateFile { get; init; } = "";

    /// <summary>Whether clients are asked for a certificate; one that is known stands for its device without a secret. Default Optional.</summary>
    public ClientCertificates ClientCertificates { get; init; } = ClientCertificates.Optional;

    /// <summary>PEM file of the private key; null where the certificate's file has it.</summary>
    public string? KeyFile { get; init; }

    /// <summary>Of the PKCS #12 file or the key, where they have one.</summary>
    public string? Password { get; init; }
}

/// <summary>What the TLS ports ask of clients.</summary>
public enum ClientCertificates
{
    /// <summary>Secrets only.</summary>
    None,

    /// <summary>A certificate that is known, or a secret.</summary>
    Optional,

    /// <summary>A certificate that is known; without one the handshake fails. (Plain ports still take secrets.)</summary>
    Required,
}
