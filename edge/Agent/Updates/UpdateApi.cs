using System.IO.Compression;
using Foretier.Node.Hosting;
using Foretier.Node.Keys;
using Foretier.Node.Serve;
using Foretier.Protocol.Api;
using Foretier.Protocol.Releases;
using Problem = Foretier.Node.Serve.Problem;

namespace Foretier.Agent.Updates;

/// <summary>Where a router tells this box what it wants of its models, and brings the parts of files that the box asks for.</summary>
public static class UpdateApi
{
    /// <summary>POST models: orders. PUT models/{id}/{version}/{file}?offset=: a part. The same of images. All answer how the box stands, and what it asks for next.</summary>
    public static void MapUpdates(this RouteGroupBuilder inner, ModelUpdates models)
    {
        inner.MapPost("/models", (ModelOrders orders) => Results.Json(models.Follow(orders), NodeJson.Options));
        inner.MapPut("/models/{id}/{version:int}/{file}", (HttpRequest request, string id, int version, string file, long offset, CancellationToken cancel) =>
            TakeAsync(request, part => models.Take(id, version, file, offset, part.Span), cancel));
    }

    /// <inheritdoc cref="MapUpdates(RouteGroupBuilder, ModelUpdates)"/>
    public static void MapUpdates(this RouteGroupBuilder inner, ImageUpdates images)
    {
        inner.MapPost("/images", (ImageOrders orders) => Results.Json(images.Follow(orders.Order), NodeJson.Options));
        inner.MapPut("/images/{version}/{file}", (HttpRequest request, string version, string file, long offset, CancellationToken cancel) =>
            TakeAsync(request, part => images.Take(version, file, offset, part.Span), cancel));
    }

    /// <summary>GET models: how this box stands, for whoever is beside it.</summary>
    public static void MapModels(this RouteGroupBuilder api, string node, ModelUpdates updates, TimeProvider clock) =>
        api.MapGet("/models", () =>
        {
            var report = updates.Report();
            return Results.Ok(new ModelsReply([], [new(node, true, new(Core.Samples.Instant.Now(clock)), report.Labels, report.Models)]));
        }).Taking().WithSummary("The models that forecast here, and those on trial.").RequireAdminOrNode();

    private static async Task<IResult> TakeAsync<TReport>(HttpRequest request, Func<ReadOnlyMemory<byte>, TReport> take, CancellationToken cancel)
    {
        // Through a gateway it comes without a length.
        var part = new byte[ReleaseDownload.PartBytesMax + 1];
        int length;
        try
        {
            using var gzip = request.ContentType == "application/gzip" ? new GZipStream(request.Body, CompressionMode.Decompress) : null;
            length = await (gzip ?? request.Body).ReadAtLeastAsync(part, part.Length, throwOnEndOfStream: false, cancel).ConfigureAwait(false);
        }
        catch (InvalidDataException wrong)
        {
            return Problem.Of(StatusCodes.Status400BadRequest, "bad_part", $"the part is not compressed as it says: {wrong.Message}");
        }
        return length == part.Length ? Problem.Of(StatusCodes.Status413PayloadTooLarge, "too_large", $"a part has at most {ReleaseDownload.PartBytesMax} bytes")
            : Results.Json(take(part.AsMemory(0, length)), NodeJson.Options);
    }
}
