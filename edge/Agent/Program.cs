using Foretier.Agent;
using Foretier.Agent.Allocate;
using Foretier.Agent.Hot;
using Foretier.Agent.Ingest.Http;
using Foretier.Agent.Ingest;
using Foretier.Agent.Ingest.Identity;
using Foretier.Agent.Ingest.Identity.Certificates;
using Foretier.Agent.Ingest.Mqtt;
using Foretier.Agent.Sensors;
using Foretier.Agent.Ship;
using Foretier.Agent.Updates;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Node.Access;
using Foretier.Node.Hosting;
using Foretier.Node.Keys;
using Foretier.Node.Link;
using Foretier.Node.Prometheus;
using Foretier.Node.Serve;
using Foretier.Predict.Models;
using Foretier.Protocol.Releases;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

// Started again by itself, to run a model (ChildInference).
if (InferenceChild.Requested(args))
{
    return InferenceChild.Run();
}

// What a socket wakes goes on with it, from the poll to the journal's queue: a hop to another thread costs more than a message. Read by
// the first socket of the process, therefore before everything else.
Environment.SetEnvironmentVariable("DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS", "1");

// The edge agent: MQTT in, durable, queryable at once, with or without an uplink.
return await NodeHost.RunAsync(args, "agent", async args =>
{
    MqttIngest? ingest = null;
    var builder = NodeHost.CreateBuilder<AgentOptions>(args, out var options);
    var mqtt = ConfigurationException.Check(() => options.CheckedTogether().MqttChecked());
    builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(mqtt, () => ingest!));
    builder.Services.Configure<SocketTransportOptions>(MqttEndpoints.BoundSockets);
    builder.Services.AddHostedService(_ => new IdleMemory());
    await using var app = builder.Build();
    // Without a test's clock, one before the program was made is wrong.
    var system = app.Services.GetRequiredService<TimeProvider>();
    var clock = new SiteClock(system, options.Clock is { Length: > 0 } ? 0 : Instant.From(File.GetLastWriteTimeUtc(typeof(HotStore).Assembly.Location)), ScaledClock.RateOf(system));
    var logs = app.Services.GetRequiredService<ILoggerFactory>();

    app.LeaveSocketThreads();

    // Hot: what was acknowledged before is there again before the first connection.
    var catalog = new Catalog();
    await using var store = await HotStore.OpenAsync(ConfigurationException.Check(options.HotChecked), catalog, clock,
        logs.CreateLogger<HotStore>(), CancellationToken.None);

    // Down to the gateway, where there is one.
    await using var shipper = options.Upstream is { Length: > 0 } upstream
        ? new Shipper(store, ConfigurationException.Check(() => options.ShipChecked(upstream)), clock, logs.CreateLogger<Shipper>()) : null;

    // The model that forecasts: the one that came with the program, or a better one from afar.
    await using var updates = ConfigurationException.Open<ModelUpdates, ReleaseRefusedException>("FORETIER__UPDATES__CERTIFICATE", () => new(
        ConfigurationException.Check(options.Updates.Validated), Path.Combine(options.Data, "models"), ConfigurationException.Check(options.Models.Validated), clock, logs.CreateLogger<ModelUpdates>()));

    // And the program itself, which the box's installer replaces.
    var images = ConfigurationException.Open<ImageUpdates, ReleaseRefusedException>("FORETIER__UPDATES__IMAGECERTIFICATE", () => new(
        options.Updates, Path.Combine(options.Data, "updates"), Environment.GetEnvironmentVariable(Health.ImageVariable), clock, logs.CreateLogger<ImageUpdates>()));

    // Forecast: the map of what is to come, and room for it.
    var ring = app.Services.GetRequiredService<KeyRing>();
    await using var map = new MapRefresh(ConfigurationException.Check(options.AllocateChecked), catalog, store.ReserveAsync, store.NameOf, clock,
        logs.CreateLogger<MapRefresh>(), updates.IsWanted ? updates.StartServingAsync : null, options.Models.Starter(ModelContract.AccessRanker), ring.TermsOf, updates.AfterCycleAsync);
    store.Accepted = map.Observe;
    store.LeastWorth = map.LeastWorth;
    clock.Passed += map.Missed;
    map.Start();

    // Ingest.
    var identity = ConfigurationException.Check(options.IdentityChecked);
    var devices = DeviceRegistry.Open(Path.Combine(options.Data, "devices.json"), clock, identity);
    using var certificates = ConfigurationException.Check(() => DeviceCertificates.Open(options.Data, options.Node, devices, identity, clock));
    if (identity.AnonymousAccount is { } open)
    {
        logs.CreateLogger<DeviceRegistry>().LogWarning("Anybody who reaches the MQTT port may publish to account {Account} without credentials (Identity:AnonymousAccount)", open);
    }
    using var watch = DeviceWatch.Start(devices, Path.Combine(options.Data, "seen.json"), clock, logs.CreateLogger<DeviceWatch>());
    using var stamps = StampBook.Open(Path.Combine(options.Data, "stamped.json"), clock, logs.CreateLogger<StampBook>());
    await using var mqttIngest = ingest = new MqttIngest(mqtt, store, devices, clock, logs.CreateLogger<MqttIngest>(),
        identify: certificates.Identify, ingest: ConfigurationException.Check(options.Ingest.Validated), stamps: stamps);
    await ingest.StartAsync();
    app.MapMqtt(mqtt, ingest);
    using var influx = new InfluxApi(ConfigurationException.Check(options.Influx.Validated), ingest.Intake, ingest.LogIns);
    influx.Map(app);
    await using var sensors = new SensorSet(ConfigurationException.Check(options.Sensors.Validated), () => Board.Real, ingest.Intake, clock, logs.CreateLogger<SensorSet>());
    sensors.Start();

    // Questions, asked here or by the node above.
    var access = new AccessBook(clock, map.Count, below: null);
    var health = new SourceHealth(TimeProvider.System);
    health.Own(options.Node);
    var answerer = new Answerer(catalog, node => node == options.Node ? store : null, health, clock, () => map.Current);
    var administration = new Administration(options.Node, store, devices, certificates, watch, TimeProvider.System);
    var checks = new AgentChecks(options, mqtt, store, devices, watch, certificates, shipper is null ? null : () => shipper.Problems.FirstOrDefault(), stamps, clock);
    IEnumerable<string> Problems() => store.Problems.Concat(new[] { ring.Problem, devices.Problem, certificates.Problem, map.Problem, updates.Problem, images.Problem }.OfType<string>()).Concat(shipper?.Problems ?? []).Concat(sensors.Problems);
    images.Problems = Problems;
    var cascade = new Cascade(new NodeDuties
    {
        Fleet = new() { Node = options.Node, Role = "edge", Problems = Problems, Model = () => map.Model, FlashYears = () => store.Wear.LifeYears },
        Ledger = () => store.Ledger,
        Move = async (move, cancel) => shipper is null ? throw new InvalidOperationException("this edge has no gateway; set FORETIER__UPSTREAM")
            : await store.ReleaseAsync(move.Before, cancel),
        ChangeSeries = administration.ChangeSeriesAsync,
        Deletion = new()
        {
            Delete = (series, range, cancel) => administration.DeleteAsync(series, range, shipper is not null, cancel),
            EdgesOf = _ => [],
        },
        Flash = () => store.Wear.ToEntry(options.Node),
        Devices = administration.Duties,
        Terms = () => ring.Current.Accounts,
        Enrolment = administration.Enrolment,
        Forecasts = new() { Of = map.ForecastOf, Scorecard = days => map.ScorecardOf(days) with { Moves = store.Moves }, Gaps = map.GapsOfEdge },
        Report = () => new SelfCheck(options, clock).Report(checks.Make().Concat(sensors.Checks()), store.Ledger, store.Problems),
    }, below: null, clock, logs.CreateLogger<Cascade>());

    app.MapHealth(Problems);
    using var metrics = new NodeMetrics(options.Node, clock);
    metrics.Observe(store, ingest, devices, watch);
    metrics.Observe(map);
    sensors.Observe(metrics.Meter);
    metrics.Map(app);
    var api = app.MapApi();
    new QueryApi(answerer, catalog, clock, () => map.Current, access.Asked).Map(api);
    app.MapPrometheus(api, new(answerer, catalog, clock, access.Asked));
    cascade.Map(api);
    api.MapModels(options.Node, updates, clock);
    cascade.MapPublic(app);
    var keys = new KeyApi(ring, options.Upstream);
    keys.Map(api);
    var inner = app.MapInternal();
    inner.MapFetch(store);
    inner.MapCatalog(catalog, clock, () => []);
    inner.MapUpdates(map);
    inner.MapUpdates(updates);
    inner.MapUpdates(images);
    access.Map(inner);
    cascade.Map(inner);
    keys.MapInternal(inner);

    await app.RunAsync();
    await ingest.StopAsync();
});
