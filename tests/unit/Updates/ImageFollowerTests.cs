using System.Security.Cryptography;
using Foretier.Agent.Updates;
using Foretier.Archive.Stores;
using Foretier.Core.Samples;
using Foretier.Node.Keys;
using Foretier.Protocol.Api;
using Foretier.Router.Images;
using Foretier.Tests.Unit.Link;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Foretier.Tests.Unit.Updates;

/// <summary>A router and three boxes with real links, and an installer that starts what a box was brought, or not.</summary>
public sealed class ImageFollowerTests : IAsyncDisposable
{
    private const int Watch = 600;
    private static readonly CancellationToken _none = CancellationToken.None;
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-fleet-").FullName;
    private readonly FakeTimeProvider _clock = new(new(2026, 6, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly LinkBed _bed = new();
    private readonly Publisher _publisher;
    private readonly DirectoryStore _archive;
    private readonly ImageRegistry _registry;
    private readonly Dictionary<string, (ImageBox Box, Microsoft.AspNetCore.Builder.WebApplication App)> _boxes = [];
    private ImageFollower _follower = null!;
    private string _router = "";

    public ImageFollowerTests()
    {
        _publisher = new(Path.Combine(_folder, "cert.pem"));
        _archive = new(Path.Combine(_folder, "archive"));
        _registry = new(_archive, _clock);
    }

    public async ValueTask DisposeAsync()
    {
        await _bed.DisposeAsync();
        foreach (var (box, _) in _boxes.Values)
        {
            box.Dispose();
        }
        _registry.Dispose();
        _archive.Dispose();
        _publisher.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_good_image_goes_from_box_to_box_and_a_bad_one_no_further_than_the_first()
    {
        var router = await _bed.StartAsync("router-1", null);
        _router = router.Url;
        _follower = new(router.Follower, _registry, _clock, NullLogger<ImageFollower>.Instance);
        foreach (var name in new[] { "edge-1", "edge-2", "edge-3" })
        {
            await StartAsync(name, new(_publisher), "1.0.0");
        }
        await Eventually.BeAsync(() => _follower.Boxes.Count == 3);
        await PublishAsync("1.1.0");
        await PublishAsync("1.2.0");

        await _registry.ChangeAsync(new(RolloutStage.Trial, "1.1.0", WatchSeconds: Watch), _none);
        for (var have = 1; have <= 3; have++)
        {
            var name = await AskedAsync();
            Assert.Equal("install 1.1.0", _boxes[name].Box.Request);
            Assert.Single(_boxes.Values, one => one.Box.Request is not null);
            await InstallAsync(name, "1.1.0", isGood: true);
            await Eventually.BeAsync(() => Standing(name) == UpdateStanding.Watched);
            Assert.DoesNotContain(_boxes.Values, one => one.Box.Request is not null);
            _clock.Advance(TimeSpan.FromSeconds(Watch));
            await Eventually.BeAsync(() => IsAwake() && _follower.Boxes.Count(box => box.Standing == UpdateStanding.Done) == have);
        }

        await _registry.ChangeAsync(new(RolloutStage.Trial, "1.2.0", WatchSeconds: Watch), _none);
        var first = await AskedAsync();
        await InstallAsync(first, "1.2.0", isGood: false);
        await Eventually.BeAsync(() => _registry.Rollout!.Halt is not null);
        Assert.Equal((RolloutStage.Stopped, first, "it did not start"), (_registry.Rollout!.Stage, _registry.Rollout.Halt!.Node, _registry.Rollout.Halt.Reason));
        Assert.All(_follower.Boxes, box => Assert.Equal(("1.1.0", box.Node == first ? UpdateStanding.Failed : UpdateStanding.Waiting), (box.Image.Running, box.Standing)));
        Assert.Equal(("1.2.0", "it did not start"), _follower.Describe([new(first, "edge", true, null)]).Select(box => (box.Wanted, box.UpdateDetail)).Single());
    }

    /// <summary>Boxes are asked at once, else in a quarter of a minute; again and again, for what was asked just before had not heard of what has happened since.</summary>
    private bool IsAwake()
    {
        _registry.Wake();
        return true;
    }

    /// <summary>The one box whose installer is asked now.</summary>
    private async Task<string> AskedAsync()
    {
        await Eventually.BeAsync(() => IsAwake() && _boxes.Values.Any(one => one.Box.Request is not null));
        return _boxes.Single(one => one.Value.Box.Request is not null).Key;
    }

    private async Task InstallAsync(string name, string version, bool isGood)
    {
        var (box, app) = _boxes[name];
        _bed.Apps.Remove(app);
        await app.StopAsync();
        await app.DisposeAsync();
        if (!isGood)
        {
            box.Installer($"failed {version}", "it did not start");
        }
        box.Restart(isGood ? version : box.Image.Running);
        await StartAsync(name, box, null);
        if (isGood)
        {
            await Eventually.BeAsync(() => File.Exists(box.In("updates/confirmed")));
            box.Installer($"installed {version}");
        }
    }

    private async Task StartAsync(string name, ImageBox box, string? running)
    {
        if (running is not null)
        {
            box.Restart(running);
        }
        await _bed.StartAsync(name, _router, more: app => app.MapInternal().MapUpdates(box.Updates));
        _boxes[name] = (box, _bed.Apps[^1]);
    }

    private async Task PublishAsync(string version)
    {
        var release = ImageBox.Release(_publisher, Path.Combine(_folder, "published"), version);
        foreach (var file in release.AsImage().Files)
        {
            using var content = File.OpenRead(Path.Combine(_folder, "published", version, file.Name));
            await _registry.PutFileAsync(version, file.Name, file.Sha256, content, _none);
        }
        Assert.Empty((await _registry.PublishAsync(new(release.Document, release.Signature), _none))!.Missing);
    }

    private UpdateStanding Standing(string name) => _follower.Boxes.Single(box => box.Node == name).Standing;
}
