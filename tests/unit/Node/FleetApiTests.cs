using System.Net.Http.Json;
using Foretier.Node.Keys;
using Foretier.Node.Serve;
using Foretier.Protocol;
using Foretier.Protocol.Api;
using Microsoft.Extensions.Logging.Abstractions;

namespace Foretier.Tests.Unit.Node;

public class FleetApiTests
{
    [Fact]
    public async Task A_node_lists_itself_and_those_that_are_away()
    {
        await using var node = await TestNode.StartAsync(node => new Cascade(new NodeDuties
        {
            Fleet = new()
            {
                Node = "gateway-1",
                Role = "gateway",
                Problems = () => ["the disk is full"],
                Model = () => "volume-lstm 3",
                FlashYears = () => 7.5,
                Below = () => [new NodeStatus("edge-9", false, 60_000), new NodeStatus("edge-8", false, null)],
            },
        }, null, TimeProvider.System, NullLogger<Cascade>.Instance).Map(node.App.MapApi()));
        node.ComeAs("operator", isAdmin: true);
        var boxes = (await node.Http.GetFromJsonAsync<FleetReply>("/api/v1/fleet", ApiJson.Options))!.Boxes;
        Assert.Equal(["edge-8", "edge-9", "gateway-1"], boxes.Select(box => box.Node));
        Assert.Equal((false, false, true), (boxes[0].Connected, boxes[1].Connected, boxes[2].Connected));
        Assert.Null(boxes[0].Seen);
        Assert.InRange(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() - boxes[1].Seen!.Value.Micros / 1000, 59_000, 90_000);
        Assert.Equal(("gateway", "volume-lstm 3", 7.5, "the disk is full"), (boxes[2].Role, boxes[2].Model, boxes[2].FlashYears, Assert.Single(boxes[2].Problems)));
    }

    [Fact]
    public async Task It_is_for_those_who_administer()
    {
        await using var node = await TestNode.StartAsync(node => new Cascade(new(), null, TimeProvider.System, NullLogger<Cascade>.Instance).Map(node.App.MapApi()));
        node.ComeAs("reader", false, "acme");
        using var answer = await node.Http.GetAsync("/api/v1/fleet");
        Assert.Equal(System.Net.HttpStatusCode.Forbidden, answer.StatusCode);
    }
}
