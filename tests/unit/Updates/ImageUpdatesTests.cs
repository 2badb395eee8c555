using Foretier.Protocol.Api;
using Foretier.Protocol.Releases;

namespace Foretier.Tests.Unit.Updates;

/// <summary>A box that is to replace its own image: what it takes, what it hands over, and what it says came of it.</summary>
public sealed class ImageUpdatesTests : IDisposable
{
    private readonly ImageBox _box = new();

    public void Dispose() => _box.Dispose();

    [Fact]
    public void A_signed_release_is_fetched_handed_to_the_installer_and_confirmed_by_the_new_version()
    {
        _box.Problems.Add("no model");
        var release = _box.Release("1.1.0");
        var report = _box.Order(release);
        Assert.Equal((ImagePhase.Installing, "1.1.0", null), (report.Image.Phase, report.Image.Version, report.Need));
        Assert.Equal("install 1.1.0", _box.Request);
        Assert.Equal("1.1.0\n", File.ReadAllText(_box.In("updates/release/version")));
        Assert.Equal(release.Document, File.ReadAllBytes(_box.In("updates/release/release.json")));
        Assert.Equal(release.Signature, File.ReadAllBytes(_box.In("updates/release/release.sig")));
        foreach (var file in Directory.GetFiles(_box.In("published/1.1.0")))
        {
            Assert.Equal(File.ReadAllBytes(file), File.ReadAllBytes(_box.In("updates/release/image/" + Path.GetFileName(file))));
        }

        // The installer starts it; its word that a router reaches it is what the installer waits for.
        _box.Restart("1.1.0");
        Assert.Equal(ImagePhase.Installing, _box.Image.Phase);
        Assert.False(File.Exists(_box.In("updates/confirmed")));
        _box.Again(release);
        Assert.Equal("1.1.0\n", File.ReadAllText(_box.In("updates/confirmed")));
        _box.Installer("installed 1.1.0");
        var image = _box.Image;
        Assert.Equal((ImagePhase.Idle, "1.1.0", ImageOutcome.Installed, 1), (image.Phase, image.Running, image.Last!.Outcome, image.ProblemsBefore));
        Assert.False(Directory.Exists(_box.In("updates/release")));
        // And again it is told of it, and does nothing.
        _box.Order(release);
        Assert.Null(_box.Request);
    }

    [Fact]
    public void The_version_before_confirms_nothing()
    {
        var release = _box.Release("1.1.0");
        _box.Order(release);
        _box.Again(release);
        Assert.False(File.Exists(_box.In("updates/confirmed")));
    }

    [Theory]
    [InlineData("failed", ImageOutcome.Failed)]
    [InlineData("refused", ImageOutcome.Refused)]
    public void What_the_installer_says_is_told_and_not_tried_again_before_it_is_begun_again(string word, ImageOutcome outcome)
    {
        var release = _box.Release("1.1.0");
        _box.Order(release);
        _box.Installer($"{word} 1.1.0", "it does not start");
        _box.Restart("1.0.0");
        Assert.Equal((outcome, "it does not start"), (_box.Image.Last!.Outcome, _box.Image.Last.Reason));
        _box.Again(release);
        Assert.Null(_box.Request);
        _box.Order(release);
        Assert.Equal("install 1.1.0", _box.Request);
    }

    [Fact]
    public void After_a_broken_link_and_a_restart_it_goes_on_where_it_was()
    {
        var release = _box.Release("1.1.0");
        var report = _box.Order(release, parts: 2);
        Assert.Equal((ImagePhase.Fetching, 2L * 262_144), (report.Image.Phase, report.Need!.Offset));
        _box.Restart("1.0.0");
        Assert.Equal(2L * 262_144, _box.Updates.Report().Need!.Offset);
        Assert.Equal(ImagePhase.Installing, _box.Again(release).Image.Phase);
        Assert.Equal(File.ReadAllBytes(_box.In("published/1.1.0/" + new string('a', 64))), File.ReadAllBytes(_box.In("updates/release/image/" + new string('a', 64))));
    }

