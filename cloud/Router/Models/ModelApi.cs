using Foretier.Archive.Stores;
using Foretier.Node.Keys;
using Foretier.Node.Serve;
using Foretier.Protocol.Api;
using Foretier.Protocol.Releases;
using Problem = Foretier.Node.Serve.Problem;

namespace Foretier.Router.Models;

/// <summary>Models: published, rolled out, and how every box stands with them.</summary>
internal sealed class ModelApi(ModelRegistry registry, ModelFollower boxes)
{
    public void Map(RouteGroupBuilder api)
    {
        api.MapGet("/models", ListAsync).Taking().WithSummary("Models in the archive, and how every box stands with them.").RequireAdminOrNode();
        api.MapPost("/models", PublishAsync).Taking().WithSummary("Publish a signed model, and begin to roll it out.").RequireAdminOrNode();
        api.MapPut("/models/{id}/rollout", ChangeAsync).Taking().WithSummary("Widen, pause, stop or take back a rollout.").RequireAdminOrNode();
    }

    private async Task<IResult> ListAsync(CancellationToken cancel)
    {
        string? problem = null;
        try
        {
            await registry.RefreshAsync(cancel).ConfigureAwait(false);
        }
        catch (ArchiveException error)
        {
            problem = $"{error.Message}; this is what was known before";
        }
        return Results.Ok(new ModelsReply([.. registry.Models.Select(model => model.ToEntry())], boxes.Boxes) { Problem = problem });
    }

    private Task<IResult> PublishAsync(ModelUpload upload, CancellationToken cancel) => StoredAsync(async () =>
        upload.Percent is < 0 or > 100 ? Problem.Of(StatusCodes.Status400BadRequest, "bad_parameter", $"percent={upload.Percent} must lie within 0 and 100")
        : await registry.PublishAsync(upload, cancel).ConfigureAwait(false) is { } entry ? Results.Ok(entry)
        : Problem.Of(StatusCodes.Status409Conflict, "published", "this version is published already with other content: give it the next version, and sign it anew"));

    private Task<IResult> ChangeAsync(string id, RolloutChange change, CancellationToken cancel) => StoredAsync(async () =>
        change.Percent is < 0 or > 100 ? Problem.Of(StatusCodes.Status400BadRequest, "bad_parameter", $"percent={change.Percent} must lie within 0 and 100")
        : await registry.ChangeAsync(id, change, cancel).ConfigureAwait(false) is { } entry ? Results.Ok(entry)
        : Problem.Of(StatusCodes.Status404NotFound, "unknown", $"there is no {(change.Version is { } version ? $"version {version} of {id}" : $"rollout of {id}")}; list them with GET /api/v1/models"));

    private static async Task<IResult> StoredAsync(Func<Task<IResult>> work)
    {
        try
        {
            return await work().ConfigureAwait(false);
        }
        catch (ReleaseRefusedException wrong)
        {
            return Problem.Of(StatusCodes.Status400BadRequest, "bad_model", wrong.Message);
        }
        catch (ArchiveException error)
        {
            return Problem.Of(StatusCodes.Status503ServiceUnavailable, "archive", $"{error.Message}; nothing has changed");
        }
    }
}
