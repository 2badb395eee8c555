using System.Text.Json;
using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Node.Map;
using Foretier.Router.Map;

namespace Foretier.Tests.Map;

/// <summary>What every store of the routers' map keeps to, whatever is behind it.</summary>
public abstract class PartitionMapStoreContract
{
    /// <summary>More changes than one transaction of etcd takes.</summary>
    private const int ManyPartitions = 700;

    private static readonly Window Today = Window.DayOf(1_767_571_200L * Instant.Second);
    private static readonly Window Tomorrow = Window.DayOf(Today.End);
    private static readonly CancellationToken None = CancellationToken.None;

    /// <summary>The store; opened again, what was there before.</summary>
    protected abstract Task<PartitionMapStore> OpenAsync();

    [Fact]
    public async Task What_was_put_is_there_after_a_restart()
    {
        string before;
        await using (var store = await OpenAsync())
        {
            Assert.Equal(MapPut.Stored, await store.PutAsync("edge-1", PartitionMapUpdate.Whole(First), None));
            Assert.Equal(MapPut.Stored, await store.PutAsync("edge-1", PartitionMapUpdate.Between(First, Second), None));
            before = Text(store.Current);
        }
        await using var again = await OpenAsync();
        Assert.Equal(before, Text(again.Current));
        Assert.Equal(11, again.RevisionOf("edge-1"));
        Assert.Equal("acme/g0@2/20260106T000000Z-24h", again.Current.Find("acme/b/t", Tomorrow.Start)!.Id.ToString());
        Assert.Equal([1, 2], again.Current.Groups.Select(g => g.Version));
    }

    [Fact]
    public async Task Each_update_swaps_the_map_whole_and_raises_its_revision()
    {
        await using var store = await OpenAsync();
        var empty = store.Current;
        var waiting = store.WaitForChangeAsync(empty.Revision, None);
        Assert.False(waiting.IsCompleted);
        await store.PutAsync("edge-1", PartitionMapUpdate.Whole(First), None);
        Assert.Empty(empty.Entries);
        var first = store.Current.Revision;
        Assert.True(first > empty.Revision);
        await waiting.WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(MapPut.Known, await store.PutAsync("edge-1", PartitionMapUpdate.Whole(First), None));
        Assert.Equal(first, store.Current.Revision);
        await store.PutAsync("edge-1", PartitionMapUpdate.Between(First, Second), None);
        Assert.True(store.Current.Revision > first);
        Assert.True(store.WaitForChangeAsync(first, None).IsCompletedSuccessfully);
    }

    [Fact]
    public async Task Update_that_builds_on_an_unknown_revision_asks_for_the_whole_map()
    {
        await using var store = await OpenAsync();
        Assert.Equal(0, store.RevisionOf("edge-1"));
        Assert.Equal(MapPut.NeedWhole, await store.PutAsync("edge-1", PartitionMapUpdate.Between(First, Second), None));
        Assert.Empty(store.Current.Entries);
        Assert.Equal(MapPut.Stored, await store.PutAsync("edge-1", PartitionMapUpdate.Whole(Second), None));
    }

    [Fact]
    public async Task Whole_map_voids_what_the_edge_said_before_and_leaves_other_edges_alone()
    {
        await using (var store = await OpenAsync())
        {
            await store.PutAsync("edge-1", PartitionMapUpdate.Whole(Second), None);
            await store.PutAsync("edge-2", PartitionMapUpdate.Whole(new(3, [Group("edge-2", 1, "acme/z/t")], [Entry("edge-2", Today, 1)])), None);
            Assert.Equal(MapPut.Stored, await store.PutAsync("edge-1", PartitionMapUpdate.Whole(new(2, First.Groups, First.Entries)), None));
        }
        await using var again = await OpenAsync();
        Assert.Equal(["edge-1", "edge-2", "edge-1"], again.Current.Entries.Select(e => e.Edge));
        Assert.NotNull(again.Current.Find("acme/z/t", Today.Start));
        Assert.True(await again.RemoveAsync("edge-2", None));
        Assert.Equal(["edge-1", "edge-1"], again.Current.Entries.Select(e => e.Edge));
        Assert.Equal(0, again.RevisionOf("edge-2"));
        Assert.False(await again.RemoveAsync("edge-2", None));
    }

