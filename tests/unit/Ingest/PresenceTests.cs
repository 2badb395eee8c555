using Foretier.Agent.Ingest.Identity;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Foretier.Tests.Unit.Ingest;

public sealed class PresenceTests : IDisposable
{
    private static readonly DeviceName Boiler = new("acme", "boiler-1");
    private static readonly DateTimeOffset Start = DateTimeOffset.Parse("2017-03-10T00:00:00Z");
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-seen-").FullName;
    private FakeTimeProvider _clock = new(Start);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(60)]
    [InlineData(3600)]
    public void The_interval_is_learnt_from_the_gaps_and_one_outage_does_not_change_it(int seconds)
    {
        var presence = new Presence();
        var now = Hear(presence, 1, seconds, 10);
        now = Hear(presence, now + 86_400_000_000, seconds, 10);
        Assert.Equal(seconds * 1_000_000L, presence.Learnt);
    }

    [Fact]
    public void Values_sent_at_once_are_one_sign_of_life()
    {
        var presence = new Presence();
        long now = 1;
        for (var minute = 0; minute < 20; minute++)
        {
            for (var value = 0; value < 10; value++)
            {
                presence.Seen(now + value * 20_000);
            }
            now += 60_000_000;
        }
        Assert.InRange(presence.Learnt, 59_000_000, 60_000_000);
    }

    [Fact]
    public void A_device_that_becomes_faster_is_learnt_anew()
    {
        var presence = new Presence();
        var now = Hear(presence, 1, 3600, 20);
        Hear(presence, now + 10_000_000, 10, 100);
        Assert.Equal(10_000_000, presence.Learnt);
    }

    [Fact]
    public void A_silent_device_shows_and_is_active_again_when_it_speaks()
    {
        var (registry, watch) = Open();
        using var _ = watch;
        var device = registry.Meet(Boiler);
        Assert.Null(watch.SilentFor(device));
        Speak(device, TimeSpan.FromMinutes(1), 10);
        _clock.Advance(TimeSpan.FromMinutes(3));
        Assert.False(watch.IsSilent(device));
        _clock.Advance(TimeSpan.FromMinutes(1));
        Assert.True(watch.IsSilent(device));
        Assert.Equal(1, watch.SilentCount);
        device.Seen(Now);
        Assert.False(watch.IsSilent(device));
    }

    [Fact]
    public void What_the_operator_tells_counts_more_than_what_was_learnt()
    {
        var (registry, watch) = Open();
        using var _ = watch;
        var device = registry.Meet(Boiler);
        Speak(device, TimeSpan.FromMinutes(1), 10);
        registry.Expect(Boiler, TimeSpan.FromSeconds(10));
        _clock.Advance(TimeSpan.FromSeconds(21));
        Assert.True(watch.IsSilent(device));
        registry.Expect(Boiler, TimeSpan.Zero);
        Assert.False(watch.IsSilent(device));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_restart_neither_invents_silence_nor_forgets_it(bool wasSilent)
    {
        var (registry, watch) = Open();
        Speak(registry.Meet(Boiler), TimeSpan.FromMinutes(1), 10);
        var heard = Now;
        if (wasSilent)
        {
            _clock.Advance(TimeSpan.FromMinutes(5));
        }
        registry.Save();
        watch.Dispose();
        _clock.Advance(TimeSpan.FromDays(2));
        (registry, watch) = Open();
        Assert.Equal(wasSilent, watch.IsSilent(registry.Find(Boiler)!));
        Assert.Equal(heard, registry.Find(Boiler)!.LastSeen);
        _clock.Advance(TimeSpan.FromMinutes(4));
        Assert.True(watch.IsSilent(registry.Find(Boiler)!));
        watch.Dispose();
    }

    [Fact]
    public void A_test_clock_that_begins_anew_does_not_disturb_it()
    {
        var (registry, watch) = Open();
        Speak(registry.Meet(Boiler), TimeSpan.FromMinutes(1), 60);
        registry.Save();
        watch.Dispose();
        _clock = new(Start);
        (registry, watch) = Open();
        Assert.False(watch.IsSilent(registry.Find(Boiler)!));
        _clock.Advance(TimeSpan.FromMinutes(4));
        Assert.True(watch.IsSilent(registry.Find(Boiler)!));
        watch.Dispose();
    }

    [Fact]
    public void After_a_crash_it_goes_on_from_the_last_minutes()
    {
        var (registry, _) = Open();
        var device = registry.Meet(Boiler);
        Speak(device, TimeSpan.FromSeconds(30), 10);
        registry.Save();
        Assert.True(File.Exists(Path.Combine(_folder, "seen.json")));
        (registry, var watch) = Open();
        using var _2 = watch;
        Assert.InRange(registry.Find(Boiler)!.LastSeen, Now - 4 * 60_000_000, Now);
        Assert.False(watch.IsSilent(registry.Find(Boiler)!));
    }

    [Fact]
    public void While_nothing_is_heard_it_is_written_down_once_an_hour()
    {
        var file = Path.Combine(_folder, "seen.json");
        var (registry, watch) = Open();
        using var _ = watch;
        Speak(registry.Meet(Boiler), TimeSpan.FromMinutes(1), 10);
        _clock.Advance(TimeSpan.FromMinutes(10));
        File.Delete(file);
        _clock.Advance(TimeSpan.FromMinutes(45));
        Assert.False(File.Exists(file));
        _clock.Advance(TimeSpan.FromMinutes(20));
        Assert.True(File.Exists(file));
    }

    private long Now => Foretier.Core.Samples.Instant.Now(_clock);

    private (DeviceRegistry, DeviceWatch) Open()
    {
        var registry = DeviceRegistry.Open(Path.Combine(_folder, "devices.json"), _clock);
        return (registry, DeviceWatch.Start(registry, Path.Combine(_folder, "seen.json"), _clock, NullLogger.Instance));
    }

    private void Speak(Device device, TimeSpan every, int times)
    {
        for (var i = 0; i < times; i++)
        {
            device.Seen(Now);
            _clock.Advance(i < times - 1 ? every : TimeSpan.Zero);
        }
    }

    private static long Hear(Presence presence, long from, int seconds, int times)
    {
        for (var i = 0; i < times; i++, from += seconds * 1_000_000L)
        {
            presence.Seen(from);
        }
        return from;
    }
}
