using System.Security.Cryptography;
using Foretier.Archive.Stores;
using Foretier.Protocol.Api;
using Foretier.Protocol.Releases;
using Foretier.Router.Images;

namespace Foretier.Tests.Unit.Updates;

/// <summary>Images in the archive, shared by routers.</summary>
public class ImageRegistryTests : IDisposable
{
    private static readonly CancellationToken _none = CancellationToken.None;
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-images-").FullName;
    private readonly ObjectStore _archive;
    private readonly Publisher _publisher;
    private readonly ImageRegistry _registry;

    public ImageRegistryTests()
        : this(null)
    {
    }

    /// <param name="archive">Null: a folder of its own.</param>
    private protected ImageRegistryTests(ObjectStore? archive)
    {
        _archive = archive ?? new DirectoryStore(Path.Combine(_folder, "archive"));
        _publisher = new(Path.Combine(_folder, "cert.pem"));
        _registry = new(_archive, TimeProvider.System);
    }

    public void Dispose()
    {
        _registry.Dispose();
        _archive.Dispose();
        _publisher.Dispose();
        Directory.Delete(_folder, recursive: true);
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task An_image_is_published_once_all_its_files_are_there_and_rolled_out_only_then()
    {
        var release = Release("1.1.0");
        var upload = new ImageUpload(release.Document, release.Signature);
        Assert.Equal(3, (await _registry.PublishAsync(upload, _none))!.Missing.Count);
        Assert.Empty(_registry.Versions);
        await PutAsync("1.1.0", "manifest.json");
        Assert.DoesNotContain("manifest.json", (await _registry.PublishAsync(upload, _none))!.Missing);
        await PutAsync("1.1.0", "signature-1", new string('a', 64));
        Assert.Empty((await _registry.PublishAsync(upload, _none))!.Missing);
        Assert.Equal("1.1.0", Assert.Single(_registry.Versions).Version);
        Assert.Null(_registry.Rollout);
        Assert.True(await _registry.ChangeAsync(new(RolloutStage.Trial, "1.1.0", 10), _none));
        Assert.Equal(10, _registry.Rollout!.Percent);
        var content = File.ReadAllBytes(FileOf("1.1.0", "manifest.json"));
        Assert.Equal(content[2..5], await _registry.ReadAsync(new("1.1.0", "manifest.json", 2, 3), _none));
    }

    [Fact]
    public async Task A_file_that_came_changed_is_refused_and_one_that_is_there_changed_counts_as_missing()
    {
        var release = await PublishAsync("1.1.0", publish: false);
        using var other = new MemoryStream([1, 2, 3]);
        Assert.Contains("send it again", (await Assert.ThrowsAsync<ReleaseRefusedException>(() => _registry.PutFileAsync("1.1.0", "manifest.json", new string('0', 64), other, _none))).Message, StringComparison.Ordinal);
        await _archive.PutAsync("v1/images/agent/1.1.0/manifest.json", System.Text.Encoding.UTF8.GetBytes("manifest of 1.1.9"), _none);
        Assert.Equal("manifest.json", Assert.Single((await _registry.PublishAsync(new(release.Document, release.Signature), _none))!.Missing));
    }

    [Theory]
    [InlineData("latest", "manifest.json")]
    [InlineData("1.1.0", "..")]
    [InlineData("1.1.0", "release.json")]
    public async Task A_file_of_no_image_is_refused(string version, string file)
    {
        using var content = new MemoryStream([1]);
        await Assert.ThrowsAsync<ReleaseRefusedException>(() => _registry.PutFileAsync(version, file, Convert.ToHexString(SHA256.HashData([1])), content, _none));
    }

    [Fact]
    public async Task A_version_is_published_once()
    {
        await PublishAsync("1.1.0");
        var again = Release("1.1.0", release => release with { Expires = release.Expires.AddDays(1) });
        Assert.Null(await _registry.PublishAsync(new(again.Document, again.Signature), _none));
        using var other = new MemoryStream([1]);
        Assert.Contains("is published", (await Assert.ThrowsAsync<ReleaseRefusedException>(() =>
            _registry.PutFileAsync("1.1.0", "manifest.json", Convert.ToHexString(SHA256.HashData([1])), other, _none))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_rollout_that_is_halted_says_why_until_it_is_begun_again_and_other_routers_learn_of_it()
    {
        await PublishAsync("1.1.0");
        Assert.False(await _registry.ChangeAsync(new(RolloutStage.Trial, "1.2.0"), _none));
        await _registry.ChangeAsync(new(RolloutStage.Trial, "1.1.0", 50, ["canary"], 60), _none);
        var begun = _registry.Rollout!;
        await _registry.ChangeAsync(new(RolloutStage.Trial, Percent: 80), _none);
        var wider = _registry.Rollout!;
        Assert.Equal((80, begun.Started), (wider.Percent, wider.Started));
        // Over a change that it did not know of nobody ends it.
        Assert.False(await _registry.HaltAsync(begun, new("edge-1", "it crashed", new(0)), _none));
        using var other = new ImageRegistry(_archive, TimeProvider.System);
        await other.RefreshAsync(_none);
        Assert.True(await _registry.HaltAsync(wider, new("edge-1", "it crashed", new(0)), _none));
        await other.RefreshAsync(_none);
        var halted = other.Rollout!;
        Assert.Equal((RolloutStage.Stopped, "it crashed", 80, 60), (halted.Stage, halted.Halt!.Reason, halted.Percent, halted.WatchSeconds));
        await other.ChangeAsync(new(RolloutStage.Trial), _none);
        var again = other.Rollout!;
        Assert.Equal((RolloutStage.Trial, null, true), (again.Stage, again.Halt, again.Started > begun.Started));
        Assert.Equal("canary", Assert.Single(again.Labels));
    }

    private SignedRelease Release(string version, Func<ImageRelease, ImageRelease>? change = null) => ImageBox.Release(_publisher, Path.Combine(_folder, "published"), version, change);

    private string FileOf(string version, string file) => Path.Combine(_folder, "published", version, file);

    private async Task PutAsync(string version, params string[] files)
    {
        foreach (var file in files)
        {
            using var content = File.OpenRead(FileOf(version, file));
            await _registry.PutFileAsync(version, file, Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(FileOf(version, file)))), content, _none);
        }
    }

    private async Task<SignedRelease> PublishAsync(string version, bool publish = true)
    {
        var release = Release(version);
        await PutAsync(version, "manifest.json", "signature-1", new string('a', 64));
        if (publish)
        {
            Assert.Empty((await _registry.PublishAsync(new(release.Document, release.Signature), _none))!.Missing);
        }
        return release;
    }
}
