using System.Text.Json;
using CsCheck;
using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using static Foretier.Tests.Unit.Predict.Days;

namespace Foretier.Tests.Unit.Predict;

public class PartitionMapTests
{
    private static readonly Window _first = Window.DayOf(Monday);
    private static readonly Window _second = Window.DayOf(_first.End);

    [Theory]
    [InlineData("acme/g0@1/20170309T000000Z-24h")]
    [InlineData("ac%20me/h12@30/20260105T060000Z-1h")]
    [InlineData("a@b/g@x@2/20260105T000000Z-24h")]
    public void Partition_is_written_as_it_is_read(string text)
    {
        Assert.True(PartitionId.TryParse(text, out var id));
        Assert.Equal(text, id.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("acme/g0/20170309T000000Z-24h")]
    [InlineData("acme/g0@0/20170309T000000Z-24h")]
    [InlineData("acme/@1/20170309T000000Z-24h")]
    [InlineData("acme/g0@1")]
    [InlineData("ac me/g0@1/20170309T000000Z-24h")]
    [InlineData("acme/g0@1/yesterday")]
    public void Text_that_is_no_partition_is_refused(string text) => Assert.False(PartitionId.TryParse(text, out _));

    [Fact]
    public void Series_and_time_lead_to_the_partition_and_its_pattern()
    {
        var map = new PartitionMap(7, [Group(1, "acme/a/t", "acme/b/t"), Group(2, "acme/a/t", "acme/b/t", "acme/c/t")],
            [Entry(_first, 1, AccessPattern.Rare), Entry(_second, 2, AccessPattern.Frequent)]);
        Assert.Equal("acme/g0@1/20260105T000000Z-24h", map.Find("acme/a/t", _first.Start)!.Id.ToString());
        Assert.Equal("acme/g0@1/20260105T000000Z-24h", map.Find("acme/b/t", _first.End - 1)!.Id.ToString());
        Assert.Equal("acme/g0@2/20260106T000000Z-24h", map.Find("acme/a/t", _second.Start)!.Id.ToString());
        Assert.Null(map.Find("acme/c/t", _first.Start));
        Assert.Null(map.Find("acme/a/t", _second.End));
        Assert.Null(map.Find("acme/other/t", _first.Start));
        Assert.Equal(AccessPattern.Rare, map.AccessOf("acme/a/t", _first.Start));
        Assert.Equal(["acme/a/t", "acme/b/t", "acme/c/t"], map.MembersOf(map.Find("acme/c/t", _second.Start)!)!.Series);
        Assert.Equal(2, map.FindAll("acme/a/t", TimeRange.Everything).Count());
    }

    [Fact]
    public void Pattern_of_a_time_without_partition_is_that_of_the_nearest_window()
    {
        var map = new PartitionMap(7, [Group(1, "acme/a/t")], [Entry(_first, 1, AccessPattern.Rare), Entry(_second, 1, AccessPattern.Frequent)]);
        Assert.Equal(AccessPattern.Rare, map.AccessOf("acme/a/t", _first.Start - 400 * Instant.Day));
        Assert.Equal(AccessPattern.Frequent, map.AccessOf("acme/a/t", _second.End + Instant.Day));
        Assert.Equal(AccessPattern.Occasional, map.AccessOf("acme/never/seen", Monday));
    }

    [Fact]
    public void Series_that_moved_is_found_where_more_of_it_is_expected()
    {
        var map = new PartitionMap(7, [Group(1, "acme/a/t"), Group(1, "acme/a/t") with { Edge = "edge-2" }],
            [Entry(_first, 1, AccessPattern.Rare), Entry(_first, 1, AccessPattern.Rare) with { Edge = "edge-2", SamplesP50 = 900 }]);
        Assert.Equal("edge-2", map.Find("acme/a/t", Monday)!.Edge);
        Assert.Equal(2, map.Entries.Count);
    }

    [Fact]
    public void Map_and_update_go_through_plain_web_json()
    {
        var map = new PartitionMap(7, [Group(1, "acme/a/t")], [Entry(_first, 1, AccessPattern.Frequent)]);
        var json = JsonSerializer.Serialize(map, JsonSerializerOptions.Web);
        Assert.Contains("\"id\":\"acme/g0@1/20260105T000000Z-24h\"", json);
        Assert.Contains("\"access\":\"frequent\"", json);
        var again = JsonSerializer.Deserialize<PartitionMap>(json, JsonSerializerOptions.Web)!;
        Assert.Equal(7, again.Revision);
        Assert.True(map.Entries[0].SaysSameAs(again.Find("acme/a/t", Monday)!));
        var update = JsonSerializer.Deserialize<PartitionMapUpdate>(
            JsonSerializer.Serialize(PartitionMapUpdate.Between(map, new(8, [], [])), JsonSerializerOptions.Web), JsonSerializerOptions.Web)!;
        Assert.Equal([map.Entries[0].Id], update.Removed);
    }

    [Fact]
    public void Update_makes_of_the_older_map_the_newer_one()
    {
        var entry = Gen.Select(Gen.Int[0, 3], Gen.Int[1, 3], Gen.Int[1, 4]);
        Gen.Select(entry.List[0, 8], entry.List[0, 8]).Sample((before, after) =>
        {
            var older = MapOf(10, before, null);
            var newer = MapOf(20, after, older);
            Assert.Equal(Json(newer), Json(PartitionMapUpdate.Between(older, newer).ApplyTo(older)));
            Assert.Equal(Json(newer), Json(PartitionMapUpdate.Whole(newer).ApplyTo(older)));
        });
    }

    [Fact]
    public void Update_of_another_revision_is_not_applied() =>
        Assert.Throws<ArgumentException>(() => PartitionMapUpdate.Between(MapOf(5, [], null), MapOf(6, [], null)).ApplyTo(MapOf(4, [], null)));

    /// <summary>A map of days × versions × volumes; what an older map says as well keeps its revision there, as a planner keeps it.</summary>
    private static PartitionMap MapOf(long revision, IEnumerable<(int Day, int Version, int Volume)> entries, PartitionMap? older)
    {
        List<PartitionEntry> said = [];
        foreach (var (day, version, volume) in entries.DistinctBy(e => (e.Day, e.Version)))
        {
            var entry = Entry(Window.DayOf(Monday + day * Instant.Day), version, AccessPattern.Rare) with { SamplesP50 = volume, Revision = revision };
            said.Add(older?.Find("edge-1", entry.Id) is { } known && known.SaysSameAs(entry) ? known : entry);
        }
        return new(revision, [.. said.Select(e => e.Id.Version).Distinct().Select(v =>
            older?.Groups.FirstOrDefault(g => g.Version == v) ?? Group(v, $"acme/v{v}/t") with { Revision = revision })], said);
    }

    private static string Json(PartitionMap map) => JsonSerializer.Serialize(map, JsonSerializerOptions.Web);

    internal static GroupMembers Group(int version, params string[] series) => new("edge-1", "acme", "g0", version, series, 1);

    internal static PartitionEntry Entry(Window window, int version, AccessPattern access) =>
        new(new("acme", "g0", version, window), "edge-1", 2, 100, 120, new(1, 2, 3, 4), access, Tier.Hdd, ["1m", "1h"], 1);
}
