using Foretier.Agent;
using Foretier.Core.Samples;
using Microsoft.Extensions.Time.Testing;

namespace Foretier.Tests.Unit.Ingest;

public class SiteClockTests
{
    private static readonly DateTimeOffset Noon = DateTimeOffset.Parse("2026-05-01T12:00:00Z", System.Globalization.CultureInfo.InvariantCulture);

    [Fact]
    public void A_box_that_starts_in_1970_goes_on_from_the_last_known_time_until_its_clock_is_set()
    {
        var system = new FakeTimeProvider(Noon.AddDays(7));
        var isSet = false;
        var clock = new SiteClock(new Offset(system, () => isSet ? TimeSpan.Zero : DateTimeOffset.UnixEpoch - Noon));
        clock.Remember(Instant.From(Noon));
        Assert.False(clock.IsTrusted);
        Assert.False(clock.IsSettled);
        Assert.Contains("not trusted", clock.Doubt, StringComparison.Ordinal);
        Assert.Equal(Noon, clock.GetUtcNow());
        system.Advance(TimeSpan.FromMinutes(5));
        Assert.Equal(Noon.AddMinutes(5), clock.GetUtcNow());
        // Set, by NTP for example, a week after the box had been switched off.
        isSet = true;
        Assert.Equal(Noon.AddDays(7).AddMinutes(5), clock.GetUtcNow());
        Assert.True(clock.IsTrusted);
        Assert.True(clock.IsSettled);
        Assert.Null(clock.Doubt);
    }

    [Fact]
    public void A_clock_before_the_program_was_made_is_not_believed() =>
        Assert.False(new SiteClock(new FakeTimeProvider(Noon.AddYears(-1)), Instant.From(Noon)).IsTrusted);

    [Fact]
    public void A_clock_a_little_behind_the_last_note_is_believed()
    {
        var clock = new SiteClock(new FakeTimeProvider(Noon));
        clock.Remember(Instant.From(Noon.AddSeconds(20)));
        Assert.True(clock.IsTrusted);
        Assert.Equal(Noon, clock.GetUtcNow());
    }

    [Fact]
    public void After_a_jump_forward_time_is_followed_and_for_an_hour_nothing_is_deleted()
    {
        var system = new FakeTimeProvider(Noon);
        var clock = new SiteClock(system);
        Assert.True(clock.IsSettled);
        system.SetUtcNow(Noon);
        var before = clock.GetTimestamp();
        var jumped = new SiteClock(new Offset(system, () => system.GetElapsedTime(before) > TimeSpan.FromMinutes(1) ? TimeSpan.FromDays(-30) : TimeSpan.Zero));
        Assert.True(jumped.IsSettled);
        system.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal(Noon.AddMinutes(2).AddDays(-30), jumped.GetUtcNow());
        Assert.True(jumped.IsTrusted);
        Assert.False(jumped.IsSettled);
        system.Advance(TimeSpan.FromMinutes(61));
        Assert.True(jumped.IsSettled);
    }

    [Fact]
    public void Time_that_was_passed_over_is_told_once_and_time_that_ran_is_not()
    {
        var system = new FakeTimeProvider(Noon);
        var by = TimeSpan.Zero;
        var clock = new SiteClock(new Offset(system, () => by));
        List<TimeRange> passed = [];
        clock.Passed += passed.Add;
        system.Advance(TimeSpan.FromHours(5));
        _ = clock.GetUtcNow();
        Assert.Empty(passed);
        // The box slept.
        by = TimeSpan.FromHours(2);
        _ = clock.GetUtcNow();
        _ = clock.GetUtcNow();
        Assert.Equal([new(Instant.From(Noon.AddHours(5)), Instant.From(Noon.AddHours(7)))], passed);
        by = TimeSpan.Zero;
        Assert.Equal(Noon.AddHours(5), clock.GetUtcNow());
        Assert.Single(passed);
    }

    /// <summary>A clock that shows another time than has passed.</summary>
    internal sealed class Offset(TimeProvider clock, Func<TimeSpan> by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => clock.GetUtcNow() + by();
        public override long TimestampFrequency => clock.TimestampFrequency;
        public override long GetTimestamp() => clock.GetTimestamp();
    }
}
