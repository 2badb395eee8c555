using System.Security.Cryptography;
using Foretier.Agent.Updates;
using Foretier.Protocol.Api;

namespace Foretier.Tests.Unit.Updates;

/// <summary>What a box has of an image before it does not fetch again, and believes no more than what it fetches.</summary>
public sealed class KeptBlobsTests : IDisposable
{
    private const string Own = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    private readonly ImageBox _box = new() { Shared = RandomNumberGenerator.GetBytes(700_000) };

    public void Dispose() => _box.Dispose();

    private string Shared => Convert.ToHexStringLower(SHA256.HashData(_box.Shared!));

    private string Kept => _box.In($"updates/kept/{Shared}");

    [Fact]
    public void A_layer_of_the_image_before_is_not_fetched_again_and_the_box_says_what_it_saved()
    {
        Install("1.1.0");
        Assert.Contains(Shared, _box.Asked);
        Assert.Equal(0, _box.Image.Last!.BytesKept);

        _box.Asked.Clear();
        var report = _box.Order(_box.Release("1.2.0"));
        Assert.Equal((ImagePhase.Installing, "install 1.2.0", 700_000L), (report.Image.Phase, _box.Request, report.Image.BytesKept));
        Assert.Equal([Own, "manifest.json", "signature-1"], _box.Asked.Order(StringComparer.Ordinal));
        Assert.Equal(_box.Shared, File.ReadAllBytes(_box.In($"updates/release/image/{Shared}")));
        _box.Restart("1.2.0");
        _box.Installer("installed 1.2.0");
        Assert.Equal(700_000, _box.Image.Last!.BytesKept);

        // And once more, after a restart in the middle.
        _box.Asked.Clear();
        var release = _box.Release("1.3.0");
        _box.Order(release, parts: 1);
        _box.Restart("1.2.0");
        Assert.Equal((ImagePhase.Installing, 700_000L), (_box.Again(release).Image.Phase, _box.Image.BytesKept));
        Assert.DoesNotContain(Shared, _box.Asked);
    }

    [Theory]
    [InlineData("flipped")]
    [InlineData("shorter")]
    public void A_layer_that_was_changed_while_it_was_kept_is_fetched_anew(string how)
    {
        Install("1.1.0");
        var content = File.ReadAllBytes(Kept);
        content[350_000] ^= 1;
        File.WriteAllBytes(Kept, how == "flipped" ? content : content[..350_000]);

        _box.Asked.Clear();
        var report = _box.Order(_box.Release("1.2.0"));
        Assert.Equal((ImagePhase.Installing, 0L), (report.Image.Phase, report.Image.BytesKept));
        Assert.Contains(Shared, _box.Asked);
        Assert.Equal(_box.Shared, File.ReadAllBytes(_box.In($"updates/release/image/{Shared}")));
    }

    [Fact]
    public void What_came_whole_of_an_image_that_was_not_installed_is_there_for_the_next_try()
    {
        _box.Order(_box.Release("1.1.0"));
        _box.Installer("failed 1.1.0", "it does not start");
        Assert.Equal(ImageOutcome.Failed, _box.Image.Last!.Outcome);
        Assert.True(File.Exists(Kept));

        // Refused by its signature, it touches nothing; stopped, it loses nothing.
        _box.Order(_box.Release("1.1.1") with { Signature = [] });
        Assert.True(File.Exists(Kept));
        var stopped = _box.Release("1.1.2");
        _box.Order(stopped, parts: 1);
        _box.Order(stopped, RolloutStage.Stopped);
        _box.Asked.Clear();
        Assert.Equal(700_000, _box.Order(_box.Release("1.2.0")).Image.BytesKept);
        Assert.DoesNotContain(Shared, _box.Asked);
    }

    [Fact]
    public void Of_an_image_that_is_installed_only_its_own_layers_stay()
    {
        Install("1.1.0");
        var before = Kept;
        _box.Shared = RandomNumberGenerator.GetBytes(700_000);
        Install("1.2.0");
        Assert.False(File.Exists(before));
        Assert.True(File.Exists(Kept));
    }

    [Fact]
    public void Where_nothing_is_to_be_kept_or_nothing_can_be_it_is_fetched_whole()
    {
        _box.Options = _box.Options with { KeepBytesMax = 0 };
        _box.Restart("1.0.0");
        Install("1.1.0");
        Assert.False(Directory.Exists(_box.In("updates/kept")));

        _box.Options = _box.Options with { KeepBytesMax = 10_000_000 };
        _box.Restart("1.1.0");
        File.WriteAllText(_box.In("updates/kept"), "no folder");
        Install("1.2.0");
        _box.Asked.Clear();
        Install("1.3.0");
        Assert.Contains(Shared, _box.Asked);
    }

    [Fact]
    public void Only_files_of_its_own_folder_are_looked_at_whatever_a_release_calls_them()
    {
        var other = _box.In(Own);
        File.WriteAllText(other, "another's");
        var kept = Directory.CreateDirectory(_box.In("updates/kept")).FullName;
        Assert.False(new KeptBlobs(kept, 1_000_000).TryTake(new("layer", 1, $"../../{Own}"), _box.In("updates/taken")));
        Assert.Equal("another's", File.ReadAllText(other));
    }

    private void Install(string version)
    {
        _box.Order(_box.Release(version));
        Assert.Equal($"install {version}", _box.Request);
        _box.Restart(version);
        _box.Installer($"installed {version}");
        Assert.Equal(ImageOutcome.Installed, _box.Image.Last!.Outcome);
    }
}