    [Fact]
    public void A_power_cut_before_the_installer_was_asked_is_made_good()
    {
        _box.Order(_box.Release("1.1.0"));
        File.Delete(_box.In("updates/request"));
        _box.Restart("1.0.0");
        _ = _box.Image;
        Assert.Equal("install 1.1.0", _box.Request);
    }

    [Fact]
    public void An_unsigned_a_changed_and_a_strangers_release_are_refused_before_anything_is_fetched()
    {
        var release = _box.Release("1.1.0");
        Refused("is not signed", release with { Signature = [] });
        Refused("or was changed since", release with { Document = [.. release.Document, (byte)' '] });
        using var stranger = new Publisher(_box.In("stranger.pem"));
        Refused("not signed by a key that this box trusts", stranger.Sign(release.Document));
    }

    [Fact]
    public void An_older_one_the_same_one_and_an_expired_one_are_refused()
    {
        Refused("0.9.0 is not newer than 1.0.0", _box.Release("0.9.0"));
        Refused("1.1.0 has expired on 2026-01-01", _box.Release("1.1.0", release => release with { Expires = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero) }));
        Install("1.10.0");
        // Gone back to the version before, it still takes none that is not newer than all it has had.
        _box.Restart("1.0.0");
        Refused("1.9.0 is not newer than 1.10.0", _box.Release("1.9.0"));
    }

    [Theory]
    [InlineData("{}", "not readable")]
    [InlineData("""{"format":2,"image":"agent","version":"1.1.0","expires":"2027-01-01T00:00:00Z","files":[]}""", "has format 2")]
    [InlineData("""{"format":1,"image":"gateway","version":"1.1.0","expires":"2027-01-01T00:00:00Z","files":[]}""", "names 'gateway'")]
    [InlineData("""{"format":1,"image":"agent","version":"latest","expires":"2027-01-01T00:00:00Z","files":[]}""", "'latest'")]
    [InlineData("""{"format":1,"image":"agent","version":"1.1.0","expires":"2027-01-01T00:00:00Z","files":[]}""", "no files")]
    [InlineData("""{"format":1,"image":"agent","version":"1.1.0","expires":"2027-01-01T00:00:00Z","files":[{"name":"../x","bytes":1,"sha256":"00"}]}""", "such as cannot be")]
    [InlineData("""{"format":1,"image":"agent","version":"1.1.0","expires":"2027-01-01T00:00:00Z","files":[{"name":"manifest.json","bytes":999999999,"sha256":"00"}]}""", "such as cannot be")]
    [InlineData("""{"format":1,"image":"agent","version":"1.1.0","expires":"2027-01-01T00:00:00Z","files":[{"name":"layer","bytes":1,"sha256":"00"}]}""", "no manifest.json")]
    public void What_is_signed_and_no_release_of_an_image_is_refused(string document, string reason) => Refused(reason, _box.Publisher.Sign(System.Text.Encoding.UTF8.GetBytes(document)));

    [Fact]
    public void A_model_that_is_signed_by_the_same_key_is_no_image() =>
        Refused("not readable", _box.Publisher.Sign(new ModelRelease(1, "agent", 2, 1, "1.0", new(2027, 1, 1, 0, 0, 0, TimeSpan.Zero), [new("manifest.json", 1, "00")]).ToDocument()));

    [Fact]
    public void Files_that_are_cut_off_or_changed_in_the_archive_are_refused_by_name()
    {
        var release = _box.Release("1.1.0");
        var layer = _box.In("published/1.1.0/" + new string('a', 64));
        var content = File.ReadAllBytes(layer);
        File.WriteAllBytes(layer, content[..1000]);
        Refused("ends after 1000 of its", release);
        File.WriteAllBytes(layer, [.. content[..1000], (byte)(content[1000] ^ 1), .. content[1001..]]);
        Refused("is not what was signed", release);
    }

    [Fact]
    public void Without_a_key_or_an_image_it_takes_none_and_says_why()
    {
        _box.Options = _box.Options with { ImageCertificate = null };
        _box.Restart("1.0.0");
        Assert.Contains("UPDATES__IMAGECERTIFICATE", _box.Image.Unable, StringComparison.Ordinal);
        _box.Options = _box.Options with { ImageCertificate = _box.Publisher.CertificateFile };
        _box.Restart(null);
        Assert.Contains("no image", _box.Image.Unable, StringComparison.Ordinal);
        _box.Order(_box.Release("1.1.0"));
        Assert.Equal(ImageOutcome.Refused, _box.Image.Last!.Outcome);
    }

    [Fact]
    public void Paused_it_fetches_nothing_and_stopped_it_forgets()
    {
        var release = _box.Release("1.1.0");
        _box.Order(release, parts: 1);
        Assert.Null(_box.Order(release, RolloutStage.Paused).Need);
        Assert.Equal(262_144, _box.Order(release, parts: 0).Need!.Offset);
        var stopped = _box.Order(release, RolloutStage.Stopped);
        Assert.Equal((ImagePhase.Idle, null), (stopped.Image.Phase, stopped.Need));
    }

    [Fact]
    public void Rolled_back_from_above_it_asks_its_installer_to_go_back_once()
    {
        var release = Install("1.1.0");
        _box.Order(release, RolloutStage.RolledBack);
        Assert.Equal(("go-back 1.1.0", ImagePhase.GoingBack), (_box.Request, _box.Image.Phase));
        _box.Installer("failed 1.1.0", "the image is not in the storage of this box");
        Assert.Equal("the image is not in the storage of this box", _box.Image.Last!.Reason);
        _box.Again(release, RolloutStage.RolledBack);
        Assert.Null(_box.Request);
        _box.Order(release, RolloutStage.RolledBack);
        _box.Restart("1.0.0");
        _box.Installer("went-back 1.1.0", "rolled back from above");
        Assert.Equal((ImageOutcome.WentBack, "1.0.0"), (_box.Image.Last!.Outcome, _box.Image.Running));
    }

    [Fact]
    public void Where_no_installer_answers_it_says_so()
    {
        _box.Order(_box.Release("1.1.0"));
        Assert.Null(_box.Image.Trouble);
        _box.Pass(TimeSpan.FromMinutes(3));
        Assert.Contains("foretier-install.path", _box.Image.Trouble, StringComparison.Ordinal);
        File.WriteAllText(_box.In("updates/taken"), "install 1.1.0\n");
        Assert.Null(_box.Image.Trouble);
    }

    [Fact]
    public void An_order_that_is_older_than_the_last_is_not_followed()
    {
        var release = _box.Release("1.1.0");
        _box.Order(release, RolloutStage.Stopped);
        Assert.Null(_box.Updates.Follow(new(50, 50, RolloutStage.Trial, release)).Need);
    }

    [Fact]
    public void What_is_offered_while_one_is_being_installed_waits()
    {
        _box.Order(_box.Release("1.1.0"));
        var later = _box.Release("1.2.0");
        Assert.Equal("1.1.0", _box.Order(later).Image.Version);
        _box.Installer("failed 1.1.0", "it does not start");
        Assert.Equal("1.2.0", _box.Again(later).Image.Version);
        Assert.Equal("install 1.2.0", _box.Request);
    }

    private SignedRelease Install(string version)
    {
        var release = _box.Release(version);
        _box.Order(release);
        _box.Restart(version);
        _box.Installer($"installed {version}");
        Assert.Equal(ImageOutcome.Installed, _box.Image.Last!.Outcome);
        return release;
    }

    private void Refused(string reason, SignedRelease release)
    {
        _box.Order(release);
        Assert.Equal(ImageOutcome.Refused, _box.Image.Last!.Outcome);
        Assert.Contains(reason, _box.Image.Last.Reason, StringComparison.Ordinal);
        Assert.Null(_box.Request);
        Assert.Equal(ImagePhase.Idle, _box.Image.Phase);
    }
}
