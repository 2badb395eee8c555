using Foretier.Node.Link;
using Foretier.Node.Serve;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Foretier.Node.Keys;

/// <summary>Who may call what: /api needs a key, /internal a link or its token. Both are endpoint filters on a route group.</summary>
public static class Gate
{
    /// <summary>The public interface: <c>Authorization: Bearer KEY</c>, or a request from the node above.</summary>
    public static RouteGroupBuilder MapApi(this IEndpointRouteBuilder app, string path = "/api/v1")
    {
        var group = app.MapGroup(path);
        var (ring, limits) = (app.ServiceProvider.GetRequiredService<KeyRing>(), app.ServiceProvider.GetRequiredService<KeyLimits>());
        group.AddEndpointFilter((context, next) =>
        {
            var http = context.HttpContext;
            var caller = CallerOf(http, ring);
            if (caller is null)
            {
                http.Response.Headers.WWWAuthenticate = "Bearer";
                return new(Problem.Of(StatusCodes.Status401Unauthorized, "unauthorized",
                    "no valid API key; send 'Authorization: Bearer KEY' ('foretier up' prints a key, it is kept in credentials.json)"));
            }
            if (limits.WaitOf(caller) is { } wait)
            {
                http.Response.Headers.RetryAfter = ((int)Math.Ceiling(wait.TotalSeconds)).ToString(System.Globalization.CultureInfo.InvariantCulture);
                return new(Problem.Of(StatusCodes.Status429TooManyRequests, "too_many_requests",
                    "this key asks more than FORETIER__KEYS__REQUESTSPERSECOND allows: wait as Retry-After says, or put several series into one query"));
            }
            http.Features.Set(caller);
            return next(context);
        });
        return group;
    }

    /// <summary>Between nodes: over a link, or with the link token.</summary>
    public static RouteGroupBuilder MapInternal(this IEndpointRouteBuilder app)
    {
        var group = app.MapGroup("/internal/v1");
        group.AddEndpointFilter(async (context, next) =>
        {
            var http = context.HttpContext;
            return http.Features.Get<LinkFeature>() is not null
                || http.RequestServices.GetRequiredService<LinkToken>().Matches(http.Request.Headers.Authorization)
                ? await next(context).ConfigureAwait(false)
                : Problem.Of(StatusCodes.Status401Unauthorized, "unauthorized", "this address is for other nodes; they show the link token (FORETIER__LINK__TOKEN)");
        });
        return group;
    }

    /// <summary>Adds: only keys that administer. (Where there is no caller the group has checked that it is a node.)</summary>
    public static RouteHandlerBuilder RequireAdminOrNode(this RouteHandlerBuilder endpoint) =>
        endpoint.AddEndpointFilter(async (context, next) => context.HttpContext.Features.Get<Caller>() is { IsAdmin: false }
            ? Problem.Of(StatusCodes.Status403Forbidden, "forbidden", "this key may read only; use one that administers")
            : await next(context).ConfigureAwait(false));

    public static Caller Caller(this HttpContext http) => http.Features.Get<Caller>()!;

    internal static Caller? CallerOf(HttpContext http) => CallerOf(http, http.RequestServices.GetRequiredService<KeyRing>());

    private static Caller? CallerOf(HttpContext http, KeyRing ring)
    {
        if (http.Features.Get<LinkFeature>() is not null)
        {
            return Keys.Caller.Node;
        }
        var authorization = http.Request.Headers.Authorization.ToString();
        return authorization.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase)
            ? ring.Find(authorization.AsSpan("Bearer ".Length).Trim()) : null;
    }
}
