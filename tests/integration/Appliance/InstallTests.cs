using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Foretier.Tests.Integration.Appliance;

/// <summary>
/// What a box does with what its agent fetched: foretier-install, foretier-update, foretier-verify and foretier-rollback as they are, on a box whose podman,
/// skopeo, systemctl and curl are small stand-ins that keep tags in files. scripts/e2e-qemu has the real ones.
/// </summary>
public sealed class InstallTests : IDisposable
{
    private readonly string _box = Directory.CreateTempSubdirectory("foretier-box-").FullName;
    private readonly RSA _key = RSA.Create(2048);

    public InstallTests()
    {
        foreach (var folder in new[] { "bin", "tags", "agent/updates/release/image", "etc/foretier", "sbin/lib" })
        {
            Directory.CreateDirectory(In(folder));
        }
        foreach (var script in new[] { "install", "update", "verify", "rollback" })
        {
            // A box knows its keys by their places.
            Program("sbin/foretier-" + script, File.ReadAllText(Path.Combine(Repository.Root, "scripts", script)).Replace("/etc/foretier", In("etc/foretier"), StringComparison.Ordinal));
        }
        File.Copy(Path.Combine(Repository.Root, "scripts/lib/appliance.sh"), In("sbin/lib/appliance.sh"));
        Program("bin/podman", $$"""
            #!/bin/sh
            case "$1 $2" in
                "image inspect") cat "{{_box}}/tags/${5##*:}" ;;
                "image ls") cat "{{_box}}"/tags/* ;;
                "image rm") : ;;
                "tag "*) if [ -e "{{_box}}/tags/${2##*:}" ]; then cat "{{_box}}/tags/${2##*:}"; else echo "$2"; fi > "{{_box}}/tags/new" && mv "{{_box}}/tags/new" "{{_box}}/tags/${3##*:}" ;;
            esac
            """);
        // The signature counts as good where it says so; what is stored is known by its version.
        Program("bin/skopeo", $$"""
            #!/bin/sh
            for last; do :; done
            for from; do case $from in dir:*) folder=${from#dir:} ;; esac; done
            grep -q good "$folder/signature-1" || { echo "no good signature" >&2; exit 1; }
            echo "id-${last##*:}" > "{{_box}}/tags/${last##*:}"
            """);
        Program("bin/systemctl", $"""
            #!/bin/sh
            current=$(cat "{_box}/tags/current")
            [ ! -e "{_box}/crashes-$current" ] || exit 1
            echo "$current" > "{_box}/serving"
            [ -e "{_box}/unreached-$current" ] || echo "$current" | sed 's/id-//' > "{_box}/agent/updates/confirmed"
            """);
        Program("bin/curl", $$"""
            #!/bin/sh
            printf '{"image":"%s"}' "$(sed 's/id-//' "{{_box}}/serving")"
            """);
        Program("bin/sleep", "#!/bin/sh\n");
        Program("bin/flock", "#!/bin/sh\n");
        var request = new CertificateRequest("CN=agent", _key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(200));
        File.WriteAllText(In("etc/foretier/agent-cert.pem"), certificate.ExportCertificatePem());
        File.WriteAllText(In("etc/foretier/release-pub.gpg"), "");
        File.WriteAllText(In("tags/current"), "id-1.0.0\n");
        File.WriteAllText(In("tags/1.0.0"), "id-1.0.0\n");
        File.WriteAllText(In("serving"), "id-1.0.0\n");
        File.WriteAllText(In("highest-version"), "1.0.0\n");
    }

    public void Dispose()
    {
        _key.Dispose();
        Directory.Delete(_box, recursive: true);
    }

