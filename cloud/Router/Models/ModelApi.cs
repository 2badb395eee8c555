using Foretier.Node.Keys;
using Foretier.Node.Serve;
using Foretier.Protocol.Api;
using Foretier.Router.Releases;
using Problem = Foretier.Node.Serve.Problem;

namespace Foretier.Router.Models;

/// <summary>Models: published, rolled out, and how every box stands with them.</summary>
internal sealed class ModelApi(ModelRegistry registry, ModelFollower boxes)
{
    private const string Refused = "bad_model";

    public void Map(RouteGroupBuilder api)
    {
        api.MapGet("/models", ListAsync).Taking().WithSummary("Models in the archive, and how every box stands with them.").RequireAdminOrNode();
        api.MapPost("/models", PublishAsync).Taking().WithSummary("Publish a signed model, and begin to roll it out.").RequireAdminOrNode();
        api.MapPut("/models/{id}/rollout", ChangeAsync).Taking().WithSummary("Widen, pause, stop or take back a rollout.").RequireAdminOrNode();
    }

    private async Task<IResult> ListAsync(CancellationToken cancel)
    {
        var problem = await ReleaseAnswers.LookAsync(registry.RefreshAsync, cancel).ConfigureAwait(false);
        return Results.Ok(new ModelsReply([.. registry.Models.Select(model => model.ToEntry())], boxes.Boxes) { Problem = problem });
    }

    private Task<IResult> PublishAsync(ModelUpload upload, CancellationToken cancel) => ReleaseAnswers.StoredAsync(Refused, async () => ReleaseAnswers.WhyNot(upload.Percent)
        ?? (await registry.PublishAsync(upload, cancel).ConfigureAwait(false) is { } entry ? Results.Ok(entry) : ReleaseAnswers.Published));

    private Task<IResult> ChangeAsync(string id, RolloutChange change, CancellationToken cancel) => ReleaseAnswers.StoredAsync(Refused, async () => ReleaseAnswers.WhyNot(change.Percent)
        ?? (await registry.ChangeAsync(id, change, cancel).ConfigureAwait(false) is { } entry ? Results.Ok(entry)
            : Problem.Of(StatusCodes.Status404NotFound, "unknown", $"there is no {(change.Version is { } version ? $"version {version} of {id}" : $"rollout of {id}")}; list them with GET /api/v1/models or 'foretier models list'")));
}
