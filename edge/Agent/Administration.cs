using Foretier.Agent.Ingest.Identity;
using Foretier.Protocol.Api;

namespace Foretier.Agent;

/// <summary>The registry of devices as administration sees it.</summary>
internal static class Administration
{
    /// <summary>Sets a secret; null makes one up. Returns it.</summary>
    public static string Put(this DeviceRegistry devices, string account, string device, string? secret)
    {
        var name = new DeviceName(account, device);
        if (secret is null)
        {
            return devices.Rotate(name);
        }
        devices.Set(name, secret, generated: false);
        return secret;
    }

    public static bool Remove(this DeviceRegistry devices, string account, string device) => devices.Revoke(new(account, device));

    public static IReadOnlyList<DeviceEntry> List(this DeviceRegistry devices) =>
        [.. devices.Devices.Where(d => d.Secret is not null).Select(d => new DeviceEntry(d.Name.Account, d.Name.Device))];
}