    [Fact]
    public async Task Edge_cannot_speak_for_another()
    {
        await using var store = await OpenAsync();
        Assert.Equal(MapPut.Foreign, await store.PutAsync("edge-2", PartitionMapUpdate.Whole(First), None));
        Assert.Empty(store.Current.Entries);
    }

    [Fact]
    public async Task Update_with_nulls_in_its_lists_is_not_taken()
    {
        await using var store = await OpenAsync();
        Assert.Equal(MapPut.Foreign, await store.PutAsync("edge-1", PartitionMapUpdate.Whole(new(1, [Group("edge-1", 1, "acme/a/t", null!)], [Entry("edge-1", Today, 1)])), None));
        Assert.Equal(MapPut.Foreign, await store.PutAsync("edge-1", PartitionMapUpdate.Whole(new(1, [], [Entry("edge-1", Today, 1) with { Rollups = [null!] }])), None));
        Assert.Equal(MapPut.Foreign, await store.PutAsync("edge-1", new(0, 1, true, [null!], [], []), None));
        Assert.Equal(MapPut.Foreign, await store.PutAsync("edge-1", new(0, 1, true, [], [null!], []), None));
        Assert.Empty(store.Current.Entries);
    }

    [Fact]
    public async Task Map_of_many_partitions_is_swapped_when_all_of_it_is_there()
    {
        await using var store = await OpenAsync();
        var before = Many(5, 0);
        var after = Many(6, 3);
        Assert.Equal(MapPut.Stored, await store.PutAsync("edge-1", PartitionMapUpdate.Whole(before), None));
        Assert.Equal(Text(before), Text(store.Current.Of("edge-1")));
        var seen = new List<int>();
        var watching = Task.Run(async () =>
        {
            for (var map = store.Current; ; map = store.Current)
            {
                lock (seen)
                {
                    seen.Add(map.EntriesOf("edge-1").Count(e => e.Revision == 6));
                }
                if (map.RevisionOf("edge-1") == 6)
                {
                    return;
                }
                await store.WaitForChangeAsync(map.Revision, None).WaitAsync(TimeSpan.FromSeconds(30));
            }
        });
        Assert.Equal(MapPut.Stored, await store.PutAsync("edge-1", PartitionMapUpdate.Between(before, after), None));
        await watching;
        Assert.Equal(Text(after), Text(store.Current.Of("edge-1")));
        Assert.All(seen, changed => Assert.Contains(changed, new[] { 0, ManyPartitions }));
        await using var again = await OpenAsync();
        Assert.Equal(Text(after), Text(again.Current.Of("edge-1")));
    }

    [Fact]
    public async Task Many_edges_put_at_once_and_none_is_lost()
    {
        await using var store = await OpenAsync();
        await Task.WhenAll(Enumerable.Range(0, 20).Select(async edge =>
        {
            var name = $"edge-{edge}";
            var own = new PartitionMap(1, [Group(name, 1, $"acme/{name}/t")], [Entry(name, Today, 1)]);
            Assert.Equal(MapPut.Stored, await store.PutAsync(name, PartitionMapUpdate.Whole(own), None));
            Assert.Equal(MapPut.Stored, await store.PutAsync(name, PartitionMapUpdate.Between(own, new(2, own.Groups, [own.Entries[0] with { SamplesP50 = edge, Revision = 2 }])), None));
        }));
        Assert.Equal(20, store.Current.Edges.Count);
        Assert.All(store.Current.Entries, entry => Assert.Equal($"edge-{entry.SamplesP50}", entry.Edge));
    }

