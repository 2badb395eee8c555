using System.Net;
using System.Net.Sockets;
using Foretier.Cli;
using Foretier.Cli.Up;
using Foretier.Tests.Unit.House;

namespace Foretier.Tests.Unit.Cli;

public sealed class UpTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-up-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private void Program(string folder, string name)
    {
        Directory.CreateDirectory(Path.Combine(_folder, folder));
        File.WriteAllText(Path.Combine(_folder, folder, name), "");
        File.WriteAllText(Path.Combine(_folder, folder, name + ".runtimeconfig.json"), "");
    }

    [Fact]
    public void The_nodes_are_found_where_they_were_built_else_beside_the_program()
    {
        foreach (var (folder, name) in new[] { ("agent", "Foretier.Agent"), ("gateway", "Foretier.Gateway"), ("router", "Foretier.Router"), ("built", "Foretier.Router") })
        {
            Program(folder, name);
        }
        var found = NodeExecutables.Find(_folder, name => name switch
        {
            "Foretier.Agent" => "gone/Foretier.Agent.dll",
            "Foretier.Router" => "built/Foretier.Router.dll",
            _ => null,
        });
        Assert.Equal(new(Path.Combine(_folder, "agent/Foretier.Agent"), Path.Combine(_folder, "gateway/Foretier.Gateway"), Path.Combine(_folder, "built/Foretier.Router")), found);
    }

    [Fact]
    public void A_missing_node_is_said_with_where_it_was_looked_for()
    {
        var missing = Assert.Throws<CommandException>(() => NodeExecutables.Find(_folder, _ => null));
        Assert.Equal(ExitCode.NotHere, missing.ExitCode);
        Assert.Contains(Path.Combine(_folder, "agent"), missing.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void This_build_remembers_where_its_nodes_are()
    {
        var found = NodeExecutables.Find();
        Assert.True(File.Exists(found.Agent) && File.Exists(found.Gateway) && File.Exists(found.Router));
    }

    [Fact]
    public void A_second_up_on_a_folder_is_turned_away_and_told_where_the_first_is()
    {
        var data = new DataFolder(_folder);
        using (UpLock.Take(data))
        {
            DataFolder.Replace(data.RunFile, new RunInfo("127.0.0.1:1883", "http://127.0.0.1:8080", "", "", new(1, 2, 3), 4711));
            var second = Assert.Throws<CommandException>(() => UpLock.Take(data));
            Assert.Equal(ExitCode.NotHere, second.ExitCode);
            Assert.Contains("running already", second.Message, StringComparison.Ordinal);
            Assert.Contains("4711", second.Message, StringComparison.Ordinal);
        }
        using var after = UpLock.Take(data);
    }

    [Fact]
    public void A_folder_that_cannot_be_made_is_a_plain_message()
    {
        File.WriteAllText(Path.Combine(_folder, "file"), "");
        var refused = Assert.Throws<CommandException>(() => UpLock.Take(new(Path.Combine(_folder, "file/data"))));
        Assert.Equal(ExitCode.NotHere, refused.ExitCode);
        Assert.Contains("--data", refused.Advice, StringComparison.Ordinal);
    }

    [Fact]
    public void The_archive_is_in_the_data_folder_or_where_it_is_asked_for()
    {
        var data = new DataFolder(_folder);
        Assert.Equal(data.In("archive"), ArchivePlace.Of(data, null));
        Assert.Equal(Path.Combine(_folder, "a/b"), ArchivePlace.Of(data, Path.Combine(_folder, "a/b")));
        Assert.Equal("s3://bucket", ArchivePlace.Of(data, "s3://bucket"));
        Assert.Empty(Directory.GetFiles(data.In("archive")));

        File.WriteAllText(Path.Combine(_folder, "file"), "");
        var refused = Assert.Throws<CommandException>(() => ArchivePlace.Of(data, Path.Combine(_folder, "file")));
        Assert.Equal(ExitCode.NotHere, refused.ExitCode);
        Assert.Contains("--archive", refused.Advice, StringComparison.Ordinal);
    }

    [Fact]
    public void Credentials_are_for_their_owner_alone_and_stay()
    {
        var data = new DataFolder(_folder);
        var made = Credentials.Create();
        DataFolder.Replace(data.CredentialsFile, made);
        Assert.Equal(made, data.ReadCredentials());
        Assert.NotEqual(made.Secret, Credentials.Create().Secret);
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(data.CredentialsFile));
        }
    }

    [Fact]
    public void Chosen_ports_are_kept_while_they_are_free_and_a_taken_one_that_was_asked_for_is_named()
    {
        var data = new DataFolder(_folder);
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        using var other = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        other.Start();
        var (mqtt, http) = (((IPEndPoint)probe.LocalEndpoint).Port, ((IPEndPoint)other.LocalEndpoint).Port);
        other.Stop();
        var taken = Assert.Throws<CommandException>(() => Ports.Choose(data, mqtt, http));
        Assert.Contains(mqtt.ToString(System.Globalization.CultureInfo.InvariantCulture), taken.Message, StringComparison.Ordinal);
        Assert.Contains("--mqtt-port", taken.Advice, StringComparison.Ordinal);
        probe.Stop();

        var first = Ports.Choose(data, mqtt, http);
        Assert.Equal(first, Ports.Choose(data, mqtt, http));
        using var squatter = new TcpListener(IPAddress.Loopback, first.Agent);
        squatter.Start();
        var moved = Ports.Choose(data, mqtt, http);
        Assert.NotEqual(first.Agent, moved.Agent);
        Assert.Equal(first.Gateway, moved.Gateway);
    }

    [Fact]
    public void A_tls_port_is_the_agents_alone_and_no_other_ones()
    {
        var data = new DataFolder(_folder);
        var port = RunningPort();
        var same = Assert.Throws<CommandException>(() => Ports.Choose(data, port, 1, mqttTls: port));
        Assert.Equal(ExitCode.BadUsage, same.ExitCode);
        Assert.Contains("--mqtt-port and --mqtt-tls-port", same.Message, StringComparison.Ordinal);
        var plans = NodePlan.Of(data, new("agent", "gateway", "router"), Credentials.Create(), new(1, 2, 3, 4, 8883), "archive", clock: null);
        Assert.Equal("8883", plans[0].Environment["FORETIER__MQTT__TLS__PORT"]);
        Assert.All(plans.Skip(1), plan => Assert.DoesNotContain(plan.Environment.Keys, key => key.Contains("MQTT", StringComparison.Ordinal)));
        Assert.All(plans, plan => Assert.DoesNotContain("FORETIER__CLOCK", plan.Environment.Keys));
        Assert.All(NodePlan.Of(data, new("agent", "gateway", "router"), Credentials.Create(), new(1, 2, 3, 4), "archive", "2026-01-01T00:00:00Z@60"),
            plan => Assert.Equal("2026-01-01T00:00:00Z@60", plan.Environment["FORETIER__CLOCK"]));
        Assert.DoesNotContain("FORETIER__MQTT__TLS__PORT", NodePlan.Of(data, new("agent", "gateway", "router"), Credentials.Create(), new(1, 2, 3, 4), "archive", clock: null)[0].Environment.Keys);
    }

    [Theory]
    [InlineData("agent", "arm64")]
    [InlineData("gateway", "gateway")]
    [InlineData("router", "router")]
    public void Nodes_run_here_as_in_their_images(string role, string file)
    {
        var data = new DataFolder(_folder);
        var plan = NodePlan.Of(data, new("agent", "gateway", "router"), Credentials.Create(), new(1, 2, 3, 4), "archive", clock: null).Single(plan => plan.Role == role);
        var image = File.ReadAllText(Path.Combine(LayeringTests.Root, $"Dockerfile.{file}"));
        Assert.NotEmpty(NodePlan.RuntimeOf(role));
        Assert.All(NodePlan.RuntimeOf(role), setting =>
        {
            Assert.Equal(setting.Value, plan.Environment[setting.Key]);
            Assert.Contains($" {setting.Key}={setting.Value} ", image, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void An_agent_without_a_container_runs_as_in_its_image() =>
        Assert.All(NodePlan.RuntimeOf("agent"), setting => Assert.Contains($" {setting.Key}={setting.Value} ",
            File.ReadAllText(Path.Combine(LayeringTests.Root, "firmware-config/plain/foretier-agent.service")), StringComparison.Ordinal));

    private static int RunningPort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }

    [Theory]
    [InlineData("scripts/foretier", "scripts/foretier")]
    [InlineData("/my data/it's", "'/my data/it'\\''s'")]
    [InlineData("", "''")]
    public void Names_are_quoted_for_a_shell(string text, string quoted) => Assert.Equal(quoted, Invocation.Quote(text));
}
