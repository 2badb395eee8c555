namespace Foretier.Agent.Hot;

/// <summary>
/// What is kept of an MQTT client between its connections: which QoS 2 messages were taken and not released yet, and its subscriptions.
/// Owned by the <see cref="HotStore"/>, whose lock guards it.
/// </summary>
internal sealed class ClientSession(string client)
{
    public string Client { get; } = client;

    /// <summary>Packet ids taken, but not released.</summary>
    public HashSet<ushort> Received { get; } = [];

    public IReadOnlyList<SessionFilter> Filters { get; set; } = [];

    /// <summary>How long it lasts without a connection; zero: it ends with its connection, and is in no journal.</summary>
    public TimeSpan Keep { get; set; }

    /// <summary>The journal position of the last record that has all of it.</summary>
    public long Position { get; set; }

    /// <summary>The commit of the last change.</summary>
    public long Ticket { get; set; }

    /// <summary>Connections that use it: one, or two while one takes over from another.</summary>
    public int Connections { get; set; }

    /// <summary>When the last connection ended; a time stamp of the clock.</summary>
    public long LeftAt { get; set; }
}

/// <param name="Options">As in MQTT 5 §3.8.3.1, without the QoS.</param>
/// <param name="Id">Subscription identifier; 0 = none.</param>
internal sealed record SessionFilter(string Topic, byte Options, int Id);

/// <summary>Says of which QoS 2 message a record comes, so that both are durable together. The default is a message without any such care.</summary>
/// <param name="EndsWithRefusal">MQTT 5: a message that is refused is over with that, its id free again.</param>
internal readonly record struct Delivery(ClientSession? Session, ushort PacketId, bool EndsWithRefusal);
