namespace Foretier.Tests.Integration.Appliance;

/// <summary>What the appliance's scripts say and refuse before they touch anything. scripts/e2e-qemu runs them for real.</summary>
public sealed class ApplianceScriptTests : IDisposable
{
    private const int Impossible = 2;
    private const int Refused = 3;

    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-appliance-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("build-image")]
    [InlineData("make-disk")]
    [InlineData("flash")]
    [InlineData("update")]
    [InlineData("rollback")]
    [InlineData("install")]
    [InlineData("os-update")]
    [InlineData("verify")]
    [InlineData("release")]
    [InlineData("e2e-qemu")]
    public async Task It_tells_its_use_and_names_what_it_does_not_know(string script)
    {
        var help = await Script.RunAsync(script, ["--help"]);
        Assert.Equal(0, help.ExitCode);
        Assert.Contains("usage", help.Output, StringComparison.Ordinal);
        Assert.Contains("Exit codes", help.Output, StringComparison.Ordinal);
        Assert.Contains("--dry-run", help.Output, StringComparison.Ordinal);
        var wrong = await Script.RunAsync(script, ["--no-such-option"]);
        Assert.Equal(Impossible, wrong.ExitCode);
        Assert.Contains("--no-such-option", wrong.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("agent", "Dockerfile.arm64")]
    [InlineData("gateway", "Dockerfile.gateway")]
    [InlineData("router", "Dockerfile.router")]
    public async Task A_dry_run_of_build_image_tells_what_it_would_build(string image, string dockerfile)
    {
        var told = await Script.RunAsync("build-image", [image, "--version", "1.2.3", "--dry-run"]);
        Assert.Equal(0, told.ExitCode);
        Assert.Contains(dockerfile, told.Output, StringComparison.Ordinal);
        Assert.Contains("VERSION=1.2.3", told.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_image_needs_a_version_with_an_order()
    {
        var wrong = await Script.RunAsync("build-image", ["--version", "latest", "--dry-run"]);
        Assert.Equal(Impossible, wrong.ExitCode);
        Assert.Contains("'latest'", wrong.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0.9.0", "1.0.0", Refused)]
    [InlineData("1.0.0", "1.0.0", Refused)]
    [InlineData("1.9.0", "1.10.0", Refused)]
    [InlineData("1.10.0", "1.9.0", 0)]
    [InlineData("2.0", "1.99.99", 0)]
    public async Task A_box_takes_only_what_is_newer_than_anything_it_has_accepted(string offered, string accepted, int exitCode)
    {
        File.WriteAllText(In("version"), offered + "\n");
        File.WriteAllText(In("highest-version"), accepted + "\n");
        var update = await Script.RunAsync("update", [_folder, "--dry-run"], ("FORETIER_BOX", _folder));
        Assert.Equal(exitCode, update.ExitCode);
        Assert.Contains(offered, exitCode == 0 ? update.Output : update.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task There_is_no_way_back_from_the_first_image()
    {
        var rollback = await Script.RunAsync("rollback", [], ("FORETIER_BOX", _folder));
        Assert.Equal(Impossible, rollback.ExitCode);
        Assert.Contains("nothing", (await Script.RunAsync("rollback", ["--help"])).Output, StringComparison.Ordinal);
        Assert.Contains("last-good", rollback.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_rollback_goes_by_digest()
    {
        File.WriteAllText(In("last-good"), "0123456789abcdef\n");
        var rollback = await Script.RunAsync("rollback", ["--dry-run"], ("FORETIER_BOX", _folder));
        Assert.Equal(0, rollback.ExitCode);
        Assert.Contains("0123456789abcdef", rollback.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unsigned_disk_is_not_flashed()
    {
        File.WriteAllBytes(In("disk.img"), new byte[512]);
        var flash = await Script.RunAsync("flash", [In("disk.img"), In("card"), "--keys", _folder, "--yes"]);
        Assert.Equal(Refused, flash.ExitCode);
        Assert.False(File.Exists(In("card")));
    }

    [ToolFact("gpgv", "gnupg")]
    public async Task A_signed_disk_is_flashed_and_a_changed_one_is_not()
    {
        Assert.Equal(0, (await Script.RunAsync("release", ["--make-keys", In("keys")])).ExitCode);
        File.WriteAllBytes(In("disk.img"), [.. Enumerable.Range(0, 100_000).Select(i => (byte)i)]);
        Assert.Equal(0, (await Script.RunAsync("release", ["1.0.0", "--keys", In("keys"), "--out", In("out"), "--disk", In("disk.img")])).ExitCode);
        string[] flash = [In("disk.img"), In("card"), "--keys", In("keys"), "--signature", In("out/disk.img.sig"), "--yes"];
        Assert.Equal(0, (await Script.RunAsync("flash", [.. flash, "--dry-run"])).ExitCode);
        Assert.False(File.Exists(In("card")));
        Assert.Equal(0, (await Script.RunAsync("flash", flash)).ExitCode);
        Assert.Equal(File.ReadAllBytes(In("disk.img")), File.ReadAllBytes(In("card")));
        File.Delete(In("card"));
        File.WriteAllBytes(In("disk.img"), [.. File.ReadAllBytes(In("disk.img")).Select((b, i) => i == 70_000 ? (byte)(b ^ 1) : b)]);
        Assert.Equal(Refused, (await Script.RunAsync("flash", flash)).ExitCode);
        Assert.False(File.Exists(In("card")));
        // Keys of boxes in the field are not replaced by accident.
        Assert.Equal(Refused, (await Script.RunAsync("release", ["--make-keys", In("keys")])).ExitCode);
    }

    [Fact]
    public async Task Layers_hold_what_seldom_changes_apart_and_nothing_of_Windows()
    {
        var published = Directory.CreateDirectory(In("published")).FullName;
        foreach (var name in new[] { "Foretier.Agent", "Foretier.Agent.dll", "LiteDB.dll", "System.Linq.dll", "Microsoft.Extensions.Hosting.dll", "libcoreclr.so", "libonnxruntime.so", "onnxruntime.dll", "Foretier.Agent.pdb" })
        {
            File.WriteAllText(Path.Combine(published, name), name);
        }
        Assert.Equal(0, (await Script.RunAsync("layers", [published, In("layers")])).ExitCode);
        string[] Of(string layer) => [.. Directory.GetFiles(In("layers/" + layer)).Select(Path.GetFileName).Order(StringComparer.Ordinal)!];
        Assert.Equal(["libonnxruntime.so"], Of("onnx"));
        Assert.Equal(["Microsoft.Extensions.Hosting.dll", "System.Linq.dll", "libcoreclr.so"], Of("framework"));
        Assert.Equal(["Foretier.Agent", "Foretier.Agent.dll", "LiteDB.dll"], Of("app"));
        Assert.True(OperatingSystem.IsWindows() || File.GetUnixFileMode(In("layers/app/Foretier.Agent")) == (UnixFileMode)0b111_101_101);
        Assert.True(OperatingSystem.IsWindows() || File.GetUnixFileMode(In("layers/app/Foretier.Agent.dll")) == (UnixFileMode)0b110_100_100);
    }

    private string In(string name) => Path.Combine(_folder, name);
}
