using System.Text.Json;
using System.Text.Json.Serialization;
using Foretier.Core.Samples;

namespace Foretier.Protocol.Api;

/// <summary>A time in a document: read from RFC 3339 or epoch ms, written as epoch ms (with a fraction where it is finer).</summary>
[JsonConverter(typeof(ApiTimeConverter))]
public readonly record struct ApiTime(long Micros)
{
    public override string ToString() => Instant.Format(Micros);
}

internal sealed class ApiTimeConverter : JsonConverter<ApiTime>
{
    public override ApiTime Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => new(ReadTime(ref reader));

    public override void Write(Utf8JsonWriter writer, ApiTime value, JsonSerializerOptions options)
    {
        if (value.Micros % Instant.Millisecond == 0)
        {
            writer.WriteNumberValue(value.Micros / Instant.Millisecond);
        }
        else
        {
            writer.WriteNumberValue((decimal)value.Micros / Instant.Millisecond);
        }
    }

    internal static long ReadTime(ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.Number && reader.TryGetDecimal(out var ms) && Math.Abs(ms) < 9e15m)
        {
            return (long)Math.Round(ms * Instant.Millisecond);
        }
        if (reader.TokenType == JsonTokenType.String && Instant.TryParse(reader.GetString(), out var micros))
        {
            return micros;
        }
        throw new JsonException("a time is epoch milliseconds or RFC 3339");
    }
}
