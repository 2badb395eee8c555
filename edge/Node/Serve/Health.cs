using Foretier.Node.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Foretier.Node.Serve;

/// <summary>/healthz: alive, and what is wrong. /readyz: 200 as soon as requests are served.</summary>
public static class Health
{
    /// <summary>Set in container images: the release they are.</summary>
    public const string ImageVariable = "FORETIER_IMAGE";

    /// <param name="problems">What an operator should know; empty when all is well. A node with problems is alive, but says so.</param>
    public static void MapHealth(this IEndpointRouteBuilder app, Func<IEnumerable<string>> problems)
    {
        ServiceManager.Follow(app.ServiceProvider.GetRequiredService<IHostApplicationLifetime>());
        var (version, image) = (NodeHost.ProgramVersion, Environment.GetEnvironmentVariable(ImageVariable));
        app.MapGet("/healthz", () =>
        {
            var found = problems().ToList();
            return Results.Ok(new { status = found.Count == 0 ? "ok" : "degraded", problems = found, version, image });
        }).WithSummary("Is it well?");
        app.MapGet("/readyz", () => Results.Ok(new { status = "ready" })).WithSummary("Does it serve?").Brief();
    }
}
