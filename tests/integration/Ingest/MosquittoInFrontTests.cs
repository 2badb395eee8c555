using System.Diagnostics;

namespace Foretier.Tests.Integration.Ingest;

/// <summary>A mosquitto that devices already use, bridged to the agent as the README says.</summary>
public sealed class MosquittoInFrontTests(LiveAgent agent) : IClassFixture<LiveAgent>, IDisposable
{
    private const string Program = "/usr/sbin/mosquitto";
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-bridge-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [ToolFact(Program, "mosquitto")]
    public async Task What_devices_publish_to_mosquitto_arrives_at_the_agent_at_qos_1()
    {
        var port = LiveAgent.FreePort();
        var file = Path.Combine(_folder, "mosquitto.conf");
        await File.WriteAllTextAsync(file, $"""
            listener {port} 127.0.0.1
            allow_anonymous true
            connection foretier
            address 127.0.0.1:{agent.MqttPort}
            remote_username acme/*
            remote_password {LiveAgent.Secret}
            topic v1/acme/# out 1
            notifications false

            """);
        using var mosquitto = Process.Start(new ProcessStartInfo(Program, ["-c", file]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        var log = mosquitto.StandardError.ReadToEndAsync();
        try
        {
            foreach (var value in new[] { "1.5", "2.5", "3.5" })
            {
                Assert.Equal(0, await PublishAsync(port, value));
            }
            await agent.HasAsync("acme/bridged-1/level", "1.5 2.5 3.5");
        }
        finally
        {
            mosquitto.Kill();
            await mosquitto.WaitForExitAsync();
            await log;
        }
        using var metrics = await agent.Http.GetAsync(new Uri("metrics", UriKind.Relative));
        var text = await metrics.Content.ReadAsStringAsync();
        Assert.DoesNotContain("foretier_samples_rejected_total{", text, StringComparison.Ordinal);
        foreach (var name in new[] { "connections_refused_total{reason=\"rate\"}", "connections_refused_total{reason=\"room\"}", "deliveries_dropped_total", "retained_refused_total" })
        {
            Assert.Contains($"foretier_mqtt_{name} 0\n", text, StringComparison.Ordinal);
        }
    }

    /// <summary>Tries again while mosquitto is not listening yet.</summary>
    private static async Task<int> PublishAsync(int port, string value)
    {
        for (var tries = 0; ; tries++)
        {
            using var publish = Process.Start(new ProcessStartInfo("mosquitto_pub",
                ["-h", "127.0.0.1", "-p", $"{port}", "-q", "1", "-t", "v1/acme/bridged-1/level", "-m", value])
            { RedirectStandardError = true })!;
            await publish.WaitForExitAsync();
            if (publish.ExitCode == 0 || tries == 200)
            {
                return publish.ExitCode;
            }
            await Task.Delay(50);
        }
    }
}
