using Foretier.Node.Keys;
using Foretier.Router.Etcd;
using Microsoft.Extensions.Logging.Abstractions;

namespace Foretier.Tests.Map;

/// <summary>API keys of several routers, over a real etcd.</summary>
public sealed class EtcdKeysTests
{
    [Fact]
    public async Task Keys_made_at_the_same_time_on_three_routers_work_on_all_and_one_revoked_on_any_works_on_none()
    {
        var folder = Directory.CreateTempSubdirectory("foretier-keys-").FullName;
        await using var etcd = await RunningEtcd.StartAsync();
        var routers = Enumerable.Range(1, 3).Select(i =>
        {
            var cluster = EtcdCluster.Open(new() { Endpoints = etcd.Endpoints });
            var ring = KeyRing.Open(Path.Combine(folder, $"keys-{i}.json"), null, TimeProvider.System);
            return (Cluster: cluster, Ring: ring, Keys: new EtcdKeys(cluster, ring, TimeProvider.System, NullLogger<EtcdKeys>.Instance));
        }).ToList();
        try
        {
            var made = await Task.WhenAll(routers.Select(async (router, i) =>
            {
                var (stored, key) = router.Ring.Draft($"of-{i}", ["acme"], false, null);
                await router.Keys.ChangeAsync(set => router.Ring.With(set, stored), CancellationToken.None);
                return (Stored: stored, Key: key);
            }));
            await RunningEtcd.UntilAsync(() => routers.TrueForAll(router => made.All(one => router.Ring.Find(one.Key) is { Accounts: ["acme"] })));

            await routers[1].Keys.ChangeAsync(set => routers[1].Ring.Without(set, made[0].Stored.Id), CancellationToken.None);
            await RunningEtcd.UntilAsync(() => routers.TrueForAll(router => router.Ring.Find(made[0].Key) is null));
            Assert.All(routers, router => Assert.NotNull(router.Ring.Find(made[1].Key)));

            // Without etcd the known ones go on, and a change is refused rather than half done.
            etcd.Kill(etcd.Endpoints);
            await Assert.ThrowsAsync<EtcdException>(() => routers[0].Keys.ChangeAsync(set => routers[0].Ring.Without(set, made[1].Stored.Id), CancellationToken.None));
            Assert.All(routers, router => Assert.NotNull(router.Ring.Find(made[1].Key)));
            Assert.Equal(2, KeyRing.Open(Path.Combine(folder, "keys-3.json"), null, TimeProvider.System).Current.Keys.Count);
        }
        finally
        {
            foreach (var router in routers)
            {
                await router.Keys.DisposeAsync();
                router.Cluster.Dispose();
            }
            Directory.Delete(folder, recursive: true);
        }
    }
}
