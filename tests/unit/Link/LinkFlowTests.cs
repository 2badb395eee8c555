using System.Text.Json;
using Foretier.Core.Query;
using Foretier.Core.Tiers;
using Foretier.Node.Hosting;
using Foretier.Node.Link;

namespace Foretier.Tests.Unit.Link;

/// <summary>One link carries everything: no stream on it may stand in the way of the others, and its end must be noticed on both sides.</summary>
public class LinkFlowTests
{
    [Fact]
    public async Task Answers_that_nobody_reads_and_large_transfers_leave_room_for_questions()
    {
        await using var bed = new LinkBed();
        var router = await bed.StartAsync("router", null);
        var gateway = await bed.StartAsync("gateway", router.Url);
        var edge = await bed.StartAsync("edge", gateway.Url);
        edge.Hold(LinkBed.Day, [(LinkBed.Day.Start + 1, 1.5)]);
        await router.AnswerAsync("acme/d/m", points: 1);
        var link = router.Hub.Find("gateway")!;

        // Eight whose reader has gone to sleep, over both links, and one that is read as fast as it comes.
        var asleep = new List<HttpResponseMessage>();
        for (var i = 0; i < 8; i++)
        {
            asleep.Add(await link.Http.GetAsync("internal/v1/nodes/edge/internal/v1/stream", HttpCompletionOption.ResponseHeadersRead));
        }
        using var busy = await link.Http.GetAsync("internal/v1/stream", HttpCompletionOption.ResponseHeadersRead);
        using var enough = new CancellationTokenSource();
        var reading = Task.Run(async () =>
        {
            var buffer = new byte[64 << 10];
            await using var body = await busy.Content.ReadAsStreamAsync();
            while (!enough.IsCancellationRequested && await body.ReadAsync(buffer) > 0)
            {
            }
        });
        for (var i = 0; i < 20; i++)
        {
            Assert.False((await router.AnswerAsync("acme/d/m", points: 1)).IsPartial);
        }
        // Whoever sends to a sleeper waits: what is under way is bounded.
        var sent = edge.Streamed;
        await router.AnswerAsync("acme/d/m", points: 1);
        Assert.InRange(edge.Streamed, 1, sent + (1 << 20));
        Assert.InRange(edge.Streamed, 1, 8 * (4 << 20));
        await enough.CancelAsync();
        busy.Dispose();
        await Record.ExceptionAsync(() => reading);
        asleep.ForEach(response => response.Dispose());
    }

    [Fact]
    public async Task A_half_open_link_is_ended_above_and_dialled_anew_below()
    {
        await using var bed = new LinkBed(new LinkOptions { PingEvery = TimeSpan.FromSeconds(1), PingTimeout = TimeSpan.FromSeconds(4) });
        var router = await bed.StartAsync("router", null);
        using var relay = new Relay(new Uri(router.Url).Port);
        var edge = await bed.StartAsync("edge", $"http://127.0.0.1:{relay.Port}");
        edge.Hold(LinkBed.Day, [(LinkBed.Day.Start + 1, 1.5)]);
        await router.AnswerAsync("acme/d/m", points: 1);
        var first = router.Hub.Find("edge");

        relay.Freeze();

        Assert.True(SpinWait.SpinUntil(() => first!.Ended.IsCancellationRequested, 60_000), "the router still believes in it");
        Assert.True(SpinWait.SpinUntil(() => relay.Connections > 1, 60_000), "the edge still believes in it");
        Assert.False((await router.AnswerAsync("acme/d/m", points: 1)).IsPartial);
    }

