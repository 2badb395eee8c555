using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using MQTTnet;

namespace Foretier.Tests.Integration.Cli;

/// <summary><c>foretier up</c> as scripts drive it: real processes, real ports.</summary>
public sealed class UpTests : IDisposable
{
    private readonly string _folder = Path.Combine(Directory.CreateTempSubdirectory("foretier-up-").FullName, "data");
    private readonly int _mqtt = RunningUp.FreePort();
    private readonly int _http = RunningUp.FreePort();

    // Nodes whose 'up' was killed end a moment after it.
    public void Dispose() => Folders.DeleteSoon(Path.GetDirectoryName(_folder)!);

    private Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments) => RunningUp.RunAsync([.. arguments, "--data", _folder]);

    private async Task<string> ValuesAsync()
    {
        var (_, output, _) = await RunAsync("query", "acme/boiler-1/temperature", "--json");
        return JsonDocument.Parse(output).RootElement.TryGetProperty("results", out var results)
            ? string.Join(' ', results[0].GetProperty("points").EnumerateArray().Select(point => point[1].GetRawText())) : "";
    }

    [Fact]
    public async Task A_value_published_is_answered_and_everything_is_there_again_after_a_clean_stop()
    {
        string secret;
        using (var first = await RunningUp.StartAsync(_folder, _mqtt, _http))
        {
            Assert.Equal(["mqtt", "router", "gateway", "agent", "pids", "account", "device", "user", "secret", "apiKey"], first.Line.EnumerateObject().Select(p => p.Name));
            Assert.True(OperatingSystem.IsWindows() || File.GetUnixFileMode(Path.Combine(_folder, "credentials.json")) == (UnixFileMode.UserRead | UnixFileMode.UserWrite));
            secret = first.Line.GetProperty("secret").GetString()!;
            Assert.Equal(0, (await RunAsync("publish", "acme/boiler-1/temperature", "21.5")).Code);
            await RunningUp.UntilAsync(async () => await ValuesAsync() == "21.5", "the value is answered");
            Assert.Equal(0, (await RunAsync("ledger")).Code);

            var pids = new[] { first.Pid("agent"), first.Pid("gateway"), first.Pid("router") };
            Assert.All(pids, pid => Assert.True(RunningUp.IsAlive(pid)));
            Assert.Equal(0, await first.StopAsync());
            Assert.All(pids, pid => Assert.False(RunningUp.IsAlive(pid)));
            Assert.Equal(4, (await RunAsync("ledger")).Code);
        }
        using var second = await RunningUp.StartAsync(_folder, _mqtt, _http);
        Assert.Equal(secret, second.Line.GetProperty("secret").GetString());
        await RunningUp.UntilAsync(async () => await ValuesAsync() == "21.5", "the value is still answered");
    }

    [Fact]
    public async Task A_child_that_dies_is_started_again_with_what_it_had()
    {
        using var up = await RunningUp.StartAsync(_folder, _mqtt, _http);
        Assert.Equal(0, (await RunAsync("publish", "acme/boiler-1/temperature", "1")).Code);
        foreach (var role in new[] { "agent", "gateway", "router" })
        {
            using var victim = System.Diagnostics.Process.GetProcessById(up.Pid(role));
            victim.Kill();
        }
        await RunningUp.UntilAsync(async () => (await RunAsync("publish", "acme/boiler-1/temperature", "2")).Code == 0, "the agent takes values again");
        await RunningUp.UntilAsync(async () => await ValuesAsync() == "1 2", "both values are answered");
        Assert.Equal(0, await up.StopAsync());
    }

    [Fact]
    public async Task Nodes_do_not_outlive_an_up_that_was_killed_and_the_next_one_takes_over()
    {
        using var first = await RunningUp.StartAsync(_folder, _mqtt, _http);
        var pids = new[] { first.Pid("agent"), first.Pid("gateway"), first.Pid("router") };
        first.Process.Kill();
        using var second = await RunningUp.StartAsync(_folder, _mqtt, _http);
        Assert.All(pids, pid => Assert.False(RunningUp.IsAlive(pid)));
        Assert.Equal(0, await second.StopAsync());
    }

    [Fact]
    public async Task An_interrupt_stops_also_one_that_a_script_started_in_the_background()
    {
        using var up = await RunningUp.StartInBackgroundAsync(_folder, _mqtt, _http);
        var pids = new[] { up.Pid("agent"), up.Pid("gateway"), up.Pid("router") };
        Assert.Equal(0, await up.StopAsync("INT"));
        Assert.All(pids, pid => Assert.False(RunningUp.IsAlive(pid)));
    }

    [Fact]
    public async Task A_tls_port_takes_clients_that_trust_the_certificate_it_names()
    {
        var port = RunningUp.FreePort();
        using var up = await RunningUp.StartAsync(_folder, _mqtt, _http, "--mqtt-tls-port", $"{port}");
        var tls = up.Line.GetProperty("mqttTls");
        Assert.Equal($"localhost:{port}", tls.GetProperty("address").GetString());
        using var certificate = X509CertificateLoader.LoadCertificateFromFile(tls.GetProperty("certificateFile").GetString()!);
        using var client = new MqttClientFactory().CreateMqttClient();
        await client.ConnectAsync(new MqttClientOptionsBuilder().WithTcpServer("localhost", port)
            .WithCredentials(up.Line.GetProperty("user").GetString(), up.Line.GetProperty("secret").GetString())
            .WithTlsOptions(o => o.WithTrustChain(new X509Certificate2Collection(certificate)).WithRevocationMode(X509RevocationMode.NoCheck)).Build());
        Assert.True(client.IsConnected);
        await client.DisconnectAsync();
        Assert.Equal(0, await up.StopAsync());
    }

    [Fact]
    public async Task A_second_instance_and_a_taken_port_are_plain_messages()
    {
        using var first = await RunningUp.StartAsync(_folder, _mqtt, _http);
        var same = await RunAsync("up");
        Assert.Equal((5, ""), (same.Code, same.Output));
        Assert.Contains("running already", same.Error, StringComparison.Ordinal);

        var port = await RunningUp.RunAsync("up", "--data", _folder + "-2", "--mqtt-port", $"{_mqtt}", "--http-port", $"{RunningUp.FreePort()}");
        Assert.Equal((5, ""), (port.Code, port.Output));
        Assert.Contains($"port {_mqtt} (MQTT) is taken", port.Error, StringComparison.Ordinal);
        Assert.Contains("--mqtt-port", port.Error, StringComparison.Ordinal);
    }
}
