using Foretier.Node.Keys;
using Foretier.Node.Serve;
using Foretier.Protocol.Api;
using Foretier.Protocol.Releases;
using Foretier.Router.Releases;
using Microsoft.AspNetCore.Http.Features;
using Problem = Foretier.Node.Serve.Problem;

namespace Foretier.Router.Images;

/// <summary>Images of the agent: published, rolled out, and how every box stands with them.</summary>
/// <param name="uploads">A folder for what is coming in.</param>
internal sealed class ImageApi(ImageRegistry registry, ImageFollower boxes, string uploads)
{
    private const int WatchSecondsMax = 7 * 86_400;
    private const string Refused = "bad_image";

    public void Map(RouteGroupBuilder api)
    {
        api.MapGet("/images", ListAsync).Taking().WithSummary("Images of the agent in the archive, and how every box stands with the one that is rolled out.").RequireAdminOrNode();
        api.MapPost("/images", PublishAsync).Taking().WithSummary("Publish a signed image, or learn which of its files to send first.").RequireAdminOrNode();
        api.MapPut("/images/{version}/{file}", PutFileAsync).Taking("sha256").WithSummary("Send a file of an image.").RequireAdminOrNode();
        api.MapPut("/images/rollout", ChangeAsync).Taking().WithSummary("Begin, widen, pause, stop or take back a rollout of an image.").RequireAdminOrNode();
    }

    private async Task<IResult> ListAsync(CancellationToken cancel)
    {
        var problem = await ReleaseAnswers.LookAsync(registry.RefreshAsync, cancel).ConfigureAwait(false);
        return Results.Ok(Reply() with { Problem = problem });
    }

    private ImagesReply Reply() => new(registry.Versions, registry.Rollout, boxes.Boxes);

    private Task<IResult> PublishAsync(ImageUpload upload, CancellationToken cancel) => ReleaseAnswers.StoredAsync(Refused, async () =>
        await registry.PublishAsync(upload, cancel).ConfigureAwait(false) is { } reply ? Results.Ok(reply) : ReleaseAnswers.Published);

    private Task<IResult> PutFileAsync(HttpContext http, string version, string file, string sha256, CancellationToken cancel) => ReleaseAnswers.StoredAsync(Refused, async () =>
    {
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = ImageRelease.BytesMax;
        }
        try
        {
            Directory.CreateDirectory(uploads);
            using var content = new FileStream(Path.Combine(uploads, Path.GetRandomFileName()), new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.ReadWrite,
                Options = FileOptions.DeleteOnClose | FileOptions.Asynchronous,
            });
            await http.Request.Body.CopyToAsync(content, cancel).ConfigureAwait(false);
            content.Position = 0;
            await registry.PutFileAsync(version, file, sha256, content, cancel).ConfigureAwait(false);
            return Results.NoContent();
        }
        catch (BadHttpRequestException wrong)
        {
            return Problem.Of(wrong.StatusCode, "bad_request", wrong.Message);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return ReleaseAnswers.Unchanged(error);
        }
    });

    private Task<IResult> ChangeAsync(ImageChange change, CancellationToken cancel) => ReleaseAnswers.StoredAsync(Refused, async () => ReleaseAnswers.WhyNot(change.Percent)
        ?? (change.WatchSeconds is < 1 or > WatchSecondsMax ? Problem.Of(StatusCodes.Status400BadRequest, "bad_parameter", $"watchSeconds={change.WatchSeconds} must lie within 1 and {WatchSecondsMax}")
            : await registry.ChangeAsync(change, cancel).ConfigureAwait(false) ? Results.Ok(Reply())
            : Problem.Of(StatusCodes.Status404NotFound, "unknown", $"there is no {(change.Version is { } version ? $"image {version}" : "rollout of an image")}; list them with GET /api/v1/images or 'foretier fleet update list'")));
}
