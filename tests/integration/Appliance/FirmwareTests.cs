namespace Foretier.Tests.Integration.Appliance;

/// <summary>Images and configuration of boxes, as files.</summary>
public class FirmwareTests
{
    [ToolFact("nft", "nftables")]
    public async Task The_programs_that_read_it_take_the_configuration_of_a_box()
    {
        var check = await Script.RunAsync("check-firmware", [], ("PATH", Environment.GetEnvironmentVariable("PATH") + ":/usr/sbin:/sbin"));
        Assert.True(check.ExitCode == 0, check.Output + check.Errors);
        Assert.Contains("nftables.conf", check.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Dockerfile.arm64", "Foretier.Agent")]
    [InlineData("Dockerfile.gateway", "Foretier.Gateway")]
    [InlineData("Dockerfile.router", "Foretier.Router")]
    public void An_image_reports_to_nobody_runs_as_nobody_and_needs_no_shell(string dockerfile, string program)
    {
        var text = File.ReadAllText(Path.Combine(Repository.Root, dockerfile));
        var image = text[text.IndexOf("FROM ${BASE}", StringComparison.Ordinal)..];
        Assert.Contains("ORT_DISABLE_TELEMETRY=1", image, StringComparison.Ordinal);
        Assert.Contains("USER 64198:64198", image, StringComparison.Ordinal);
        Assert.DoesNotContain("\nRUN ", image, StringComparison.Ordinal);
        Assert.Contains($"ENTRYPOINT [\"/opt/foretier/{program}\"]", image, StringComparison.Ordinal);
        Assert.Contains($"CMD [\"/opt/foretier/{program}\", \"--healthcheck\"]", image, StringComparison.Ordinal);
        Assert.Equal(3, text.Split("COPY --from=build /layers/").Length - 1);
    }

    [Theory]
    [InlineData("Dockerfile.arm64")]
    [InlineData("Dockerfile.gateway")]
    [InlineData("Dockerfile.router")]
    public void An_image_is_built_for_the_platform_that_is_asked_for_on_a_base_that_knows_time_zones(string dockerfile)
    {
        var text = File.ReadAllText(Path.Combine(Repository.Root, dockerfile));
        // With a default of the file's own, docker no longer sets it: an image for arm64 would hold programs for amd64.
        Assert.DoesNotContain("ARG TARGETARCH=", text, StringComparison.Ordinal);
        Assert.Matches(@"(?m)^ARG BASE=\S+-chiseled-extra$", text);
    }

    [Fact]
    public void The_compose_file_keeps_no_secrets()
    {
        var text = File.ReadAllText(Path.Combine(Repository.Root, "compose.yaml"));
        foreach (var line in text.Split('\n').Where(l => l.Contains("PASSWORD:", StringComparison.Ordinal) || l.Contains("TOKEN:", StringComparison.Ordinal) || l.Contains("BOOTSTRAP:", StringComparison.Ordinal)))
        {
            Assert.Matches(@": \$\{\w+:\?set \w+ in cloud\.env", line);
        }
    }
}
