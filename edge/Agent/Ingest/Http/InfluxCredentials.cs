using System.Net.Http.Headers;
using System.Text;
using Foretier.Agent.Ingest.Identity;

namespace Foretier.Agent.Ingest.Http;

/// <summary>User name and secret, in the ways Influx clients send them.</summary>
internal readonly record struct InfluxCredentials(string User, string Secret)
{
    public const string Ways = "send 'Authorization: Token ACCOUNT/DEVICE:SECRET' (Telegraf: token = \"acme/*:SECRET\"), Basic with the same, or u= and p=";

    /// <summary>Null where there are none.</summary>
    public static InfluxCredentials? Of(HttpRequest request, DeviceRegistry devices)
    {
        if (AuthenticationHeaderValue.TryParse(request.Headers.Authorization.ToString(), out var header) && header.Parameter is { } parameter)
        {
            return header.Scheme.ToUpperInvariant() switch
            {
                "TOKEN" or "BEARER" => Split(parameter, devices),
                "BASIC" => Decode(parameter) is { } text ? Split(text, devices) : null,
                _ => null,
            };
        }
        return request.Query.TryGetValue("u", out var user) ? new(user.ToString(), request.Query["p"].ToString()) : null;
    }

    /// <summary>Both names and secrets may have colons: the split whose name is known counts, else the last.</summary>
    private static InfluxCredentials? Split(string text, DeviceRegistry devices)
    {
        var last = text.LastIndexOf(':');
        for (var at = last; at > 0; at = text.LastIndexOf(':', at - 1))
        {
            if (DeviceName.TryParse(text[..at], out var name) && devices.Find(name!) is not null)
            {
                return new(text[..at], text[(at + 1)..]);
            }
        }
        return last < 0 ? null : new(text[..last], text[(last + 1)..]);
    }

    private static string? Decode(string base64)
    {
        var bytes = new byte[base64.Length];
        return Convert.TryFromBase64String(base64, bytes, out var length) ? Encoding.UTF8.GetString(bytes, 0, length) : null;
    }
}
