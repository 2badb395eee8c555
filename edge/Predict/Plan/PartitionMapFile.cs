using System.Text.Json;
using System.Text.Json.Serialization;
using Foretier.Core.Partitions;

namespace Foretier.Predict.Plan;

/// <summary>A map as its writer keeps it: sealed payload "FTPM" around JSON.</summary>
public static class PartitionMapFile
{
    private const byte FormatVersion = 1;

    private static readonly JsonSerializerOptions _json = new(JsonSerializerDefaults.Web)
    {
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    private static ReadOnlySpan<byte> Magic => "FTPM"u8;

    public static void Save(Stream to, PartitionMap map) =>
        SealedPayload.Write(to, Magic, FormatVersion, JsonSerializer.SerializeToUtf8Bytes(map, _json));

    /// <exception cref="InvalidDataException">The bytes are not a map, or are damaged; the message says in what way.</exception>
    public static PartitionMap Load(Stream from)
    {
        using var payload = SealedPayload.Read(from, Magic, FormatVersion, out _);
        try
        {
            return JsonSerializer.Deserialize<PartitionMap>(payload, _json) ?? throw new InvalidDataException("the content is null");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"the content is not a map: {e.Message}", e);
        }
    }
}
