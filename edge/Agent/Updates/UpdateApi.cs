using Foretier.Node.Hosting;
using Foretier.Node.Keys;
using Foretier.Node.Serve;
using Foretier.Protocol.Api;
using Foretier.Protocol.Models;
using Problem = Foretier.Node.Serve.Problem;

namespace Foretier.Agent.Updates;

/// <summary>Where a router tells this box what it wants of its models, and brings the parts of files that the box asks for.</summary>
public static class UpdateApi
{
    /// <summary>POST models: orders. PUT models/{id}/{version}/{file}?offset=: a part. Both answer how the box stands, and what it asks for next.</summary>
    public static void MapUpdates(this RouteGroupBuilder inner, ModelUpdates updates)
    {
        inner.MapPost("/models", (ModelOrders orders) => Results.Json(updates.Follow(orders), NodeJson.Options));
        inner.MapPut("/models/{id}/{version:int}/{file}", async (HttpRequest request, string id, int version, string file, long offset, CancellationToken cancel) =>
        {
            // Through a gateway it comes without a length.
            var part = new byte[ModelDownload.PartBytesMax + 1];
            var length = await request.Body.ReadAtLeastAsync(part, part.Length, throwOnEndOfStream: false, cancel);
            if (length == part.Length)
            {
                return Problem.Of(StatusCodes.Status413PayloadTooLarge, "too_large", $"a part has at most {ModelDownload.PartBytesMax} bytes");
            }
            return Results.Json(updates.Take(id, version, file, offset, part.AsSpan(0, length)), NodeJson.Options);
        });
    }

    /// <summary>GET models: how this box stands, for whoever is beside it.</summary>
    public static void MapModels(this RouteGroupBuilder api, string node, ModelUpdates updates, TimeProvider clock) =>
        api.MapGet("/models", () =>
        {
            var report = updates.Report();
            return Results.Ok(new ModelsReply([], [new(node, true, new(Core.Samples.Instant.Now(clock)), report.Labels, report.Models)]));
        }).Taking().WithSummary("The models that forecast here, and those on trial.").RequireAdminOrNode();
}
