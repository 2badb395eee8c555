using System.Collections.Concurrent;
using Foretier.Core.Samples;

namespace Foretier.Agent.Ingest.Identity;

/// <summary>
/// The accounts and devices that publish to this agent, and the hashes of their secrets. It lives here so that the site works alone.
/// Thread-safe.
/// </summary>
/// <remarks>
/// A change is on disk when the method returns. Devices met through a concentrator are written with the next change or at
/// <see cref="Save"/>: they have no secret, and the series they wrote name them anyway.
/// </remarks>
public sealed partial class DeviceRegistry
{
    /// <summary>The longest that a former secret may go on to work.</summary>
    public static readonly TimeSpan GraceMax = TimeSpan.FromDays(30);

    private readonly string _path;
    private readonly TimeProvider _clock;
    private readonly IdentityOptions _options;
    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<DeviceName, Device> _devices = new();
    private readonly ConcurrentDictionary<string, Account> _accounts = new(StringComparer.Ordinal);
    private bool _unsaved;

    private DeviceRegistry(string path, TimeProvider clock, IdentityOptions options)
    {
        _path = path;
        _clock = clock;
        _options = options;
    }

    /// <summary>
    /// Called after an identity's secret was changed, its grace has ended, it was revoked or removed, or its rights have changed: its live
    /// connections are to be closed.
    /// </summary>
    public event Action<DeviceName>? SecretChanged;

    /// <summary>Damage that was found and put right at the start; null where there was none.</summary>
    public string? Problem { get; private set; }

    public IReadOnlyCollection<Device> Devices => [.. _devices.Values.OrderBy(d => d.Name.ToString(), StringComparer.Ordinal)];

    /// <param name="path">JSON file, readable by its owner alone; made at the first change.</param>
    /// <exception cref="DeviceFileException">The file is there but unreadable.</exception>
    public static DeviceRegistry Open(string path, TimeProvider clock, IdentityOptions? options = null)
    {
        var registry = new DeviceRegistry(path, clock, options ?? new());
        var (accounts, devices) = DeviceFile.Read(path, out var problem);
        registry.Problem = problem;
        foreach (var account in accounts)
        {
            registry._accounts[account.Name] = account;
        }
        foreach (var device in devices)
        {
            registry._devices[device.Name] = device;
        }
        return registry;
    }

    public Device? Find(DeviceName name) => _devices.GetValueOrDefault(name);

    /// <summary>Makes a secret for a device that has none, and the device where it is new.</summary>
    /// <returns>The secret, in clear for this once; null where the device has one already (see <see cref="Rotate"/>).</returns>
    public string? Add(DeviceName name)
    {
        lock (_lock)
        {
            return Find(name)?.Secret is null ? Rotate(name) : null;
        }
    }

    /// <summary>Replaces a device's secret by a new one. Without a grace its connections are closed at once.</summary>
    /// <param name="grace">How long the old one goes on to work beside it.</param>
    /// <returns>The secret, in clear for this once.</returns>
    public string Rotate(DeviceName name, TimeSpan grace = default)
    {
        var secret = SecretHash.NewSecret();
        Put(name, SecretHash.OfGenerated(secret), grace);
        return secret;
    }

    /// <summary>Gives a device a known secret. Where it has that one already, nothing changes and its connections stay.</summary>
    /// <param name="generated">It came out of <see cref="SecretHash.NewSecret"/>; else it is hashed as one that a person chose.</param>
    public void Set(DeviceName name, string secret, bool generated, TimeSpan grace = default)
    {
        if (Find(name)?.Secret is { } known && known.Matches(secret))
        {
            return;
        }
        Put(name, generated ? SecretHash.OfGenerated(secret) : SecretHash.OfChosen(secret), grace);
    }

    /// <summary>Gives a device a secret of which only the hash is known here.</summary>
    /// <exception cref="ArgumentException">The name is none, the hash is of no known algorithm or of the wrong length, or the grace too long.</exception>
    public void Put(DeviceName name, SecretHash secret, TimeSpan grace = default)
    {
        if (!DeviceName.TryParse(name.ToString(), out _))
        {
            throw new ArgumentException($"'{name}' is not account/device: each of 1 to 128 of A-Z a-z 0-9 _ . : @ -, the device or *", nameof(name));
        }
        if (!secret.IsSound)
        {
            throw new ArgumentException($"the secret of {name} is hashed in no way known here ({secret.Algorithm})", nameof(secret));
        }
        if (grace < TimeSpan.Zero || grace > GraceMax)
        {
            throw new ArgumentException($"a former secret may go on to work for at most {GraceMax.TotalDays:0} days", nameof(grace));
        }
        lock (_lock)
        {
            var device = _devices.GetOrAdd(name, NewDevice);
            var (before, former, revoked) = (device.Secret, device.Former, device.IsRevoked);
            Change(
                () =>
                {
                    device.Former = grace > TimeSpan.Zero && before is not null ? new(before, Now + Micros(grace)) : null;
                    (device.Secret, device.IsRevoked) = (secret, false);
                },
                () => (device.Secret, device.Former, device.IsRevoked) = (before, former, revoked));
        }
        if (grace == TimeSpan.Zero)
        {
            End(name);
        }
    }

