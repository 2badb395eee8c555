using Foretier.Node.Serve;
using Foretier.Protocol;
using Foretier.Protocol.Api;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Problem = Foretier.Node.Serve.Problem;

namespace Foretier.Node.Keys;

/// <summary>API keys: made, listed and revoked at the top of an installation, taken over below.</summary>
/// <param name="above">Where the keys of this node come from; null or empty at the top.</param>
public sealed class KeyApi(KeyRing ring, string? above)
{
    public void Map(RouteGroupBuilder api)
    {
        api.MapGet("/keys", () => Results.Ok(new KeysReply([.. ring.Current.Keys.Select(EntryOf)]))).Taking()
            .WithSummary("API keys: what they may do and until when.").RequireAdminOrNode();
        api.MapPost("/keys", Create).Taking().WithSummary("Make an API key; it is shown this once.").RequireAdminOrNode();
        api.MapDelete("/keys/{id}", Revoke).Taking().WithSummary("Revoke an API key, at once and on every node that can be reached.").RequireAdminOrNode();
    }

    /// <summary>Where the node above tells its keys.</summary>
    public void MapInternal(RouteGroupBuilder inner) => inner.MapPut("/keys", (KeySet keys) => Written(() =>
    {
        ring.Apply(keys);
        return Results.NoContent();
    }));

    private IResult Create(KeyRequest request) => AtTheTop(() =>
    {
        var (stored, key) = ring.Create(request.Name ?? "", request.Accounts ?? [], request.Admin,
            request.ExpiresAfterSeconds is { } seconds ? TimeSpan.FromSeconds(Math.Clamp(seconds, 0, 1e10)) : null);
        return Results.Ok(new KeyMadeReply(EntryOf(stored), key));
    });

    private IResult Revoke(string id) => AtTheTop(() => ring.Revoke(id) is { } ended ? Results.Ok(EntryOf(ended))
        : Problem.Of(StatusCodes.Status404NotFound, "unknown", $"there is no key {id}; list them with GET /api/v1/keys"));

    private IResult AtTheTop(Func<IResult> change) => string.IsNullOrEmpty(above) ? Written(change)
        : Problem.Of(StatusCodes.Status409Conflict, "not_here", $"this node is told its keys from above: ask {above}");

    private static IResult Written(Func<IResult> change)
    {
        try
        {
            return change();
        }
        catch (ArgumentException wrong)
        {
            return Problem.Of(StatusCodes.Status400BadRequest, "bad_request", wrong.Message);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return Problem.Of(StatusCodes.Status503ServiceUnavailable, "not_written", $"it could not be written down and is not done: {error.Message}");
        }
    }

    private static KeyEntry EntryOf(StoredKey key) => new(key.Id, key.Name, key.IsAdmin)
    {
        Accounts = key.Accounts,
        CreatedAt = new(key.CreatedAt),
        ExpiresAt = key.ExpiresAt > 0 ? new(key.ExpiresAt) : null,
    };
}
