using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Foretier.Node.Serve;

/// <summary>Refuses parameters an address does not know: a misspelt or missing one would silently change what was asked.</summary>
public static class Parameters
{
    public static RouteHandlerBuilder Taking(this RouteHandlerBuilder endpoint, params string[] names) =>
        endpoint.AddEndpointFilter((context, next) =>
        {
            foreach (var (name, _) in context.HttpContext.Request.Query)
            {
                if (!names.Contains(name, StringComparer.OrdinalIgnoreCase))
                {
                    return new(Problem.Of(StatusCodes.Status400BadRequest, "bad_parameter",
                        $"'{name}' is not a parameter here; {(names.Length == 0 ? "there are none" : $"use {string.Join(", ", names)}")}"));
                }
            }
            return next(context);
        });
}