    /// <summary>
    /// Takes a device's secret away, lets no certificate of it in, and closes its connections. Its data stays. False where it is unknown or
    /// revoked already.
    /// </summary>
    public bool Revoke(DeviceName name)
    {
        lock (_lock)
        {
            if (Find(name) is not { IsRevoked: false } device)
            {
                return false;
            }
            var (before, former) = (device.Secret, device.Former);
            Change(
                () => (device.Secret, device.Former, device.IsRevoked) = (null, null, true),
                () => (device.Secret, device.Former, device.IsRevoked) = (before, former, false));
        }
        End(name);
        return true;
    }

    /// <summary>Lets a device be given a certificate, making it where it is new; a revoked one is no longer revoked.</summary>
    public void Readmit(DeviceName name)
    {
        lock (_lock)
        {
            var device = _devices.GetOrAdd(name, NewDevice);
            var before = device.IsRevoked;
            Change(() => device.IsRevoked = false, () => device.IsRevoked = before);
        }
    }

    /// <summary>Closes the connections of a device: one of its credentials has ended.</summary>
    public void EndConnections(DeviceName name) => End(name);

    /// <summary>Forgets a device: credentials, rules, when it was seen. Its data stays. False where there is none.</summary>
    public bool Remove(DeviceName name)
    {
        Device? device;
        lock (_lock)
        {
            if ((device = Find(name)) is null)
            {
                return false;
            }
            Change(() => _devices.TryRemove(name, out _), () => _devices[name] = device);
        }
        // Whoever still holds it must not be let in by it.
        (device.Secret, device.Former, device.IsRevoked) = (null, null, true);
        device.EndConnections();
        SecretChanged?.Invoke(name);
        return true;
    }

    /// <summary>Gives an identity topic rules of its own; null = those of its account again. Its connections are closed.</summary>
    /// <returns>False where there is no such device.</returns>
    /// <exception cref="ArgumentException">A rule is none; the message says which and why.</exception>
    public bool SetRules(DeviceName name, TopicRules? rules)
    {
        rules = rules?.Checked(name.Account, name.IsConcentrator) is { IsDefault: false } some ? some : null;
        lock (_lock)
        {
            if (Find(name) is not { } device)
            {
                return false;
            }
            var before = device.Rules;
            Change(() => device.Rules = rules, () => device.Rules = before);
        }
        End(name);
        return true;
    }

    /// <summary>Tells how often a device is to be heard; zero = learn it from its gaps. False where there is no such device.</summary>
    public bool Expect(DeviceName name, TimeSpan interval)
    {
        lock (_lock)
        {
            if (Find(name) is not { } device)
            {
                return false;
            }
            var before = device.Presence.Told;
            Change(() => device.Presence.Told = Micros(interval), () => device.Presence.Told = before);
        }
        return true;
    }

    /// <summary>Finds a device, or creates it without a secret: a concentrator speaks for it.</summary>
    public Device Meet(DeviceName name)
    {
        if (_devices.TryGetValue(name, out var known))
        {
            return known;
        }
        lock (_lock)
        {
            _unsaved = true;
            return _devices.GetOrAdd(name, NewDevice);
        }
    }

    /// <summary>Ends the graces that are over, closing the connections of their devices: they may have come in by the old secret.</summary>
    public void EndGraces()
    {
        foreach (var device in _devices.Values.Where(d => d.Former is { } former && former.Until <= Now))
        {
            device.Former = null;
            _unsaved = true;
            End(device.Name);
        }
    }

    /// <summary>Writes what is not on disk yet.</summary>
    public void Save()
    {
        lock (_lock)
        {
            if (_unsaved)
            {
                Write();
            }
        }
    }

    private long Now => Instant.Now(_clock);

    private static long Micros(TimeSpan span) => span.Ticks / TimeSpan.TicksPerMicrosecond;

    private void End(DeviceName name)
    {
        Find(name)?.EndConnections();
        SecretChanged?.Invoke(name);
    }

    /// <summary>What is not on disk must not work until the next start and then be gone.</summary>
    private void Change(Action make, Action undo)
    {
        make();
        try
        {
            Write();
        }
        catch
        {
            undo();
            _unsaved = true;
            throw;
        }
    }

    private void Write()
    {
        DeviceFile.Write(_path, Accounts, Devices);
        _unsaved = false;
    }

    private Device NewDevice(DeviceName name) => new(name, Now, null);
}
