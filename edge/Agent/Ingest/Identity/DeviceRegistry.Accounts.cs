using Foretier.Core.Samples;

namespace Foretier.Agent.Ingest.Identity;

public sealed partial class DeviceRegistry
{
    /// <summary>Accounts that were made, by name. A device makes none: its account may be known by its name alone.</summary>
    public IReadOnlyCollection<Account> Accounts => [.. _accounts.Values.OrderBy(a => a.Name, StringComparer.Ordinal)];

    /// <summary>Makes an account, or changes its rules; connections of devices that go by them are closed where they have changed.</summary>
    /// <exception cref="ArgumentException">The name is none, or a rule.</exception>
    public Account PutAccount(string name, TopicRules? rules)
    {
        if (!SeriesKey.IsValidPart(name))
        {
            throw new ArgumentException($"'{name}' is no account: 1 to 128 of A-Z a-z 0-9 _ . : @ -");
        }
        rules = rules?.Checked(name, isConcentrator: false) is { IsDefault: false } some ? some : null;
        Account account;
        Account? before;
        lock (_lock)
        {
            before = _accounts.GetValueOrDefault(name);
            account = new(name, before?.CreatedAt ?? Now, rules);
            Change(() => _accounts[name] = account, () => PutBack(name, before));
        }
        if (before?.Rules != rules)
        {
            foreach (var device in _devices.Values.Where(d => d.Name.Account == name && !d.Name.IsConcentrator && d.Rules is null))
            {
                End(device.Name);
            }
        }
        return account;
    }

    /// <summary>
    /// Removes an account with all its devices; their connections are closed, their data stays. False where neither it nor a device of it is known.
    /// </summary>
    public bool RemoveAccount(string name)
    {
        List<Device> devices;
        bool found;
        lock (_lock)
        {
            devices = [.. _devices.Values.Where(d => d.Name.Account == name)];
            var before = _accounts.GetValueOrDefault(name);
            found = before is not null || devices.Count > 0;
            if (found)
            {
                Change(
                    () =>
                    {
                        _accounts.TryRemove(name, out _);
                        devices.ForEach(d => _devices.TryRemove(d.Name, out _));
                    },
                    () =>
                    {
                        PutBack(name, before);
                        devices.ForEach(d => _devices[d.Name] = d);
                    });
            }
        }
        foreach (var device in devices)
        {
            (device.Secret, device.Former, device.IsRevoked) = (null, null, true);
            device.EndConnections();
            SecretChanged?.Invoke(device.Name);
        }
        return found;
    }

    private void PutBack(string name, Account? account)
    {
        if (account is null)
        {
            _accounts.TryRemove(name, out _);
        }
        else
        {
            _accounts[name] = account;
        }
    }
}
