using System.Diagnostics;
using Foretier.Agent.Hot;
using Foretier.Agent.Ingest.Identity;
using Foretier.Agent.Ingest.Mqtt;
using Foretier.Core.Tiers;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Foretier.Tests.Integration.Ingest;

/// <summary>The client a newcomer has at hand, against the agent's MQTT port.</summary>
public sealed class MosquittoPubTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-mosquitto-").FullName;
    private WebApplication _app = null!;
    private HotStore _store = null!;
    private MqttIngest _ingest = null!;
    private string _secret = "";
    private int _port;

    public async Task InitializeAsync()
    {
        _store = await HotStore.OpenAsync(
            new() { Directory = Path.Combine(_folder, "hot"), JournalFileBytes = 1024 * 1024, ReserveBytes = 0 },
            new Catalog(), TimeProvider.System, NullLogger<HotStore>.Instance, CancellationToken.None);
        var devices = DeviceRegistry.Open(Path.Combine(_folder, "devices.json"), TimeProvider.System);
        _secret = devices.Add(new("acme", "boiler-1"))!;
        var options = new MqttOptions { Port = 0, QuarantineFile = Path.Combine(_folder, "quarantine.jsonl") };
        _ingest = new(options, _store, devices, TimeProvider.System, NullLogger<MqttIngest>.Instance);
        await _ingest.StartAsync();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(options, () => _ingest));
        _app = builder.Build();
        await _app.StartAsync();
        _port = new Uri(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()).Port;
    }

    public async Task DisposeAsync()
    {
        await _app.StopAsync();
        await _ingest.DisposeAsync();
        await _app.DisposeAsync();
        await _store.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [ToolFact("mosquitto_pub", "mosquitto-clients")]
    public async Task Publishes_with_each_protocol_and_quality_of_service()
    {
        var sent = 0;
        foreach (var version in new[] { "mqttv31", "mqttv311", "mqttv5" })
        {
            for (var qos = 0; qos <= 2; qos++)
            {
                var (exit, error) = await PublishAsync(_secret, "-V", version, "-q", $"{qos}", "-t", "v1/acme/boiler-1/temperature", "-m", "21.5");
                Assert.True(exit == 0, $"{version} QoS {qos}: {error}");
                sent++;
            }
        }
        // QoS 0 has no answer to wait for.
        for (var patience = 0; _store.Ledger.Accepted < sent && patience < 1000; patience++)
        {
            await Task.Delay(10);
        }
        Assert.Equal((sent, 0), (_store.Ledger.Accepted, _store.Ledger.Rejected));
    }

    [ToolFact("mosquitto_pub", "mosquitto-clients")]
    public async Task Is_told_about_wrong_credentials_and_foreign_topics()
    {
        var (exit, error) = await PublishAsync("wrong", "-t", "v1/acme/boiler-1/temperature", "-m", "21.5");
        Assert.NotEqual(0, exit);
        Assert.Contains("bad user name or password", error, StringComparison.OrdinalIgnoreCase);
        (_, error) = await PublishAsync(_secret, "-V", "mqttv5", "-q", "1", "-t", "v1/acme/boiler-2/temperature", "-m", "21.5");
        Assert.Contains("not authorized", error, StringComparison.OrdinalIgnoreCase);
        Assert.Equal((0, 1), (_store.Ledger.Accepted, _store.Ledger.Rejected));
    }

    private async Task<(int Exit, string Error)> PublishAsync(string secret, params string[] arguments)
    {
        var start = new ProcessStartInfo("mosquitto_pub") { RedirectStandardError = true, RedirectStandardOutput = true };
        foreach (var argument in (string[])["-h", "127.0.0.1", "-p", $"{_port}", "-u", "acme/boiler-1", "-P", secret, .. arguments])
        {
            start.ArgumentList.Add(argument);
        }
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(60));
        return (process.ExitCode, await output + await error);
    }
}
