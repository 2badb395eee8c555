using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Foretier.Node.Serve;

/// <summary>Problem documents also where no endpoint has answered: no such address, a wrong method, a body that cannot be read, our own failure.</summary>
public static class ProblemPages
{
    public static IServiceCollection AddProblemPages(this IServiceCollection services) =>
        services.AddProblemDetails(options => options.CustomizeProblemDetails = Complete).AddTransient<IStartupFilter, Pages>();

    private static void Complete(ProblemDetailsContext context)
    {
        var problem = context.ProblemDetails;
        if (problem.Extensions.ContainsKey("code"))
        {
            return;
        }
        var http = context.HttpContext;
        var (code, detail) = problem.Status switch
        {
            StatusCodes.Status400BadRequest => ("bad_request", "a parameter or the body cannot be read; see /openapi/v1.json on the router"),
            StatusCodes.Status404NotFound => ("not_found", $"there is nothing at {http.Request.Path}; see /openapi/v1.json on the router"),
            StatusCodes.Status405MethodNotAllowed => ("bad_method", $"{http.Request.Method} is not for this address; use {http.Response.Headers.Allow}"),
            StatusCodes.Status413PayloadTooLarge => ("too_large", "the body is too large; send several smaller ones"),
            StatusCodes.Status415UnsupportedMediaType => ("bad_content_type", "send JSON, with 'Content-Type: application/json'"),
            >= 500 => ("internal_error", "this is our failure, not yours; the log of this node tells more"),
            _ => ("refused", problem.Detail ?? ""),
        };
        (problem.Title, problem.Detail, problem.Type) = (Problem.TitleOf(code), detail, Problem.TypeOf(code));
        problem.Extensions["code"] = code;
    }

    private sealed class Pages : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.UseExceptionHandler();
            app.UseStatusCodePages();
            next(app);
        };
    }
}
