using System.Text.Json;
using Foretier.Durable;
using Foretier.Protocol.Api;

namespace Foretier.Agent.Updates;

/// <summary>How a box keeps what it remembers of updates: as JSON, in two copies.</summary>
internal static class KeptState
{
    /// <param name="empty">Where nothing is kept, or nothing readable.</param>
    /// <param name="format">Of a state; one of another format than that of <paramref name="empty"/> is not readable.</param>
    /// <param name="without">What becomes of it then, in words.</param>
    /// <param name="problem">Damage that was put right, or why everything begins anew; null where all is well.</param>
    public static T Load<T>(string path, T empty, Func<T, int> format, string without, out string? problem)
        where T : class
    {
        try
        {
            if (TwoCopies.Read(path, out problem) is not { } text)
            {
                return empty;
            }
            var state = JsonSerializer.Deserialize<T>(text, ApiJson.Options) ?? throw new JsonException("it is empty");
            return format(state) == format(empty) ? state : throw new JsonException($"it has format {format(state)}, this program reads {format(empty)}");
        }
        catch (Exception e) when (e is JsonException or InvalidDataException)
        {
            problem = $"{path} cannot be read ({e.Message}): {without}";
            return empty;
        }
    }

    /// <exception cref="IOException">It is not written, and the old one still there.</exception>
    public static void Save<T>(string path, T state) => TwoCopies.Write(path, JsonSerializer.SerializeToUtf8Bytes(state, ApiJson.Options));
}
