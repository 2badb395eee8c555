using System.Text.Json;
using System.Text.Json.Serialization;
using Foretier.Durable;

namespace Foretier.Agent.Ingest.Identity;

/// <summary>
/// Accounts and devices on disk: one JSON file that only its owner can read, replaced whole, so that a crash leaves the old one or the new
/// one, and kept twice, so that a flipped bit locks nobody out. Format 1 had devices and secrets alone.
/// </summary>
internal static partial class DeviceFile
{
    private const int Format = 2;

    /// <exception cref="DeviceFileException">The file is there and cannot be read as one.</exception>
    /// <param name="problem">Damage that was put right; null where there was none.</param>
    public static (List<Account> Accounts, List<Device> Devices) Read(string path, out string? problem)
    {
        problem = null;
        try
        {
            if (TwoCopies.Read(path, out problem) is not { } text)
            {
                return ([], []);
            }
            var content = JsonSerializer.Deserialize(text, Json.Default.Content)
                ?? throw new JsonException("the file is empty");
            if (content.Format is not (1 or Format))
            {
                throw new JsonException($"its format is {content.Format}, this program reads 1 and {Format}");
            }
            return ([.. (content.Accounts ?? []).Select(a => new Account(a.Name, a.CreatedAt, a.Rules))], [.. content.Devices.Select(Restore)]);
        }
        catch (Exception broken) when (broken is JsonException or IOException or InvalidDataException or UnauthorizedAccessException)
        {
            throw new DeviceFileException($"cannot read the devices in {path}: {broken.Message}. Restore the file from a backup, "
                + "or move it away to start without devices", broken);
        }
    }

    public static void Write(string path, IEnumerable<Account> accounts, IEnumerable<Device> devices) =>
        TwoCopies.Write(path, JsonSerializer.SerializeToUtf8Bytes(
                new Content(Format, [.. devices.Select(Record.Of)]) { Accounts = [.. accounts.Select(a => new AccountRecord(a.Name, a.CreatedAt, a.Rules))] },
                Json.Default.Content),
            UnixFileMode.UserRead | UnixFileMode.UserWrite);

    private static Device Restore(Record record)
    {
        if (!DeviceName.TryParse(record.Name, out var name) || record.Secret is { IsSound: false } || record.Former is { Secret.IsSound: false })
        {
            throw new JsonException($"the entry of '{record.Name}' is damaged");
        }
        var device = new Device(name!, record.CreatedAt, record.Secret) { Former = record.Former, Rules = record.Rules, IsRevoked = record.IsRevoked };
        device.Presence.Told = record.Expect;
        return device;
    }

    internal sealed record Content(int Format, Record[] Devices)
    {
        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
        public AccountRecord[]? Accounts { get; init; }
    }

    internal sealed record AccountRecord(string Name, long CreatedAt, TopicRules? Rules);

    internal sealed record Record(string Name, long CreatedAt, SecretHash? Secret)
    {
        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
        public FormerSecret? Former { get; init; }
        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
        public TopicRules? Rules { get; init; }
        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
        public long Expect { get; init; }
        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
        public bool IsRevoked { get; init; }

        public static Record Of(Device device) => new(device.Name.ToString(), device.CreatedAt, device.Secret)
        {
            Former = device.Former,
            Rules = device.Rules,
            Expect = device.Presence.Told,
            IsRevoked = device.IsRevoked,
        };
    }

    [JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
        RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
    [JsonSerializable(typeof(Content))]
    private sealed partial class Json : JsonSerializerContext;
}

/// <summary>The file of devices is damaged or unreadable; the message names it and says what to do.</summary>
public sealed class DeviceFileException(string message, Exception inner) : IOException(message, inner);
