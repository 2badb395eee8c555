using Foretier.Node.Link;

namespace Foretier.Tests.Unit.Link;

public class LinkPatienceTests
{
    [Fact]
    public async Task An_answer_that_trickles_is_not_waited_for_for_ever()
    {
        await using var link = new LinkedNode("edge", new MemoryStream(), new());
        using var patience = new LinkPatience(link, CancellationToken.None, within: TimeSpan.FromMinutes(1), atMost: TimeSpan.FromMilliseconds(100));
        await Eventually.BeAsync(() =>
        {
            patience.Moved();
            return patience.Token.IsCancellationRequested;
        });
        Assert.Equal("no whole answer in time", patience.Reason);
    }
}
