using Foretier.Core.Tiers;
using Foretier.Node.Serve;
using Foretier.Protocol;
using Foretier.Protocol.Api;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Problem = Foretier.Node.Serve.Problem;

namespace Foretier.Node.Keys;

/// <summary>API keys and the terms of accounts: decided at the top of an installation, taken over below.</summary>
/// <param name="above">Where the keys of this node come from; null or empty at the top.</param>
/// <param name="agree">
/// Where several nodes at the top share their keys: applies a change to the keys of all, and returns when it stands. An IOException says why it does not.
/// </param>
public sealed class KeyApi(KeyRing ring, string? above, Func<Func<KeySet, KeySet>, CancellationToken, Task>? agree = null)
{
    public void Map(RouteGroupBuilder api)
    {
        api.MapGet("/keys", () => Results.Ok(new KeysReply([.. ring.Current.Keys.Select(EntryOf)]))).Taking()
            .WithSummary("API keys: what they may do and until when.").RequireAdminOrNode();
        api.MapPost("/keys", CreateAsync).Taking().WithSummary("Make an API key; it is shown this once.").RequireAdminOrNode();
        api.MapDelete("/keys/{id}", RevokeAsync).Taking().WithSummary("Revoke an API key, at once and on every node that can be reached.").RequireAdminOrNode();
        api.MapPut("/accounts/{account}/terms", SetTermsAsync).Taking().WithSummary("What an account is given: priority, retention, time zone, room and price by tier; what is left out is the usual.").RequireAdminOrNode();
    }

    /// <summary>Where the node above tells what it decides.</summary>
    public void MapInternal(RouteGroupBuilder inner) => inner.MapPut("/keys", (KeySet keys) => WrittenAsync(() =>
    {
        ring.Apply(keys, onlyNewer: above?.Contains(',', StringComparison.Ordinal) == true);
        return Task.FromResult(Results.NoContent());
    }));

    private Task<IResult> CreateAsync(KeyRequest request, CancellationToken cancel) => AtTheTopAsync(async () =>
    {
        var life = request.ExpiresAfterSeconds is { } seconds ? TimeSpan.FromSeconds(Math.Clamp(seconds, 0, 1e10)) : (TimeSpan?)null;
        if (agree is null)
        {
            var (kept, own) = ring.Create(request.Name ?? "", request.Accounts ?? [], request.Admin, life);
            return Results.Ok(new KeyMadeReply(EntryOf(kept), own));
        }
        var (stored, key) = ring.Draft(request.Name ?? "", request.Accounts ?? [], request.Admin, life);
        await agree(set => ring.With(set, stored), cancel).ConfigureAwait(false);
        return Results.Ok(new KeyMadeReply(EntryOf(stored), key));
    });

    private Task<IResult> RevokeAsync(string id, CancellationToken cancel) => AtTheTopAsync(async () =>
    {
        StoredKey? ended = null;
        if (agree is null)
        {
            ended = ring.Revoke(id);
        }
        else
        {
            await agree(set =>
            {
                ended = set.Keys.FirstOrDefault(key => key.Id == id);
                return ended is null ? set : ring.Without(set, id);
            }, cancel).ConfigureAwait(false);
        }
        return ended is not null ? Results.Ok(EntryOf(ended)) : Problem.Of(StatusCodes.Status404NotFound, "unknown", $"there is no key {id}; list them with GET /api/v1/keys or 'foretier keys'");
    });

    private Task<IResult> SetTermsAsync(string account, AccountTerms terms, CancellationToken cancel) => AtTheTopAsync(async () =>
    {
        if (agree is null)
        {
            ring.SetTerms(account, terms);
        }
        else
        {
            await agree(set => ring.With(set, account, terms), cancel).ConfigureAwait(false);
        }
        return Results.Ok(new AccountTermsReply(account, terms));
    });

    private Task<IResult> AtTheTopAsync(Func<Task<IResult>> change) => string.IsNullOrEmpty(above) ? WrittenAsync(change)
        : Task.FromResult(Problem.Of(StatusCodes.Status409Conflict, "not_here", $"this node is told that from above: ask {above}"));

    private static async Task<IResult> WrittenAsync(Func<Task<IResult>> change)
    {
        try
        {
            return await change().ConfigureAwait(false);
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
