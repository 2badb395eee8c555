using System.Text;
using Foretier.Agent;
using Foretier.Agent.Hot;
using Foretier.Agent.Ingest;
using Foretier.Agent.Ingest.Identity;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Foretier.Tests.Unit.Ingest;

/// <summary>A box whose clock says 1970 after a power cut: what it stamps meanwhile is taken, and marked.</summary>
public sealed class StampBookTests : IDisposable
{
    private static readonly DateTimeOffset LastKnown = DateTimeOffset.Parse("2026-05-01T12:00:00Z", System.Globalization.CultureInfo.InvariantCulture);
    private readonly string _folder = Directory.CreateTempSubdirectory("foretier-stamps-").FullName;
    private readonly FakeTimeProvider _passing = new(LastKnown);
    private readonly SiteClockTests.Offset _system;
    private TimeSpan _off = DateTimeOffset.UnixEpoch - LastKnown;

    public StampBookTests() => _system = new(_passing, () => _off);

    private string BookPath => Path.Combine(_folder, "stamped.json");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Samples_without_a_time_are_marked_with_how_far_off_they_turned_out_to_be_and_timed_ones_are_not()
    {
        var clock = new SiteClock(_system, Instant.From(LastKnown));
        using var book = StampBook.Open(BookPath, clock, NullLogger.Instance);
        await using var store = await HotStore.OpenAsync(new() { Directory = Path.Combine(_folder, "hot") }, new Catalog(), clock, NullLogger<HotStore>.Instance, CancellationToken.None);
        var devices = DeviceRegistry.Open(Path.Combine(_folder, "devices.json"), clock);
        await using var quarantine = new Quarantine(Path.Combine(_folder, "quarantine.jsonl"), 1 << 20, clock, NullLogger.Instance);
        var sender = new Sender(new("acme", "boiler-1"), new(store, devices, new(store, quarantine, clock, clock, NullLogger.Instance), new(), clock) { Stamps = book });
        void Publish(string payload) => Assert.True(sender.Publish("v1/acme/boiler-1/temperature"u8, Encoding.UTF8.GetBytes(payload)).Refusal.Code == default, payload);

        Publish("""{"v":21,"t":1777000000}""");
        Assert.Null(book.Told);
        Publish("21.5");
        _passing.Advance(TimeSpan.FromMinutes(2));
        Publish("21.6");
        var open = Assert.Single(book.All);
        Assert.Equal((Instant.From(LastKnown), Instant.From(LastKnown.AddMinutes(2)), 2L, null), (open.From, open.To, open.Samples, open.Behind));

        _off = TimeSpan.FromHours(3);
        Publish("21.7");
        var closed = Assert.Single(book.All);
        Assert.Equal((2L, (long)TimeSpan.FromHours(3).TotalMicroseconds), (closed.Samples, closed.Behind!.Value));
        Assert.Contains("2 samples", book.Told, StringComparison.Ordinal);
        Assert.Contains("0.03:00:00 too early", book.Told, StringComparison.Ordinal);
    }

    [Fact]
    public void A_mark_stands_on_disk_before_anything_is_acknowledged_and_outlives_a_kill()
    {
        var clock = new SiteClock(_system, Instant.From(LastKnown));
        StampBook.Open(BookPath, clock, NullLogger.Instance).Note(1, Instant.From(LastKnown)); // and never closed
        using var again = StampBook.Open(BookPath, clock, NullLogger.Instance);
        Assert.Equal(Instant.From(LastKnown), Assert.Single(again.All).From);
        Assert.Contains("nobody knows how far off", again.Told, StringComparison.Ordinal);
    }

    [Fact]
    public void A_damaged_book_is_forgotten_and_does_not_stop_the_start()
    {
        File.WriteAllText(BookPath, "[{");
        using var book = StampBook.Open(BookPath, new SiteClock(_system, Instant.From(LastKnown)), NullLogger.Instance);
        Assert.Empty(book.All);
    }
}
