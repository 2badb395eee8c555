using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Foretier.Node.Serve;

/// <summary>Refuses parameters an address does not know: a misspelt or missing one would silently change what was asked.</summary>
public static class Parameters
{
    public static RouteHandlerBuilder Taking(this RouteHandlerBuilder endpoint, params string[] names) =>
        endpoint.AddEndpointFilter(async (context, next) =>
            context.HttpContext.Request.Query.Keys.FirstOrDefault(key => !names.Contains(key, StringComparer.OrdinalIgnoreCase)) is { } unknown
                ? Problem.Of(StatusCodes.Status400BadRequest, "bad_parameter", $"'{unknown}' is not a parameter here; {(names.Length == 0 ? "there are none" : $"use {string.Join(", ", names)}")}")
                : await next(context).ConfigureAwait(false));
}
