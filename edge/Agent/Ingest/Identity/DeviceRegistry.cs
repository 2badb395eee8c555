using System.Collections.Concurrent;
using Foretier.Core.Samples;

namespace Foretier.Agent.Ingest.Identity;

/// <summary>
/// The devices that publish to this agent, and the hashes of their secrets. It lives here so that the site works alone. Thread-safe.
/// </summary>
/// <remarks>
/// A change of a secret is on disk when the method returns. Devices met through a concentrator are written with the next change or at
/// <see cref="Save"/>: they have no secret, and the series they wrote name them anyway.
/// </remarks>
public sealed class DeviceRegistry
{
    // Spent on an unknown name, so that it takes as long as a known one with the wrong secret.
    private static readonly SecretHash Nobody = SecretHash.OfGenerated(SecretHash.NewSecret());

    private readonly string _path;
    private readonly TimeProvider _clock;
    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<DeviceName, Device> _devices = new();
    private bool _unsaved;

    private DeviceRegistry(string path, TimeProvider clock)
    {
        _path = path;
        _clock = clock;
    }

    /// <summary>Called after a device's secret was changed or revoked; its live connections are to be closed.</summary>
    public event Action<DeviceName>? SecretChanged;

    public IReadOnlyCollection<Device> Devices => [.. _devices.Values.OrderBy(d => d.Name.ToString(), StringComparer.Ordinal)];

    /// <param name="path">JSON file, readable by its owner alone; made at the first change.</param>
    /// <exception cref="DeviceFileException">The file is there but unreadable.</exception>
    public static DeviceRegistry Open(string path, TimeProvider clock)
    {
        var registry = new DeviceRegistry(path, clock);
        foreach (var device in DeviceFile.Read(path))
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

    /// <summary>Replaces a device's secret by a new one, and closes its connections.</summary>
    /// <returns>The secret, in clear for this once.</returns>
    public string Rotate(DeviceName name)
    {
        var secret = SecretHash.NewSecret();
        Put(name, SecretHash.OfGenerated(secret));
        return secret;
    }

    /// <summary>Gives a device a known secret. Where it has that one already, nothing changes and its connections stay.</summary>
    /// <param name="generated">It came out of <see cref="SecretHash.NewSecret"/>; else it is hashed as one that a person chose.</param>
    public void Set(DeviceName name, string secret, bool generated)
    {
        if (Find(name)?.Secret is { } known && known.Matches(secret))
        {
            return;
        }
        Put(name, generated ? SecretHash.OfGenerated(secret) : SecretHash.OfChosen(secret));
    }

    /// <summary>Gives a device a secret of which only the hash is known here.</summary>
    /// <exception cref="ArgumentException">The name is none, or the hash is of no known algorithm or of the wrong length.</exception>
    public void Put(DeviceName name, SecretHash secret)
    {
        if (!DeviceName.TryParse(name.ToString(), out _))
        {
            throw new ArgumentException($"'{name}' is not account/device: each of 1 to 128 of A-Z a-z 0-9 _ . : @ -, the device or *", nameof(name));
        }
        if (!secret.IsSound)
        {
            throw new ArgumentException($"the secret of {name} is hashed in no way known here ({secret.Algorithm})", nameof(secret));
        }
        lock (_lock)
        {
            Change(_devices.GetOrAdd(name, NewDevice), secret);
        }
        SecretChanged?.Invoke(name);
    }

    /// <summary>Takes a device's secret away and closes its connections. Its data stays. False where it has none.</summary>
    public bool Revoke(DeviceName name)
    {
        lock (_lock)
        {
            if (Find(name) is not { Secret: not null } device)
            {
                return false;
            }
            Change(device, null);
        }
        SecretChanged?.Invoke(name);
        return true;
    }

    /// <summary>True where the secret is that of the device <paramref name="user"/> names.</summary>
    public bool TryAuthenticate(string? user, ReadOnlySpan<byte> secret, out DeviceName? name)
    {
        var device = DeviceName.TryParse(user, out name) ? Find(name!) : null;
        if (device?.Secret is null)
        {
            _ = Nobody.Matches(secret);
        }
        else if (device.Accepts(secret))
        {
            return true;
        }
        name = null;
        return false;
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

    private void Change(Device device, SecretHash? secret)
    {
        var before = device.Secret;
        device.Secret = secret;
        try
        {
            Write();
        }
        catch
        {
            // What is not on disk must not work until the next start and then be gone.
            device.Secret = before;
            _unsaved = true;
            throw;
        }
    }

    private void Write()
    {
        DeviceFile.Write(_path, Devices);
        _unsaved = false;
    }

    private Device NewDevice(DeviceName name) => new(name, Instant.Now(_clock), null);
}
