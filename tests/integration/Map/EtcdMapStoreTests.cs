using Foretier.Core.Partitions;
using Foretier.Node.Map;
using Foretier.Router.Etcd;
using Foretier.Router.Map;
using Microsoft.Extensions.Logging.Abstractions;

namespace Foretier.Tests.Map;

/// <summary>The contract on a real etcd, a prefix of its own for each test.</summary>
public sealed class EtcdMapStoreTests(EtcdMapStoreTests.OneMember etcd) : PartitionMapStoreContract, IClassFixture<EtcdMapStoreTests.OneMember>, IDisposable
{
    private static int _tests;

    private readonly EtcdCluster _cluster = EtcdCluster.Open(new() { Endpoints = etcd.Running.Endpoints, Prefix = $"/test-{Interlocked.Increment(ref _tests)}/" });

    public void Dispose() => _cluster.Dispose();

    [Fact]
    public async Task Routers_that_are_told_the_same_at_the_same_time_agree_on_one_map()
    {
        await using var one = await OpenAsync();
        await using var two = await OpenAsync();
        await using var three = await OpenAsync();
        PartitionMapStore[] routers = [one, two, three];
        var (before, after) = (Many(5, 0), Many(6, 3));
        foreach (var update in new[] { PartitionMapUpdate.Whole(before), PartitionMapUpdate.Between(before, after) })
        {
            var puts = await Task.WhenAll(routers.Select(router => router.PutAsync("edge-1", update, CancellationToken.None)));
            Assert.Single(puts, put => put == MapPut.Stored);
            Assert.All(puts, put => Assert.Contains(put, new[] { MapPut.Stored, MapPut.Known, MapPut.NeedWhole }));
        }
        foreach (var router in routers)
        {
            await UntilAsync(router, map => map.RevisionOf("edge-1") == 6);
            Assert.Equal(Text(after), Text(router.Current));
        }
        Assert.Equal(one.Current.Revision, two.Current.Revision);
    }

    [Fact]
    public async Task What_a_router_left_half_written_is_put_right_by_the_next()
    {
        await using (var first = await OpenAsync())
        {
            await first.PutAsync("edge-1", PartitionMapUpdate.Whole(First), CancellationToken.None);
        }
        // As one dies after announcing a large change and writing some of it: a head that says so, an entry of nobody's map.
        var documents = new MapDocuments(_cluster.Prefix, null);
        var stranger = Many(7, 90).Entries[0];
        await _cluster.TryAsync(new() { Key = Google.Protobuf.ByteString.CopyFromUtf8("none"), Target = Etcdserverpb.Compare.Types.CompareTarget.Mod },
            [documents.Put("edge-1", new MapHead(10, true)), documents.Put(stranger)], CancellationToken.None);

        await using var next = new EtcdMapStore(_cluster, new Hurried(), NullLogger<EtcdMapStore>.Instance);
        Assert.Equal(MapPut.NeedWhole, await next.PutAsync("edge-1", PartitionMapUpdate.Between(First, Second), CancellationToken.None));
        Assert.Equal(MapPut.Stored, await next.PutAsync("edge-1", PartitionMapUpdate.Whole(Second), CancellationToken.None));
        Assert.Equal(Text(Second), Text(next.Current));
        await using var later = await OpenAsync();
        Assert.Equal(Text(Second), Text(later.Current));
    }

    [Fact]
    public async Task What_cannot_be_read_in_etcd_is_passed_over()
    {
        var documents = new MapDocuments(_cluster.Prefix, null);
        string[] strange = ["map/edge-1/e/acme/g0@1/20260105T000000Z-24h", "map/edge-1/e/nothing", "map/edge-1/g/acme/g0@1", "map/edge-1/what", "map/", "map/edge-2/head"];
        foreach (var key in strange)
        {
            await _cluster.TryAsync(new() { Key = Google.Protobuf.ByteString.CopyFromUtf8("none"), Target = Etcdserverpb.Compare.Types.CompareTarget.Mod },
                [new() { RequestPut = new() { Key = Google.Protobuf.ByteString.CopyFromUtf8(_cluster.Prefix + key), Value = Google.Protobuf.ByteString.CopyFromUtf8("{\"id\":null}") } }], CancellationToken.None);
        }
        await _cluster.TryAsync(new() { Key = Google.Protobuf.ByteString.CopyFromUtf8("none"), Target = Etcdserverpb.Compare.Types.CompareTarget.Mod },
            [documents.Put(new GroupMembers("edge-1", "acme", "g7", 1, ["acme/a/t", null!], 1))], CancellationToken.None);
        await using var store = await OpenAsync();
        Assert.Empty(store.Current.Entries);
        Assert.Empty(store.Current.Groups);
        Assert.Equal(MapPut.Stored, await store.PutAsync("edge-1", PartitionMapUpdate.Whole(First), CancellationToken.None));
        Assert.Equal(Text(First), Text(store.Current));
    }

    [Fact]
    public async Task Nothing_is_there_to_reach_and_the_message_says_so()
    {
        using var nowhere = EtcdCluster.Open(new() { Endpoints = "http://127.0.0.1:1", DeadlineSeconds = 1 });
        await using var store = new EtcdMapStore(nowhere, TimeProvider.System, NullLogger<EtcdMapStore>.Instance);
        var failure = await Assert.ThrowsAsync<EtcdException>(() => store.PutAsync("edge-1", PartitionMapUpdate.Whole(First), CancellationToken.None));
        Assert.Contains("etcd cannot be reached at 127.0.0.1:1: Connection refused", failure.Message);
        await RunningEtcd.UntilAsync(() => store.Problem!.Contains("127.0.0.1:1"));
        Assert.Contains("there is no partition map yet", store.Problem);
    }

    protected override async Task<PartitionMapStore> OpenAsync()
    {
        var store = new EtcdMapStore(_cluster, TimeProvider.System, NullLogger<EtcdMapStore>.Instance);
        await RunningEtcd.UntilAsync(() => store.Problem is null);
        return store;
    }

    private static async Task UntilAsync(PartitionMapStore store, Func<PartitionMap, bool> isSo)
    {
        for (var map = store.Current; !isSo(map); map = store.Current)
        {
            await store.WaitForChangeAsync(map.Revision, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(30));
        }
    }

    /// <summary>Waits of seconds take milliseconds.</summary>
    private sealed class Hurried : TimeProvider
    {
        public override long GetTimestamp() => base.GetTimestamp() * 100;
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => base.CreateTimer(callback, state, dueTime > TimeSpan.Zero ? dueTime / 10 : dueTime, period);
    }

    public sealed class OneMember : IAsyncLifetime
    {
        internal RunningEtcd Running { get; private set; } = null!;

        public async Task InitializeAsync() => Running = await RunningEtcd.StartAsync();

        public async Task DisposeAsync() => await Running.DisposeAsync();
    }
}
