using System.Text.Json;
using System.Text.Json.Serialization;
using Foretier.Core.Partitions;

namespace Foretier.Node.Hosting;

/// <summary>JSON between nodes and to users: web names, lower-case enums, windows by their written name.</summary>
public static class NodeJson
{
    public static JsonSerializerOptions Options { get; } = Configure(new(JsonSerializerDefaults.Web));

    /// <summary>The same for what is taken in: what has to be there is there, and what cannot be null is not.</summary>
    public static JsonSerializerOptions Strict { get; } = new(Options) { RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true };

    public static JsonSerializerOptions Configure(JsonSerializerOptions options)
    {
        options.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.CamelCase));
        options.Converters.Add(new WindowConverter());
        return options;
    }

    private sealed class WindowConverter : JsonConverter<Window>
    {
        public override Window Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            Window.TryParse(reader.GetString(), out var window) ? window : throw new JsonException("not a window");

        public override void Write(Utf8JsonWriter writer, Window value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
    }
}
