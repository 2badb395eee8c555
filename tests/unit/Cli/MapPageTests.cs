using Foretier.Cli.Map;
using Foretier.Core.Samples;
using Foretier.Protocol.Api;

namespace Foretier.Tests.Unit.Cli;

public class MapPageTests
{
    private static readonly long Monday = 1_767_571_200L * Instant.Second;

    [Fact]
    public void Each_partition_is_drawn_once_in_the_colour_of_its_tier_and_each_tier_once_a_window()
    {
        var page = MapPage.Draw(new(7, [Entry("g0@1/20260105T000000Z-24h", "hdd", "rare"), Entry("g0@1/20260106T000000Z-24h", "ssd", "frequent"), Entry("h0@3/20260106T000000Z-24h", "ssd", "frequent")], []), Monday + Instant.Day / 2);
        Assert.Equal(3 + 4 * 2, Count(page, "<rect"));
        Assert.Equal(2, Count(page, "class=\"ssd frequent\""));
        Assert.Equal(1, Count(page, "class=\"hdd rare\""));
        Assert.Contains("edge-1 acme/h0", page);
        Assert.Contains("class=\"now\"", page);
        Assert.Contains("2.0 KB reserved on ssd", page);
    }

    [Fact]
    public void Page_of_nothing_says_so() => Assert.Contains("Nothing is predicted", MapPage.Draw(new(0, [], []), Monday));

    private static MapEntry Entry(string id, string prefer, string access) => new("acme/" + id, "edge-1", 3, 100, 120, new(10, 1024, 500, 400), access, prefer, ["1m"], 1);

    private static int Count(string text, string part) => text.Split(part).Length - 1;
}