    [Fact]
    public async Task A_question_over_a_half_open_link_is_given_up_long_before_pings_tell()
    {
        // Pings that come too late for everything here.
        await using var bed = new LinkBed(new LinkOptions { PingEvery = TimeSpan.FromMinutes(10), PingTimeout = TimeSpan.FromMinutes(10) });
        var router = await bed.StartAsync("router", null);
        var gateway = await bed.StartAsync("gateway", router.Url);
        using var relay = new Relay(new Uri(gateway.Url).Port);
        var edge = await bed.StartAsync("edge", $"http://127.0.0.1:{relay.Port}");
        edge.Hold(LinkBed.Day, [(LinkBed.Day.Start + 1, 1.5)]);
        await router.AnswerAsync("acme/d/m", points: 1);
        var (link, above) = (gateway.Hub.Find("edge")!, router.Hub.Find("gateway")!);

        relay.Freeze();

        // Asked beside it, and from one further up, which hears of it from the one whose link it is.
        var asked = Assert.ThrowsAsync<DataSourceUnavailableException>(() => new LinkSource("edge", link, behind: false).FetchAsync(Whole, CancellationToken.None));
        var askedAbove = Assert.ThrowsAsync<DataSourceUnavailableException>(() => new LinkSource("edge", above, behind: true).FetchAsync(Whole, CancellationToken.None));
        Assert.Contains("the link of edge says nothing any more", (await asked).Message, StringComparison.Ordinal);
        Assert.Contains("answered 503", (await askedAbove).Message, StringComparison.Ordinal);
        Assert.False(link.Ended.IsCancellationRequested);
        Assert.Equal([LinkBed.Day.Range], (await router.AnswerAsync("acme/d/m", points: 0)).Missing);
    }

    [Fact]
    public async Task A_link_that_is_half_open_right_after_a_large_question_was_answered_is_as_soon_found_out_as_ever()
    {
        await using var bed = new LinkBed(new LinkOptions { PingEvery = TimeSpan.FromMinutes(10), PingTimeout = TimeSpan.FromMinutes(10) });
        var router = await bed.StartAsync("router", null);
        using var relay = new Relay(new Uri(router.Url).Port);
        var edge = await bed.StartAsync("edge", $"http://127.0.0.1:{relay.Port}");
        edge.Hold(LinkBed.Day, [(LinkBed.Day.Start + 1, 1.5)]);
        await router.AnswerAsync("acme/d/m", points: 1);
        var link = router.Hub.Find("edge")!;
        var large = Whole with { Series = [.. Enumerable.Range(0, 20_000).Select(i => $"acme/device-{i}/temperature")] };
        // (It says how long it is, as the parts of an image do.)
        using var question = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(large, NodeJson.Options));
        question.Headers.ContentType = new("application/json");
        (await link.Http.PostAsync("internal/v1/fetch", question)).EnsureSuccessStatusCode();

        relay.Freeze();

        var since = link.Clock.GetTimestamp();
        await Assert.ThrowsAsync<DataSourceUnavailableException>(() => new LinkSource("edge", link, behind: false).FetchAsync(Whole, CancellationToken.None));
        // The slowest link there is would take 20 s over such a question.
        Assert.InRange(link.Clock.GetElapsedTime(since).TotalSeconds, 0, 8);
    }

    [Fact]
    public async Task A_large_answer_over_a_slow_link_is_waited_for_as_long_as_it_comes()
    {
        await using var bed = new LinkBed();
        var router = await bed.StartAsync("router", null);
        using var relay = new Relay(new Uri(router.Url).Port);
        var edge = await bed.StartAsync("edge", $"http://127.0.0.1:{relay.Port}");
        var random = new Random(1);
        edge.Hold(LinkBed.Day, [.. Enumerable.Range(0, 80_000).Select(i => (LinkBed.Day.Start + i * 1_000_000L, random.NextDouble()))]);
        await Eventually.BeAsync(() => router.Follower.SourceOf("edge") is not null);
        var link = router.Hub.Find("edge")!;

        relay.BytesPerSecond = 150_000;
        var asked = link.Clock.GetTimestamp();
        using var answer = await new LinkSource("edge", link, behind: false).FetchAsync(Whole, CancellationToken.None);

        Assert.Equal(80_000, Assert.Single(answer.Slices).Samples!.Count);
        Assert.True(link.Clock.GetElapsedTime(asked) > link.Pulse.SilentAfter, "it was no longer under way than a silent link is waited for: this shows nothing");
    }

    private static FetchRequest Whole => new(["acme/d/m"], [new("edge", LinkBed.Day, 0, Holding.Latest, LinkBed.Day.Range)], Raw: true, 0, 0);
}
