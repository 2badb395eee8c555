using Foretier.Agent.Updates;
using Foretier.Archive.Stores;
using Foretier.Node.Keys;
using Foretier.Protocol.Api;
using Foretier.Protocol.Releases;
using Foretier.Router.Models;
using Foretier.Tests.Unit.Link;
using Microsoft.Extensions.Logging.Abstractions;

namespace Foretier.Tests.Unit.Updates;

/// <summary>A router, a gateway and a box with real links: orders and files on their way down.</summary>
public class ModelFollowerTests
{
    [Fact]
    public async Task A_box_behind_a_gateway_fetches_what_is_published_and_says_how_it_stands()
    {
        await using var box = new UpdatedBox(Nature.LikeYesterday);
        using var archive = new DirectoryStore(box.In("archive"));
        using var registry = new ModelRegistry(archive, TimeProvider.System);
        await using var bed = new LinkBed();
        var router = await bed.StartAsync("router-1", null);
        var follower = new ModelFollower(router.Follower, registry, TimeProvider.System, NullLogger<ModelFollower>.Instance);
        var gateway = await bed.StartAsync("gateway-1", router.Url);
        await bed.StartAsync("edge-1", gateway.Url, more: app => app.MapInternal().MapUpdates(box.Updates));

        // Three parts of model.json, so that it is more than one.
        var folder = TinyModel.Write(box.In("published"), 3, Nature.LikeYesterday, manifest => new(manifest) { ["licence"] = new string('x', 600_000) });
        var release = box.Publisher.Sign(folder);
        await registry.PublishAsync(new(release.Document, release.Signature, [.. release.AsModel().Files.Select(file => new ModelFile(file.Name, File.ReadAllBytes(Path.Combine(folder, file.Name))))]), CancellationToken.None);
        await Eventually.BeAsync(() => follower.Boxes is [{ Node: "edge-1", Connected: true } one] && one.Models[0] is { Serving.Version: 2, Trial: { Version: 3, Phase: TrialPhase.Shadow } });

        await registry.ChangeAsync("volume-lstm", new(RolloutStage.Trial, Now: true), CancellationToken.None);
        await Eventually.BeAsync(() => follower.Boxes[0].Models[0].Serving?.Version == 3);
        await registry.ChangeAsync("volume-lstm", new(RolloutStage.RolledBack), CancellationToken.None);
        await Eventually.BeAsync(() => follower.Boxes[0].Models[0] is { Serving.Version: 2, Refused: [{ Reason: "rolled back from above" }] });
    }
}
