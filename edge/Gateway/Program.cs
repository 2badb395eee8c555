using Foretier.Archive;
using Foretier.Archive.Stores;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Node.Access;
using Foretier.Gateway;
using Foretier.Gateway.Care;
using Foretier.Gateway.Pack;
using Foretier.Gateway.Receive;
using Foretier.Gateway.Stage;
using Foretier.Gateway.Warm;
using Foretier.Node.Hosting;
using Foretier.Node.Keys;
using Foretier.Node.Link;
using Foretier.Node.Map;
using Foretier.Node.Prometheus;
using Foretier.Node.Serve;
using Foretier.Predict.Models;
using Foretier.Protocol;
using Foretier.Protocol.Api;

// Started again by itself, to run a model (ChildInference).
if (InferenceChild.Requested(args))
{
    return InferenceChild.Run();
}

// The gateway: takes in what its edges ship, keeps it on a hard disk, packs it to the archive, and answers for all of it.
return await NodeHost.RunAsync(args, "gateway", async args =>
{
    var builder = NodeHost.CreateBuilder<GatewayOptions>(args, out var options);
    builder.UseLinkBuffers();
    await using var app = builder.Build();
    var clock = app.Services.GetRequiredService<TimeProvider>();
    var logs = app.Services.GetRequiredService<ILoggerFactory>();

    // The archive below, then the disk, which learns from it where its own catalog is new.
    using var archive = options.Archive.Length > 0 ? ConfigurationException.Open<ObjectStore, ArchiveException>("FORETIER__ARCHIVE", () => ObjectStore.Open(options.Archive)) : null;
    using var archived = archive is null ? null : new ArchiveCatalog(archive, options.Site);
    var catalog = new Catalog();
    var care = ConfigurationException.Check(options.Care.Validated);
    await using var store = await WarmStore.OpenAsync(new(options.Node, Path.Combine(options.Data, "hdd")) { BytesMax = care.BytesMax }, catalog, clock,
        logs.CreateLogger<WarmStore>(), archived is null ? null : archived.RefreshAsync, CancellationToken.None);

    // The edges, which dial in.
    var hub = new LinkHub(logs.CreateLogger<LinkHub>(), options.Link);
    var health = new SourceHealth(TimeProvider.System);
    var follower = new CatalogFollower(hub, catalog, health, clock, logs.CreateLogger<CatalogFollower>(), Roster.Open(Path.Combine(options.Data, "roster.json")));
    follower.Learnt += store.Learn;
    hub.Map(app);
    var ring = app.Services.GetRequiredService<KeyRing>();
    _ = new KeyPush(hub, ring, clock, logs.CreateLogger<KeyPush>());
    var keys = new KeyApi(ring, options.Upstream);

    // Down to the archive.
    var writer = archive is null ? null : new ArchiveWriter(archive, new() { Site = options.Site, ScratchPath = Path.Combine(options.Data, "scratch") });
    using var packer = writer is null ? null : new Packer(store, writer.PublishAsync, logs.CreateLogger<Packer>());

    // What its edges expect to send has its room before it comes.
    await using var maps = new MemoryMapStore();
    _ = new MapFollower(follower, maps, clock, logs.CreateLogger<MapFollower>());
    var retired = new RetiredEdges(maps, follower, hub, logs.CreateLogger<RetiredEdges>(), Roster.Open(Path.Combine(options.Data, "retired.json")), store.Knows);
    var volume = new DriveInfo(Path.GetFullPath(options.Data));
    var room = new RoomAhead(store, () => maps.Current, care, () => volume.AvailableFreeSpace, clock, logs.CreateLogger<RoomAhead>());
    await using var caretaker = new Caretaker(store, packer, writer is null ? null : new ArchiveTidy(archive!, archived!, writer, clock),
        archive is null ? null : new ArchiveAudit(archive, archived!), new Expiry(store, writer is null ? null : writer.PublishAsync, logs.CreateLogger<Expiry>()), room, care, clock, logs.CreateLogger<Caretaker>());
    caretaker.Start();

    // Questions: of its own disk, of the archive, and of the edges behind it.
    var sources = new Dictionary<string, IDataSource> { [options.Node] = store };
    if (archive is not null)
    {
        sources[ArchiveManifest.Node] = new ArchiveSource(archive, archived!, new(), clock);
    }
    foreach (var source in sources.Keys)
    {
        health.Connected(source);
    }
    var answerer = new Answerer(catalog, node => sources.GetValueOrDefault(node) ?? follower.SourceOf(node), health, clock, () => maps.Current);

    // What is asked, here and above, of the edges' series; the edges are told.
    await using var keeper = new AccessKeeper(options.Data, ConfigurationException.Check(options.Models.Validated).Starter(ModelContract.AccessRanker), account => ring.TermsOf(account).ZoneOr(TimeZoneInfo.Utc), clock, logs.CreateLogger<AccessKeeper>());
    await using var forwarder = new AccessForwarder(options.Node, options.Data, hub, follower, catalog, clock, logs.CreateLogger<AccessForwarder>());
    forwarder.Start();
    var access = new AccessBook(clock, keeper.Count, forwarder);

    // What is expected to be read is brought here ahead of it.
    await using var stager = new Stager(ConfigurationException.Check(options.Stage.Validated), store, archive is null ? null : new ArchiveReader(archive, archived!),
        catalog, () => keeper.Expected, ring.TermsOf, () => room.ForCopies, health, clock, logs.CreateLogger<Stager>());
    if (options.Stage.BytesMax > 0)
    {
        stager.Start();
    }

    IEnumerable<string> Problems() => new[] { keeper.Problem, ring.Problem, caretaker.Problem, stager.Problem }.OfType<string>().Concat(store.Problems).Concat(follower.Problems);
    var cascade = new Cascade(new NodeDuties
    {
        Fleet = new() { Node = options.Node, Role = "gateway", Problems = Problems, Below = () => follower.Nodes },
        Ledger = store.CountLedger,
        Move = async (move, cancel) => move.To != "archive" ? null
            : packer is null ? throw new InvalidOperationException("this gateway has no archive; set FORETIER__ARCHIVE")
            : await packer.PackAsync(move.Before, cancel),
        Terms = () => ring.Current.Accounts,
        Deletion = new()
        {
            Delete = (series, range, cancel) => store.DeleteAsync(series, range, retired.Names, cancel),
            EdgesOf = name => catalog.View.Named(name).Select(series => series.Edge),
        },
        Forecasts = new() { Of = _ => null, Gaps = () => null, Scorecard = days => StageReport.ScorecardOf(options.Node, days, keeper.Expected.Model, store, clock) },
        Report = () => new SelfCheck(options, clock).Report(
            [new("archive", archive is null ? CheckStatus.Warn : CheckStatus.Ok, archive is null ? "none: everything stays on this disk" : options.Archive, archive is null ? "set FORETIER__ARCHIVE" : null),
                .. follower.Checks()], store.CountLedger(), [.. store.Problems]),
    }, hub, clock, logs.CreateLogger<Cascade>());

    app.MapHealth(Problems);
    using var metrics = new NodeMetrics(options.Node, clock);
    metrics.Observe(store.CountLedger);
    StageReport.Observe(metrics.Meter, store, stager, options.Stage);
    room.Observe(metrics.Meter);
    store.Observe(metrics.Meter);
    metrics.Map(app);
    var api = app.MapApi();
    new QueryApi(answerer, catalog, clock, () => maps.Current, access.Asked).Map(api);
    app.MapPrometheus(api, new(answerer, catalog, clock, access.Asked));
    cascade.Map(api);
    cascade.MapPublic(app);
    keys.Map(api);
    var inner = app.MapInternal();
    inner.MapReceive(store, options.BatchBytesMax);
    inner.MapFetch(store);
    inner.MapCatalog(catalog, clock, () => follower.Nodes);
    inner.MapForward(hub);
    retired.Map(inner);
    access.Map(inner);
    cascade.Map(inner);
    keys.MapInternal(inner);
    await app.RunAsync();
});