    [Fact]
    public async Task A_signed_release_is_installed_once_the_new_version_says_that_a_router_reaches_it()
    {
        Fetch("1.1.0");
        Assert.Equal("installed 1.1.0\n\n", await InstallAsync("install 1.1.0"));
        Assert.Equal(("id-1.1.0", "1.1.0", "id-1.0.0"), (Told("tags/current"), Told("highest-version"), Told("last-good")));
        Assert.Equal("went-back 1.1.0\nrolled back from above\n", await InstallAsync("go-back 1.1.0"));
        Assert.Equal("id-1.0.0", Told("serving"));
        // There is nothing before that, and no second way to a version that was left.
        Assert.StartsWith("refused 1.1.0\nthere is no image to go back to", await InstallAsync("go-back 1.1.0"), StringComparison.Ordinal);
        Fetch("1.1.0");
        Assert.StartsWith("refused 1.1.0\nversion 1.1.0 is not newer than 1.1.0", await InstallAsync("install 1.1.0"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("crashes", "1.1.0 did not start; the version before is running")]
    [InlineData("unreached", "1.1.0 serves, but no router has reached it within 900 s; the version before is running")]
    public async Task A_version_that_does_not_start_or_is_out_of_reach_is_taken_back(string how, string reason)
    {
        Fetch("1.1.0");
        File.WriteAllText(In($"{how}-id-1.1.0"), "");
        Assert.Equal($"failed 1.1.0\n{reason}\n", await InstallAsync("install 1.1.0"));
        Assert.Equal(("id-1.0.0", "id-1.0.0", "1.0.0"), (Told("tags/current"), Told("serving"), Told("highest-version")));
        Assert.False(File.Exists(In("update-in-progress")));
    }

    [Theory]
    [InlineData("unsigned", "has no release.json")]
    [InlineData("changed", "is not what")]
    [InlineData("stranger", "is not what")]
    [InlineData("expired", "has expired on 2020-01-01")]
    [InlineData("other manifest", "is not the one that its release.json names")]
    [InlineData("other image", "as signed by")]
    [InlineData("renamed", "is version 1.1.0 by its release.json, not 9.9.9")]
    [InlineData("link", "something else than files")]
    [InlineData("other version", "is not version 1.1.0")]
    public async Task What_is_not_as_it_was_signed_is_refused(string what, string reason)
    {
        using var stranger = RSA.Create(2048);
        Fetch("1.1.0", expires: what == "expired" ? "2020-01-01T00:00:00Z" : "2099-01-01T00:00:00Z", key: what == "stranger" ? stranger : _key);
        var asked = "1.1.0";
        switch (what)
        {
            case "unsigned":
                File.Delete(In("agent/updates/release/release.sig"));
                break;
            case "changed":
                File.AppendAllText(In("agent/updates/release/release.json"), " ");
                break;
            case "other manifest":
                File.AppendAllText(In("agent/updates/release/image/manifest.json"), " ");
                break;
            case "other image":
                File.WriteAllText(In("agent/updates/release/image/signature-1"), "bad");
                break;
            case "renamed":
                asked = "9.9.9";
                File.WriteAllText(In("agent/updates/release/version"), "9.9.9\n");
                break;
            case "link":
                File.CreateSymbolicLink(In("agent/updates/release/image/x"), In("highest-version"));
                break;
            case "other version":
                File.WriteAllText(In("agent/updates/release/version"), "1.2.0\n");
                break;
        }
        var outcome = await InstallAsync($"install {asked}");
        Assert.StartsWith($"refused {asked}\n", outcome, StringComparison.Ordinal);
        Assert.Contains(reason, outcome, StringComparison.Ordinal);
        Assert.Equal(("id-1.0.0", "1.0.0"), (Told("tags/current"), Told("highest-version")));
    }

    [Theory]
    [InlineData("reboot 1.1.0", "'reboot' cannot be asked for")]
    [InlineData("install latest", "is no version")]
    [InlineData("", "is no version")]
    public async Task What_cannot_be_asked_for_is_refused(string request, string reason) => Assert.Contains(reason, await InstallAsync(request), StringComparison.Ordinal);

    [Fact]
    public async Task What_a_restart_of_the_box_cut_off_is_taken_back_and_not_begun_again()
    {
        Fetch("1.1.0");
        File.WriteAllText(In("agent/updates/taken"), "");
        File.WriteAllText(In("update-in-progress"), "id-1.0.0\n");
        File.WriteAllText(In("tags/current"), "id-1.1.0\n");
        Assert.Equal("failed 1.1.0\nthe box restarted, or was too slow, while it was at it; the version before is running\n", await InstallAsync("install 1.1.0"));
        Assert.Equal(("id-1.0.0", "id-1.0.0"), (Told("tags/current"), Told("serving")));
    }

    [Fact]
    public async Task Where_nothing_is_asked_for_nothing_is_done()
    {
        var install = await RunAsync();
        Assert.Equal(0, install.ExitCode);
        Assert.False(File.Exists(In("agent/updates/outcome")));
    }

    [Fact]
    public async Task Where_the_agent_put_a_link_in_place_of_its_folder_nothing_is_written_through_it()
    {
        Directory.Move(In("agent/updates"), In("elsewhere"));
        Directory.CreateSymbolicLink(In("agent/updates"), In("elsewhere"));
        File.WriteAllText(In("elsewhere/request"), "install 1.1.0\n");
        var install = await RunAsync();
        Assert.Equal(1, install.ExitCode);
        Assert.Contains("not a folder of its own", install.Errors, StringComparison.Ordinal);
        Assert.Equal(["release", "request"], Directory.EnumerateFileSystemEntries(In("elsewhere")).Select(Path.GetFileName).Order());
    }

    /// <summary>Leaves a release for the installer, as the agent does.</summary>
    private void Fetch(string version, string expires = "2099-01-01T00:00:00Z", RSA? key = null)
    {
        Directory.CreateDirectory(In("agent/updates/release/image"));
        File.WriteAllText(In("agent/updates/release/image/manifest.json"), $"manifest of {version}");
        File.WriteAllText(In("agent/updates/release/image/signature-1"), "good");
        var digest = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"manifest of {version}")));
        var document = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $$"""
            {
            "format":1,"image":"agent","version":"{{version}}",
            "expires":"{{expires}}",
            "files":[
            {"name":"manifest.json","bytes":17,"sha256":"{{digest}}"}
            ]}
            """));
        File.WriteAllBytes(In("agent/updates/release/release.json"), document);
        File.WriteAllBytes(In("agent/updates/release/release.sig"), (key ?? _key).SignData(document, HashAlgorithmName.SHA256, RSASignaturePadding.Pss));
        File.WriteAllText(In("agent/updates/release/version"), version + "\n");
    }

    /// <summary>What the installer says in the end.</summary>
    private async Task<string> InstallAsync(string request)
    {
        File.Delete(In("agent/updates/outcome"));
        File.WriteAllText(In("agent/updates/request"), request + "\n");
        var install = await RunAsync();
        Assert.True(install.ExitCode == 0, install.Errors);
        Assert.False(File.Exists(In("agent/updates/request")) || File.Exists(In("agent/updates/taken")) || Directory.Exists(In("incoming")), install.Errors);
        return File.ReadAllText(In("agent/updates/outcome"));
    }

    private Task<Script> RunAsync() => Script.RunAsync(In("sbin/foretier-install"), [], ("FORETIER_BOX", _box), ("PATH", $"{In("bin")}:{Environment.GetEnvironmentVariable("PATH")}"));

    private string Told(string name) => File.ReadAllText(In(name)).TrimEnd();

    private void Program(string name, string text)
    {
        File.WriteAllText(In(name), text);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(In(name), (UnixFileMode)0b111_101_101);
        }
    }

    private string In(string name) => Path.Combine(_box, name);
}
