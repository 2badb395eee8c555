using System.Security.Cryptography.X509Certificates;
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
using Microsoft.Extensions.Time.Testing;

namespace Foretier.Tests.Unit.Ingest;

/// <summary>An agent's MQTT face on a free port over a real hot store, with a device acme/boiler-1 and a concentrator acme/*.</summary>
internal sealed class MqttFixture : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly string _folder;

    private MqttFixture(string folder, WebApplication app)
    {
        _folder = folder;
        _app = app;
    }

    public required HeldDisk Disk { get; init; }
    public required HotStore Store { get; init; }
    public required Catalog Catalog { get; init; }
    public required DeviceRegistry Devices { get; init; }
    public required MqttIngest Ingest { get; init; }
    public required FakeTimeProvider Wire { get; init; }
    public required string Secret { get; init; }
    public required string ConcentratorSecret { get; init; }
    public string QuarantineFile => Path.Combine(_folder, "quarantine.jsonl");
    public int Port => Ports[0];

    /// <summary>Of the ports asked for, in the order plain, TLS, WebSocket.</summary>
    public IReadOnlyList<int> Ports { get; private set; } = [];

    public static async Task<MqttFixture> StartAsync(
        Func<MqttOptions, MqttOptions>? change = null, Func<X509Certificate2, DeviceName?>? identify = null)
    {
        var folder = Directory.CreateTempSubdirectory("foretier-mqtt-").FullName;
        var clock = new FakeTimeProvider(DateTimeOffset.Parse("2017-03-10T00:00:00Z"));
        var wire = new FakeTimeProvider();
        var disk = new HeldDisk(Path.Combine(folder, "hot"));
        var catalog = new Catalog();
        var store = HotStore.Open(
            new HotOptions
            {
                Directory = Path.Combine(folder, "hot"),
                JournalFileBytes = 1024 * 1024,
                JournalFiles = 2,
                CommitInterval = TimeSpan.Zero,
                ReserveBytes = 0,
            },
            disk, catalog, clock, NullLogger.Instance);
        var devices = DeviceRegistry.Open(Path.Combine(folder, "devices.json"), clock);
        var options = new MqttOptions { Port = 0, QuarantineFile = Path.Combine(folder, "quarantine.jsonl") };
        options = change?.Invoke(options) ?? options;
        var ingest = new MqttIngest(options, store, devices, clock, NullLogger<MqttIngest>.Instance, wire, identify);
        await ingest.StartAsync();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(options, ingest.OnConnectedAsync));
        WebApplication app;
        try
        {
            app = builder.Build();
            app.MapMqtt(options, ingest);
        }
        catch
        {
            await ingest.DisposeAsync();
            await store.DisposeAsync();
            Directory.Delete(folder, recursive: true);
            throw;
        }
        var fixture = new MqttFixture(folder, app)
        {
            Disk = disk,
            Store = store,
            Catalog = catalog,
            Devices = devices,
            Ingest = ingest,
            Wire = wire,
            Secret = devices.Add(new("acme", "boiler-1"))!,
            ConcentratorSecret = devices.Add(new("acme", "*"))!,
        };
        try
        {
            await app.StartAsync();
        }
        catch
        {
            await fixture.DisposeAsync();
            throw;
        }
        var bound = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!;
        fixture.Ports = [.. bound.Addresses.Select(a => new Uri(a).Port)];
        return fixture;
    }

    public Task<WireClient> ConnectAsync(byte version = 4, string clientId = "raw", ushort keepAlive = 0, string user = "acme/boiler-1") =>
        WireClient.ConnectAsync(Port, version, clientId, user, user.EndsWith('*') ? ConcentratorSecret : Secret, keepAlive);

    public long Rejected(string code) => Store.Ledger.RejectedBy.GetValueOrDefault(code);

    public async ValueTask DisposeAsync()
    {
        Disk.LetGo();
        await _app.StopAsync();
        await Ingest.DisposeAsync();
        await _app.DisposeAsync();
        await Store.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
