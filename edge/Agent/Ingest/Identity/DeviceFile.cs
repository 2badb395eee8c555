using System.Text.Json;
using System.Text.Json.Serialization;
using Foretier.Durable;

namespace Foretier.Agent.Ingest.Identity;

/// <summary>
/// The devices on disk: one JSON file that only its owner can read, replaced whole (temporary file, sync, rename, sync of the folder),
/// so that a crash leaves the old one or the new one.
/// </summary>
internal static partial class DeviceFile
{
    private const int Format = 1;

    /// <exception cref="DeviceFileException">The file is there and cannot be read as one.</exception>
    public static List<Device> Read(string path)
    {
        if (!File.Exists(path))
        {
            return [];
        }
        try
        {
            var content = JsonSerializer.Deserialize(File.ReadAllBytes(path), Json.Default.Content)
                ?? throw new JsonException("the file is empty");
            if (content.Format != Format)
            {
                throw new JsonException($"its format is {content.Format}, this program reads {Format}");
            }
            return [.. content.Devices.Select(Restore)];
        }
        catch (Exception broken) when (broken is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new DeviceFileException($"cannot read the devices in {path}: {broken.Message}. Restore the file from a backup, "
                + "or move it away to start without devices", broken);
        }
    }

    public static void Write(string path, IEnumerable<Device> devices) =>
        Disk.Replace(path, file => JsonSerializer.Serialize(file, new Content(Format, [.. devices.Select(Record.Of)]), Json.Default.Content),
            UnixFileMode.UserRead | UnixFileMode.UserWrite);

    private static Device Restore(Record record) =>
        DeviceName.TryParse(record.Name, out var name) && record.Secret is null or { IsSound: true }
            ? new(name!, record.CreatedAt, record.Secret)
            : throw new JsonException($"the entry of '{record.Name}' is damaged");

    internal sealed record Content(int Format, Record[] Devices);

    internal sealed record Record(string Name, long CreatedAt, SecretHash? Secret)
    {
        public static Record Of(Device device) => new(device.Name.ToString(), device.CreatedAt, device.Secret);
    }

    [JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
        RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
    [JsonSerializable(typeof(Content))]
    private sealed partial class Json : JsonSerializerContext;
}

/// <summary>The file of devices is damaged or unreadable; the message names it and says what to do.</summary>
public sealed class DeviceFileException(string message, Exception inner) : IOException(message, inner);
