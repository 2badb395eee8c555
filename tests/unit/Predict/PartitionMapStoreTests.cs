using System.Text.Json;
using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Router.Map;
using Microsoft.Extensions.Logging.Abstractions;
using static Foretier.Tests.Unit.Predict.Days;
using static Foretier.Tests.Unit.Predict.PartitionMapTests;

namespace Foretier.Tests.Unit.Predict;

public sealed class PartitionMapStoreTests : IDisposable
{
    private static readonly Window _today = Window.DayOf(Monday);
    private static readonly Window _tomorrow = Window.DayOf(Monday + Instant.Day);
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-store-").FullName;

    private string File => Path.Combine(_folder, "map.db");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void What_was_put_is_there_after_a_restart()
    {
        string before;
        using (var store = Open())
        {
            Assert.Equal(MapPut.Stored, store.Put("edge-1", PartitionMapUpdate.Whole(First)));
            Assert.Equal(MapPut.Stored, store.Put("edge-1", PartitionMapUpdate.Between(First, Second)));
            before = JsonSerializer.Serialize(store.Current, JsonSerializerOptions.Web);
        }
        using var again = Open();
        Assert.Equal(before, JsonSerializer.Serialize(again.Current, JsonSerializerOptions.Web));
        Assert.Equal(11, again.RevisionOf("edge-1"));
        Assert.Equal("acme/g0@2/20260106T000000Z-24h", again.Current.Find("acme/b/t", _tomorrow.Start)!.Id.ToString());
        Assert.Equal([1, 2], again.Current.Groups.Select(g => g.Version));
    }

    [Fact]
    public void Each_update_swaps_the_map_whole_and_raises_its_revision()
    {
        using var store = Open();
        var waiting = store.WaitForChangeAsync(0, CancellationToken.None);
        Assert.False(waiting.IsCompleted);
        var empty = store.Current;
        store.Put("edge-1", PartitionMapUpdate.Whole(First));
        Assert.Empty(empty.Entries);
        Assert.Equal(1, store.Current.Revision);
        Assert.Equal(MapPut.Known, store.Put("edge-1", PartitionMapUpdate.Whole(First)));
        Assert.Equal(1, store.Current.Revision);
        store.Put("edge-1", PartitionMapUpdate.Between(First, Second));
        Assert.Equal(2, store.Current.Revision);
        Assert.True(store.WaitForChangeAsync(1, CancellationToken.None).IsCompletedSuccessfully);
    }

    [Fact]
    public void Update_that_builds_on_an_unknown_revision_asks_for_the_whole_map()
    {
        using var store = Open();
        Assert.Equal(0, store.RevisionOf("edge-1"));
        Assert.Equal(MapPut.NeedWhole, store.Put("edge-1", PartitionMapUpdate.Between(First, Second)));
        Assert.Empty(store.Current.Entries);
        Assert.Equal(MapPut.Stored, store.Put("edge-1", PartitionMapUpdate.Whole(Second)));
    }

    [Fact]
    public void Whole_map_voids_what_the_edge_said_before_and_leaves_other_edges_alone()
    {
        using (var store = Open())
        {
            store.Put("edge-1", PartitionMapUpdate.Whole(Second));
            store.Put("edge-2", PartitionMapUpdate.Whole(new(3, [Group(1, "acme/z/t") with { Edge = "edge-2" }],
                [Entry(_today, 1, AccessPattern.Rare) with { Edge = "edge-2" }])));
            store.Put("edge-1", PartitionMapUpdate.Whole(new(2, First.Groups, First.Entries)));
        }
        using var again = Open();
        Assert.Equal(["edge-1", "edge-2", "edge-1"], again.Current.Entries.Select(e => e.Edge));
        Assert.NotNull(again.Current.Find("acme/z/t", Monday));
        again.Remove("edge-2");
        Assert.Equal(["edge-1", "edge-1"], again.Current.Entries.Select(e => e.Edge));
        Assert.Equal(0, again.RevisionOf("edge-2"));
    }

    [Fact]
    public void Edge_cannot_speak_for_another()
    {
        using var store = Open();
        Assert.Equal(MapPut.Foreign, store.Put("edge-2", PartitionMapUpdate.Whole(First)));
        Assert.Empty(store.Current.Entries);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4_096)]
    public void Damaged_file_is_kept_aside_and_begun_anew(int at)
    {
        using (var store = Open())
        {
            store.Put("edge-1", PartitionMapUpdate.Whole(First));
        }
        var bytes = System.IO.File.ReadAllBytes(File);
        bytes.AsSpan(at, 200).Fill(0xAA);
        System.IO.File.WriteAllBytes(File, bytes);
        using var again = Open();
        Assert.True(System.IO.File.Exists(File + ".damaged"));
        Assert.Empty(again.Current.Entries);
        Assert.Equal(MapPut.Stored, again.Put("edge-1", PartitionMapUpdate.Whole(First)));
    }

    private static PartitionMap First { get; } = new(10, [Group(1, "acme/a/t")], [Entry(_today, 1, AccessPattern.Rare), Entry(_tomorrow, 1, AccessPattern.Rare)]);

    private static PartitionMap Second { get; } = new(11, [Group(1, "acme/a/t"), Group(2, "acme/a/t", "acme/b/t") with { Revision = 11 }],
        [Entry(_today, 1, AccessPattern.Rare), Entry(_tomorrow, 2, AccessPattern.Frequent) with { Revision = 11 }]);

    private PartitionMapStore Open() => PartitionMapStore.Open(File, NullLogger<PartitionMapStore>.Instance);
}
