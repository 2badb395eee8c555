namespace Foretier.Agent.Ingest.Identity;

/// <summary>A device the agent knows: one with credentials of its own, or one that a concentrator publishes for.</summary>
public sealed class Device
{
    private SecretHash? _secret;
    private SecretHash? _verified;
    // Of all devices, so that one removed and made anew is not taken for the same.
    private static int _epochs;

    private int _epoch = Interlocked.Increment(ref _epochs);

    internal Device(DeviceName name, long createdAt, SecretHash? secret)
    {
        Name = name;
        CreatedAt = createdAt;
        Secret = secret;
    }

    public DeviceName Name { get; }

    /// <summary>µs.</summary>
    public long CreatedAt { get; }

    /// <summary>Null where the device cannot connect by a secret: it never had one, or it was revoked.</summary>
    public SecretHash? Secret
    {
        get => _secret;
        internal set
        {
            _secret = value;
            _verified = null;
        }
    }

    /// <summary>The secret before, where it is still let in for a while.</summary>
    public FormerSecret? Former { get; internal set; }

    /// <summary>Its own topic rules; null = those of its account.</summary>
    public TopicRules? Rules { get; internal set; }

    /// <summary>True from its revocation until it is given a secret or a certificate again: no credential of any kind lets it in.</summary>
    public bool IsRevoked { get; internal set; }

    /// <summary>When messages of it arrive, and how long it may be silent.</summary>
    public Presence Presence { get; } = new();

    /// <summary>When a message of it last arrived, µs; 0 = never.</summary>
    public long LastSeen => Presence.LastSeen;

    /// <summary>Another number after each change that ends its connections.</summary>
    internal int Epoch => Volatile.Read(ref _epoch);

    internal void EndConnections() => Volatile.Write(ref _epoch, Interlocked.Increment(ref _epochs));

    /// <summary>
    /// True where the secret matches. A chosen one is slow to check, so the last that did match is remembered in memory, fast to check:
    /// a hundred connections of one concentrator must not cost a hundred times 0.1 s of CPU.
    /// </summary>
    internal bool Accepts(ReadOnlySpan<byte> secret, long now)
    {
        if (Secret is not { } known)
        {
            return false;
        }
        if (known.Algorithm == SecretHash.Generated)
        {
            return known.Matches(secret) || AcceptsFormer(secret, now);
        }
        if (_verified?.Matches(secret) == true)
        {
            return true;
        }
        if (!known.Matches(secret))
        {
            return AcceptsFormer(secret, now);
        }
        _verified = SecretHash.OfGenerated(secret);
        if (!ReferenceEquals(known, Secret))
        {
            // Replaced meanwhile: what was just remembered is the old one.
            _verified = null;
        }
        return true;
    }

    internal void Seen(long now) => Presence.Seen(now);

    private bool AcceptsFormer(ReadOnlySpan<byte> secret, long now) => Former is { } former && now < former.Until && former.Secret.Matches(secret);
}

/// <param name="Until">µs; from then on it is refused.</param>
public sealed record FormerSecret(SecretHash Secret, long Until);
