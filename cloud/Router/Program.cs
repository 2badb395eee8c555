using Foretier.Archive;
using Foretier.Archive.Stores;
using Foretier.Core.Query;
using Foretier.Core.Tiers;
using Foretier.Node.Access;
using Foretier.Node.Hosting;
using Foretier.Node.Keys;
using Foretier.Node.Link;
using Foretier.Node.Map;
using Foretier.Node.Prometheus;
using Foretier.Node.Serve;
using Foretier.Protocol.Api;
using Foretier.Router;
using Foretier.Router.Etcd;
using Foretier.Router.Images;
using Foretier.Router.Map;
using Foretier.Router.Models;
using Foretier.Router.Releases;

// The router: knows who holds what, plans every question, and asks each holder directly, the archive by itself.
return await NodeHost.RunAsync(args, "router", async args =>
{
    var builder = NodeHost.CreateBuilder<RouterOptions>(args, out var options);
    builder.UseLinkBuffers();
    builder.Services.AddOpenApi();
    await using var app = builder.Build();
    var clock = app.Services.GetRequiredService<TimeProvider>();
    var logs = app.Services.GetRequiredService<ILoggerFactory>();

    // What there is: learned from the gateways that dial in, and from the archive's own manifests.
    var catalog = new Catalog();
    var health = new SourceHealth(TimeProvider.System);
    var hub = new LinkHub(logs.CreateLogger<LinkHub>(), options.Link);
    var follower = new CatalogFollower(hub, catalog, health, clock, logs.CreateLogger<CatalogFollower>(), Roster.Open(Path.Combine(options.Data, "roster.json")));
    hub.Map(app);
    var ring = app.Services.GetRequiredService<KeyRing>();
    _ = new KeyPush(hub, ring, clock, logs.CreateLogger<KeyPush>());
    using var archive = ConfigurationException.Open<ObjectStore, ArchiveException>("FORETIER__ARCHIVE", () => ObjectStore.Open(options.Archive));
    using var archived = new ArchiveCatalog(archive);
    var archiveSource = new ArchiveSource(archive, archived, new() { CacheBytes = options.ArchiveCacheBytes }, clock);
    await using var watch = ArchiveWatch.Start(archived, archiveSource, catalog, health, clock, logs.CreateLogger<ArchiveWatch>());

    // What the edges forecast: in a file of its own, or shared with other routers.
    using var etcd = options.Etcd.IsSet ? EtcdCluster.Open(options.Etcd) : null;
    await using PartitionMapStore map = etcd is null ? SqliteMapStore.Open(Path.Combine(options.Data, "map.db"), logs.CreateLogger<SqliteMapStore>())
        : new EtcdMapStore(etcd, clock, logs.CreateLogger<EtcdMapStore>());
    await using var sharedKeys = etcd is null ? null : new EtcdKeys(etcd, ring, clock, logs.CreateLogger<EtcdKeys>());
    _ = new MapFollower(follower, map, clock, logs.CreateLogger<MapFollower>());

    // Models in the archive, on their way to the boxes.
    using var models = new ModelRegistry(archive, clock);
    var boxes = new ModelFollower(follower, models, clock, logs.CreateLogger<ModelFollower>());
    // And images of the agent itself, some boxes at a time.
    using var images = new ImageRegistry(archive, clock);
    var updates = new ImageFollower(follower, images, clock, logs.CreateLogger<ImageFollower>());
    await using var releases = ReleaseWatch.Start(logs.CreateLogger<ReleaseWatch>(), models.RefreshAsync, images.RefreshAsync);

    // What is asked here is told to those who own the series.
    await using var forwarder = new AccessForwarder(options.Node, options.Data, hub, follower, catalog, clock, logs.CreateLogger<AccessForwarder>());
    forwarder.Start();
    var access = new AccessBook(clock, own: null, forwarder);

    var answerer = new Answerer(catalog, node => node == ArchiveManifest.Node ? archiveSource : follower.SourceOf(node), health, clock, () => map.Current);
    IEnumerable<string> Problems() => follower.Problems.Concat(new[] { watch.Fault, ring.Problem, map.Problem }.OfType<string>());
    var cascade = new Cascade(new NodeDuties
    {
        Fleet = new() { Node = options.Node, Role = "router", Problems = Problems, Below = () => follower.Nodes, Updates = updates.Describe },
        Terms = () => ring.Current.Accounts,
        Deletion = new() { EdgesOf = name => catalog.View.Named(name).Select(series => series.Edge) },
        Report = () => new SelfCheck(options, clock).Report(
            [new("archive", watch.Fault is null ? CheckStatus.Ok : CheckStatus.Fail, watch.Fault ?? options.Archive, watch.Fault is null ? null : "see that it can be reached"), .. follower.Checks()], null, []),
    }, hub, clock, logs.CreateLogger<Cascade>());

    app.MapHealth(Problems);
    using var metrics = new NodeMetrics(options.Node, clock);
    metrics.Map(app);
    app.MapOpenApi("/openapi/v1.json");
    var api = app.MapApi();
    new QueryApi(answerer, catalog, clock, () => map.Current, access.Asked).Map(api);
    app.MapPrometheus(api, new(answerer, catalog, clock, access.Asked));
    new RetiredEdges(map, follower, hub, logs.CreateLogger<RetiredEdges>()).Map(api);
    cascade.Map(api);
    cascade.MapPublic(app);
    new ModelApi(models, boxes).Map(api);
    new ImageApi(images, updates, Path.Combine(options.Data, "uploads")).Map(api);
    new KeyApi(ring, options.Upstream, sharedKeys is null ? null : sharedKeys.ChangeAsync).Map(api);
    await app.RunAsync();
});
