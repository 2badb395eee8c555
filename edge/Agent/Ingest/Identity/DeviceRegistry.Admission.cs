namespace Foretier.Agent.Ingest.Identity;

public sealed partial class DeviceRegistry
{
    // Spent on an unknown name, so that it takes as long as a known one with the wrong secret.
    private static readonly SecretHash Nobody = SecretHash.OfGenerated(SecretHash.NewSecret());

    /// <summary>True where the secret is that of the device <paramref name="user"/> names.</summary>
    public bool TryAuthenticate(string? user, ReadOnlySpan<byte> secret, out DeviceName? name)
    {
        var device = DeviceName.TryParse(user, out name) ? Find(name!) : null;
        if (device?.Secret is null)
        {
            _ = Nobody.Matches(secret);
        }
        else if (device.Accepts(secret, Now))
        {
            return true;
        }
        name = null;
        return false;
    }

    /// <summary>Who a new connection is; null where it is to be refused.</summary>
    public Admission? Admit(string? user, ReadOnlySpan<byte> secret)
    {
        if (string.IsNullOrEmpty(user) && secret.IsEmpty)
        {
            return _options.AnonymousAccount is { } account
                ? new(new(account, DeviceName.AnyDevice), TopicRights.Anonymous(account), 0, IsAnonymous: true) : null;
        }
        // The epoch before the check: what changes while we look makes the admission stale.
        var epoch = DeviceName.TryParse(user, out var name) ? Find(name!)?.Epoch ?? 0 : 0;
        return TryAuthenticate(user, secret, out name) ? new(name!, RightsOf(name!), epoch) : null;
    }

    /// <summary>False where the credentials, or the rights, of who was admitted have changed since.</summary>
    public bool IsCurrent(Admission admission) => admission.IsAnonymous || Find(admission.Name)?.Epoch == admission.Epoch;

    /// <summary>What an identity may publish and hear now.</summary>
    public TopicRights RightsOf(DeviceName name) => TopicRights.Of(name, _accounts.GetValueOrDefault(name.Account)?.Rules, Find(name)?.Rules);
}
