using System.Text.Json;
using System.Text.Json.Serialization;
using Foretier.Core.Samples;

namespace Foretier.Protocol.Api;

/// <summary>
/// One point of an answer, <c>[1489017600000,21.4]</c>: epoch ms (with a fraction where the sample is finer) and a number, a state, or null for none.
/// </summary>
/// <param name="Time">µs.</param>
/// <param name="Value">NaN where there is no number.</param>
/// <param name="State">The state where the point is one.</param>
[JsonConverter(typeof(ApiPointConverter))]
public readonly record struct ApiPoint(long Time, double Value, string? State = null);

internal sealed class ApiPointConverter : JsonConverter<ApiPoint>
{
    public override ApiPoint Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartArray || !reader.Read())
        {
            throw new JsonException("a point is an array of a time and a value");
        }
        var time = ApiTimeConverter.ReadTime(ref reader);
        reader.Read();
        var point = reader.TokenType switch
        {
            JsonTokenType.Number => new ApiPoint(time, reader.GetDouble()),
            JsonTokenType.String => new ApiPoint(time, double.NaN, reader.GetString()),
            JsonTokenType.True => new ApiPoint(time, 1),
            JsonTokenType.False => new ApiPoint(time, 0),
            JsonTokenType.Null => new ApiPoint(time, double.NaN),
            _ => throw new JsonException("the value of a point is a number, a string or null"),
        };
        return reader.Read() && reader.TokenType == JsonTokenType.EndArray
            ? point
            : throw new JsonException("a point has two elements");
    }

    public override void Write(Utf8JsonWriter writer, ApiPoint value, JsonSerializerOptions options)
    {
        writer.WriteStartArray();
        if (value.Time % Instant.Millisecond == 0)
        {
            writer.WriteNumberValue(value.Time / Instant.Millisecond);
        }
        else
        {
            writer.WriteNumberValue((decimal)value.Time / Instant.Millisecond);
        }
        if (value.State is not null)
        {
            writer.WriteStringValue(value.State);
        }
        else if (double.IsFinite(value.Value))
        {
            writer.WriteNumberValue(value.Value);
        }
        else
        {
            writer.WriteNullValue();
        }
        writer.WriteEndArray();
    }
}
