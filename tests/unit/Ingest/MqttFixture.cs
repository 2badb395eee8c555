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
    private WebApplication _app = null!;
    private Func<Task> _open = null!;
    private readonly string _folder;

    private MqttFixture(string folder, IdentityOptions? identity)
    {
        _folder = folder;
        Devices = DeviceRegistry.Open(Path.Combine(folder, "devices.json"), Clock, identity);
        Secret = Devices.Add(new("acme", "boiler-1"))!;
        ConcentratorSecret = Devices.Add(new("acme", "*"))!;
    }

    public HeldDisk Disk { get; private set; } = null!;
    public HotStore Store { get; private set; } = null!;
    public Catalog Catalog { get; private set; } = null!;
    public DeviceRegistry Devices { get; }
    public MqttIngest Ingest { get; private set; } = null!;
    public FakeTimeProvider Clock { get; } = new(DateTimeOffset.Parse("2017-03-10T00:00:00Z"));
    public FakeTimeProvider Wire { get; } = new();
    public string Secret { get; }
    public string ConcentratorSecret { get; }
    public string QuarantineFile => Path.Combine(_folder, "quarantine.jsonl");
    public int Port => Ports[0];

    /// <summary>Of the ports asked for, in the order plain, TLS, WebSocket.</summary>
    public IReadOnlyList<int> Ports { get; private set; } = [];

    public static async Task<MqttFixture> StartAsync(
        Func<MqttOptions, MqttOptions>? change = null, Func<X509Certificate2, DeviceName?>? identify = null, ILogger<MqttIngest>? log = null,
        IdentityOptions? identity = null)
    {
        var folder = Directory.CreateTempSubdirectory("foretier-mqtt-").FullName;
        var options = new MqttOptions { Port = 0, QuarantineFile = Path.Combine(folder, "quarantine.jsonl") };
        options = change?.Invoke(options) ?? options;
        var fixture = new MqttFixture(folder, identity);
        fixture._open = async () =>
        {
            fixture.Disk = new HeldDisk(Path.Combine(folder, "hot"));
            fixture.Catalog = new();
            fixture.Store = HotStore.Open(
                new HotOptions
                {
                    Directory = Path.Combine(folder, "hot"),
                    JournalFileBytes = 1024 * 1024,
                    JournalFiles = 2,
                    CommitInterval = TimeSpan.Zero,
                    ReserveBytes = 0,
                },
                fixture.Disk, fixture.Catalog, fixture.Clock, NullLogger.Instance);
            fixture.Ingest = new MqttIngest(
                options, fixture.Store, fixture.Devices, fixture.Clock, log ?? NullLogger<MqttIngest>.Instance, fixture.Wire, identify);
            await fixture.Ingest.StartAsync();
        };
        await fixture._open();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(options, () => fixture.Ingest));
        WebApplication app;
        try
        {
            app = fixture._app = builder.Build();
            app.MapMqtt(options, fixture.Ingest);
        }
        catch
        {
            await fixture.Ingest.DisposeAsync();
            await fixture.Store.DisposeAsync();
            Directory.Delete(folder, recursive: true);
            throw;
        }
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

    /// <summary>The agent is killed, and started again: what was not synced is gone.</summary>
    public async Task KillAsync()
    {
        await Store.AbandonAsync();
        await Ingest.DisposeAsync();
        await _open();
    }

    public async Task UntilAsync(Func<bool> condition)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!condition())
        {
            await Task.Delay(5, patience.Token);
        }
    }

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
