using System.Text;
using Foretier.Archive.Stores;
using Foretier.Protocol.Api;
using Foretier.Protocol.Releases;
using Foretier.Router.Models;

namespace Foretier.Tests.Unit.Updates;

/// <summary>Models in the archive, shared by routers.</summary>
public class ModelRegistryTests : IDisposable
{
    private static readonly CancellationToken _none = CancellationToken.None;
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-registry-").FullName;
    private readonly ObjectStore _archive;
    private readonly Publisher _publisher;
    private readonly ModelRegistry _registry;

    public ModelRegistryTests()
        : this(null)
    {
    }

    /// <param name="archive">Null: a folder of its own.</param>
    private protected ModelRegistryTests(ObjectStore? archive)
    {
        _archive = archive ?? new DirectoryStore(Path.Combine(_folder, "archive"));
        _publisher = new(Path.Combine(_folder, "cert.pem"));
        _registry = new(_archive, TimeProvider.System);
    }

    [Fact]
    public async Task What_is_published_is_rolled_out_and_read_back_in_parts()
    {
        var entry = await PublishAsync(3);
        Assert.Equal((3, RolloutStage.Trial, 100), (entry!.Rollout!.Version, entry.Rollout.Stage, entry.Rollout.Percent));
        var model = await File.ReadAllBytesAsync(Path.Combine(_folder, "3", "model.onnx"));
        var need = new ModelNeed("volume-lstm", 3, "model.onnx", 10, 100);
        Assert.Equal(model[10..110], await _registry.ReadAsync(need, _none));
        Assert.Empty(await _registry.ReadAsync(need with { Offset = model.Length }, _none));
        Assert.Empty(await _registry.ReadAsync(need with { File = "no-such" }, _none));
    }

    [Fact]
    public async Task A_version_is_published_once()
    {
        await PublishAsync(3);
        Assert.NotNull(await PublishAsync(3));
        Assert.Null(await PublishAsync(3, Nature.Exaggerates));
    }

    [Fact]
    public async Task What_is_not_what_was_signed_is_refused_by_name()
    {
        var upload = Upload(3, Nature.LikeYesterday);
        var broken = upload with { Files = [.. upload.Files.Select(file => file.Name == "model.onnx" ? file with { Content = file.Content[..^1] } : file)] };
        Assert.Contains("model.onnx is not what was signed", (await Assert.ThrowsAsync<ReleaseRefusedException>(() => _registry.PublishAsync(broken, _none))).Message, StringComparison.Ordinal);
        var missing = upload with { Files = [.. upload.Files.Take(1)] };
        Assert.Contains("is missing", (await Assert.ThrowsAsync<ReleaseRefusedException>(() => _registry.PublishAsync(missing, _none))).Message, StringComparison.Ordinal);
        await _registry.RefreshAsync(_none);
        Assert.Empty(_registry.Models);
    }

    [Fact]
    public async Task Another_router_learns_of_it_and_is_told_of_changes_in_order()
    {
        await PublishAsync(3);
        using var other = new ModelRegistry(_archive, TimeProvider.System);
        await other.RefreshAsync(_none);
        var before = Assert.Single(other.Models).Rollout!;
        var waiting = other.Changed;
        await _registry.ChangeAsync("volume-lstm", new(RolloutStage.Paused, Percent: 20, Labels: ["canary"]), _none);
        await other.RefreshAsync(_none);
        await waiting;
        var after = Assert.Single(other.Models).Rollout!;
        Assert.Equal((RolloutStage.Paused, 20, "canary"), (after.Stage, after.Percent, Assert.Single(after.Labels)));
        Assert.True(after.Revision > before.Revision);
    }

    [Fact]
    public async Task What_is_unknown_cannot_be_rolled_out()
    {
        Assert.Null(await _registry.ChangeAsync("volume-lstm", new(RolloutStage.Paused), _none));
        await PublishAsync(3);
        Assert.Null(await _registry.ChangeAsync("volume-lstm", new(RolloutStage.Trial, Version: 4), _none));
    }

    [Fact]
    public async Task Other_things_beside_models_are_left()
    {
        await PublishAsync(3);
        await _archive.PutAsync("v1/models/README", Encoding.UTF8.GetBytes("hello"), _none);
        await _archive.PutAsync("v1/models/volume-lstm/9/release.json", Encoding.UTF8.GetBytes("{}"), _none);
        await _registry.RefreshAsync(_none);
        Assert.Equal(3, Assert.Single(Assert.Single(_registry.Models, model => model.Id == "volume-lstm").ToEntry().Versions).Version);
    }

    [Fact]
    public async Task A_rollout_grows_by_the_same_boxes_and_more_and_begins_with_others_each_time()
    {
        await PublishAsync(3);
        await PublishAsync(4);
        string[] boxes = [.. Enumerable.Range(0, 400).Select(i => $"edge-{i}")];
        async Task<HashSet<string>> MeantAsync(int version, int percent)
        {
            await _registry.ChangeAsync("volume-lstm", new(RolloutStage.Trial, version, percent), _none);
            return [.. boxes.Where(box => _registry.Models[0].OrderFor(box, []) is not null)];
        }
        var (ten, half, all) = (await MeantAsync(4, 10), await MeantAsync(4, 50), await MeantAsync(4, 100));
        Assert.InRange(ten.Count, 20, 60);
        Assert.InRange(half.Count, 160, 240);
        Assert.Equal(400, all.Count);
        Assert.Subset(half, ten);
        Assert.NotEqual(ten, await MeantAsync(3, 10));
        Assert.Empty(await MeantAsync(4, 0));
    }

    [Fact]
    public async Task Labels_choose_boxes_and_what_ends_a_rollout_is_for_all()
    {
        await PublishAsync(3);
        await _registry.ChangeAsync("volume-lstm", new(RolloutStage.Trial, Labels: ["canary", "lab"]), _none);
        Assert.NotNull(_registry.Models[0].OrderFor("edge-1", ["lab", "roof"]));
        Assert.Null(_registry.Models[0].OrderFor("edge-1", ["roof"]));
        await _registry.ChangeAsync("volume-lstm", new(RolloutStage.RolledBack), _none);
        Assert.Equal(RolloutStage.RolledBack, _registry.Models[0].OrderFor("edge-1", ["roof"])!.Stage);
    }

    public void Dispose()
    {
        _registry.Dispose();
        _archive.Dispose();
        _publisher.Dispose();
        Directory.Delete(_folder, recursive: true);
        GC.SuppressFinalize(this);
    }

    private Task<ModelEntry?> PublishAsync(int version, Nature nature = Nature.LikeYesterday) => _registry.PublishAsync(Upload(version, nature), _none);

    private ModelUpload Upload(int version, Nature nature)
    {
        var folder = TinyModel.Write(Path.Combine(_folder, $"{version}"), version, nature);
        var release = _publisher.Sign(folder);
        return new(release.Document, release.Signature, [.. release.AsModel().Files.Select(file => new ModelFile(file.Name, File.ReadAllBytes(Path.Combine(folder, file.Name))))]);
    }
}