    [Fact]
    public async Task Members_of_each_version_are_those_that_were_told_whatever_came_before()
    {
        var entries = new List<PartitionEntry>();
        var told = new Dictionary<int, string[]>
        {
            [1] = ["acme/b/t", "acme/d/t"],
            [2] = ["acme/b/t"],
            // New names before, between and after those that are known.
            [3] = ["acme/a/t", "acme/b/t", "acme/c/t", "acme/é\"\n/t", "zeta/z/t"],
            [4] = [],
            [5] = ["acme/d/t", "zeta/z/t"],
        };
        string Shown(PartitionMap map) => string.Join('|', map.GroupsOf("edge-1").Select(g => $"{g.Version}:{string.Join(',', g.Series)}={g.Series.Count}"));
        string Wanted(int from, int to) => string.Join('|', Enumerable.Range(from, to - from + 1).Select(version => $"{version}:{string.Join(',', told[version])}={told[version].Length}"));
        await using (var store = await OpenAsync())
        {
            for (var version = 1; version <= 5; version++)
            {
                var entry = Entry("edge-1", Window.DayOf(Today.Start + version * Instant.Day), version) with { Revision = version };
                // From the third on each takes the place of the oldest, whose members nobody names any more.
                PartitionId[] gone = version > 2 ? [entries[version - 3].Id] : [];
                entries.Add(entry);
                Assert.Equal(MapPut.Stored, await store.PutAsync("edge-1", new(version - 1, version, version == 1, [Group("edge-1", version, told[version]) with { Revision = version }], [entry], gone), None));
                Assert.Equal(Wanted(Math.Max(1, version - 1), version), Shown(store.Current));
            }
            Assert.Equal(5, store.Current.Find("acme/d/t", entries[4].Id.Window.Start)!.Id.Version);
            Assert.Null(store.Current.Find("acme/b/t", entries[4].Id.Window.Start));
        }
        await using var again = await OpenAsync();
        Assert.Equal(Wanted(4, 5), Shown(again.Current));
        Assert.Equal(MapPut.Stored, await again.PutAsync("edge-1", new(5, 6, false, [], [], [entries[3].Id]), None));
        Assert.Equal(Wanted(5, 5), Shown(again.Current));
    }

    [Fact]
    public async Task Members_that_come_in_disorder_or_twice_are_in_order_once()
    {
        var own = new PartitionMap(1, [Group("edge-1", 1, "acme/c/t", "acme/a/t", "acme/c/t")], [Entry("edge-1", Today, 1)]);
        await using (var store = await OpenAsync())
        {
            Assert.Equal(MapPut.Stored, await store.PutAsync("edge-1", PartitionMapUpdate.Whole(own), None));
        }
        await using var again = await OpenAsync();
        var series = again.Current.Groups.Single().Series;
        Assert.Equal(["acme/a/t", "acme/c/t"], series);
        Assert.Equal("acme/c/t", series[1]);
    }

    [Fact]
    public async Task Store_is_ready_when_it_has_what_was_stored_before()
    {
        await using (var store = await OpenAsync())
        {
            await store.PutAsync("edge-1", PartitionMapUpdate.Whole(First), None);
        }
        await using var again = await OpenAsync();
        await again.ReadyAsync(None).WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(First.Revision, again.RevisionOf("edge-1"));
    }

    /// <summary>The first map of edge-1.</summary>
    protected static PartitionMap First { get; } = new(10, [Group("edge-1", 1, "acme/a/t")], [Entry("edge-1", Today, 1), Entry("edge-1", Tomorrow, 1)]);

    /// <summary>The next.</summary>
    protected static PartitionMap Second { get; } = new(11, [Group("edge-1", 1, "acme/a/t"), Group("edge-1", 2, "acme/a/t", "acme/b/t") with { Revision = 11 }],
        [Entry("edge-1", Today, 1), Entry("edge-1", Tomorrow, 2) with { Access = AccessPattern.Frequent, Revision = 11 }]);

    /// <summary>A map of many partitions, whose windows begin some days later.</summary>
    protected static PartitionMap Many(long revision, int days) => new(revision, [Group("edge-1", 1, "acme/a/t") with { Revision = 5 }],
        [.. Enumerable.Range(days, ManyPartitions).Select(day => Entry("edge-1", Window.DayOf(Today.Start + day * Instant.Day), 1) with { SamplesP50 = revision, Revision = revision })]);

    protected static string Text(PartitionMap map) => JsonSerializer.Serialize(new { map.Groups, map.Entries }, JsonSerializerOptions.Web);

    private static GroupMembers Group(string edge, int version, params string[] series) => new(edge, "acme", "g0", version, series, 1);

    private static PartitionEntry Entry(string edge, Window window, int version) =>
        new(new("acme", "g0", version, window), edge, 2, 100, 120, new(1, 2, 3, 4), AccessPattern.Rare, Tier.Hdd, ["1m", "1h"], 1);
}
