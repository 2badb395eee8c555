using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Foretier.Protocol.Api;

/// <summary>Why a request was refused (RFC 9457).</summary>
/// <param name="Title">What was wrong, in a few words.</param>
/// <param name="Detail">What exactly, and what to do.</param>
/// <param name="Code">Stable reason code, for programs.</param>
public sealed record Problem(int Status, string Title, string? Detail, string? Code, string? Type)
{
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? More { get; init; }

    /// <summary>Reads a problem document; anything else becomes one with the status as its title.</summary>
    public static Problem Read(HttpStatusCode status, string? reason, string body)
    {
        try
        {
            if (body.AsSpan().TrimStart().StartsWith("{") && JsonSerializer.Deserialize<Problem>(body, ApiJson.Options) is { Title: not null } problem)
            {
                return problem.Status == 0 ? problem with { Status = (int)status } : problem;
            }
        }
        catch (JsonException)
        {
            // Not a problem document after all: a proxy's page, say.
        }
        var text = body.Trim();
        return new((int)status, reason is { Length: > 0 } ? reason : status.ToString(), text.Length is 0 or > 300 ? null : text, null, null);
    }
}
