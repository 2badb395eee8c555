namespace Foretier.Agent.Ingest.Identity;

/// <summary>A device the agent knows: one with a secret of its own, or one that a concentrator publishes for.</summary>
public sealed class Device
{
    private long _lastSeen;
    private SecretHash? _secret;
    private SecretHash? _verified;

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
    public SecretHash? Secret
    {
        get => _secret;
        internal set
        {
            _secret = value;
            _verified = null;
        }
    }

    /// <summary>When a message of it last arrived, µs; 0 = not since the start.</summary>
    public long LastSeen => Volatile.Read(ref _lastSeen);

    /// <summary>
    /// True where the secret matches. A chosen one is slow to check, so the last that did match is remembered in memory, fast to check:
    /// a hundred connections of one concentrator must not cost a hundred times 0.1 s of CPU.
    /// </summary>
    internal bool Accepts(ReadOnlySpan<byte> secret)
    {
        if (Secret is not { } known)
        {
            return false;
        }
        if (known.Algorithm == SecretHash.Generated)
        {
            return known.Matches(secret);
        }
        if (_verified?.Matches(secret) == true)
        {
            return true;
        }
        if (!known.Matches(secret))
        {
            return false;
        }
        _verified = SecretHash.OfGenerated(secret);
        if (!ReferenceEquals(known, Secret))
        {
            // Replaced meanwhile: what was just remembered is the old one.
            _verified = null;
        }
        return true;
    }

    internal void Seen(long now) => Volatile.Write(ref _lastSeen, now);
}
