using Foretier.Agent.Ship;
using Microsoft.Extensions.Time.Testing;

namespace Foretier.Tests.Unit.Hot;

public class LinkPaceTests
{
    private const long Kilo = 1 << 10;
    private readonly FakeTimeProvider _clock = new();

    [Fact]
    public void Batches_grow_and_shrink_with_what_the_link_takes_in_the_time_of_one()
    {
        var pace = new LinkPace(0, TimeSpan.FromSeconds(5), 8192 * Kilo, _clock);
        Assert.Equal(256 * Kilo, pace.BatchBytes);
        pace.Arrived(256 * Kilo, TimeSpan.FromMilliseconds(10));
        Assert.Equal(1024 * Kilo, pace.BatchBytes);
        pace.Arrived(1024 * Kilo, TimeSpan.FromSeconds(8));
        Assert.Equal(640 * Kilo, pace.BatchBytes);
        pace.Failed();
        Assert.Equal(320 * Kilo, pace.BatchBytes);
        pace.Arrived(1, TimeSpan.FromMinutes(1));
        Assert.Equal(64 * Kilo, pace.BatchBytes);
        for (var i = 0; i < 9; i++)
        {
            pace.Arrived(1 << 20, TimeSpan.Zero);
        }
        Assert.Equal(8192 * Kilo, pace.BatchBytes);
    }

    [Fact]
    public async Task A_limit_lets_no_more_through_than_its_rate()
    {
        var pace = new LinkPace(1_000, TimeSpan.FromSeconds(5), 8192 * Kilo, _clock);
        await pace.TakeAsync(500, default);
        var next = pace.TakeAsync(250, default);
        _clock.Advance(TimeSpan.FromMilliseconds(499));
        Assert.False(next.IsCompleted);
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        await next;
        next = pace.TakeAsync(250, default);
        Assert.False(next.IsCompleted);
        _clock.Advance(TimeSpan.FromMilliseconds(250));
        await next;
    }
}
