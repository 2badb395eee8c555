namespace Foretier.Agent.Ingest.Identity;

/// <summary>A device the agent knows: one with a secret of its own, or one that a concentrator publishes for.</summary>
public sealed class Device
{
    private long _lastSeen;

    internal Device(DeviceName name, long createdAt, SecretHash? secret)
    {
        Name = name;
        CreatedAt = createdAt;
        Secret = secret;
    }

    public DeviceName Name { get; }

    /// <summary>µs.</summary>
    public long CreatedAt { get; }

    /// <summary>Null where the device cannot connect by itself: it never had a secret, or it was revoked.</summary>
    public SecretHash? Secret { get; internal set; }

    /// <summary>When a message of it last arrived, µs; 0 = not since the start.</summary>
    public long LastSeen => Volatile.Read(ref _lastSeen);

    internal void Seen(long now) => Volatile.Write(ref _lastSeen, now);
}
