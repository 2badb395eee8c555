using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Gateway.Care;
using Microsoft.Extensions.Logging.Abstractions;
using static Foretier.Tests.Unit.Gateway.WarmBed;

namespace Foretier.Tests.Unit.Gateway;

public class RoomAheadTests
{
    private static readonly Window Next = Window.DayOf(Day.End);

    private static PartitionMap Expecting(params (Window Window, long Hdd, long Archive)[] windows) => new(1, [], [.. windows.Select((one, i) =>
        new PartitionEntry(new("acme", $"g{i}", 1, one.Window), Edge, 1, 10, 12, new(0, 0, one.Hdd, one.Archive), AccessPattern.Rare, Tier.Hdd, [], 1))]);

    private static RoomAhead Room(WarmBed bed, PartitionMap map, long volume, CareOptions? options = null) =>
        new(bed.Store, () => map, options ?? new(), () => volume, bed.Clock, NullLogger<RoomAhead>.Instance);

    private static async Task<WarmBed> OpenAsync()
    {
        var bed = await WarmBed.OpenAsync();
        bed.Clock.SetUtcNow(Instant.ToDateTimeOffset(Day.Start + 12 * Instant.Hour));
        await bed.ReceiveAsync(Batch(0, 1, (1, 10), (2, 20)));
        return bed;
    }

    [Fact]
    public async Task What_is_expected_counts_before_it_comes_what_has_come_only_once_and_what_is_over_not_at_all()
    {
        await using var bed = await OpenAsync();
        var held = bed.Store.HeldBytes;
        var room = Room(bed, Expecting((Day, held + 100, 0), (Next, 700, 0), (Next, 200, 0), (Window.DayOf(Day.Start - 1), 5_000, 0)), volume: 10_000);
        Assert.Equal(new TierRoom(held, 1_000, held + 10_000), room.Disk);
        Assert.Equal(9_000, room.ForCopies);
        Assert.False(room.IsDiskNearlyFull);
        await room.LookAsync(default);
        Assert.Null(room.Problem);
    }

    [Fact]
    public async Task A_map_that_expects_more_than_there_can_be_or_less_than_nothing_costs_copies_only()
    {
        await using var bed = await OpenAsync();
        var room = Room(bed, Expecting((Day, long.MinValue, 0), (Next, long.MaxValue, 0), (Next, long.MaxValue, 0), (Window.DayOf(Next.End), long.MaxValue, long.MaxValue)), volume: 10_000);
        Assert.Equal(1L << 60, room.Disk.Expected);
        Assert.Equal(10_000, room.Disk.Expected - room.Disk.Short);
        Assert.Equal(0, room.ForCopies);
        await room.LookAsync(default);
        Assert.Contains("expected on this disk", room.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Where_the_disk_will_not_do_windows_are_archived_ahead_and_what_finds_no_room_is_said()
    {
        await using var bed = await OpenAsync();
        var expected = 5_000L;
        var room = new RoomAhead(bed.Store, () => Expecting((Next, expected, 0)), new(), () => 2_000, bed.Clock, NullLogger<RoomAhead>.Instance);
        await using var care = new Caretaker(bed.Store, bed.Packer, null, null, new(bed.Store, null, NullLogger<Expiry>.Instance), room, new() { ArchiveAfterDays = 30 }, bed.Clock, NullLogger<Caretaker>.Instance);
        await care.CareAsync(default);
        Assert.Null(bed.Hdd());
        Assert.Contains("expected on this disk", care.Problem, StringComparison.Ordinal);
        Assert.Equal(0, room.ForCopies);
        Assert.Equal(2_000, room.Disk.Expected - room.Disk.Short);
        expected = 500;
        await care.CareAsync(default);
        Assert.Null(care.Problem);
    }

    [Fact]
    public async Task The_share_of_samples_bounds_them_and_not_copies()
    {
        await using var bed = await OpenAsync();
        var room = Room(bed, Expecting((Next, 100L << 20, 0)), volume: 1L << 30, new() { BytesMax = 64 << 20 });
        Assert.Equal((64 << 20) - bed.Store.HeldBytes, room.Disk.Expected - room.Disk.Short);
        Assert.True(room.IsDiskNearlyFull);
        Assert.Equal((1L << 30) - ((64 << 20) - bed.Store.HeldBytes), room.ForCopies);
    }

    [Fact]
    public async Task An_archive_that_will_not_do_is_said_ahead_and_what_waits_on_the_disk_counts_for_it()
    {
        await using var bed = await OpenAsync();
        var held = bed.Store.HeldBytes;
        var room = Room(bed, Expecting((Next, 0, 300)), volume: 1L << 30, new() { ArchiveBytesMax = held + 200 });
        await room.LookAsync(default);
        Assert.Equal(new TierRoom(0, held + 300, held + 200), room.Archive);
        Assert.Contains("Care:ArchiveBytesMax", room.Problem, StringComparison.Ordinal);
    }
}
