using Foretier.Agent.Hot;
using Foretier.Agent.Ship;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Microsoft.Extensions.Logging.Abstractions;

namespace Foretier.Tests.Unit.Hot;

public class DeletionTests
{
    private const long Second = Instant.Second;
    private static readonly long Day = HotBench.Day;

    [Fact]
    public async Task What_is_deleted_is_gone_from_memory_and_file_and_stays_gone()
    {
        var bench = await HotBench.OpenAsync();
        await bench.AppendDurablyAsync("t", (Day, 1), (Day + Second, 2), (Day + 2 * Second, 3));
        await bench.Store.FlushAllAsync(CancellationToken.None);
        await bench.AppendDurablyAsync("t", (Day + Second, 20), (Day + 3 * Second, 4), (Day + 9 * Second, 9));
        var done = await bench.DeleteAsync("t", Day + Second, Day + 9 * Second);
        Assert.Equal((3, true), (done.Samples, done.IsWritten));
        await bench.HasAsync("t", 1, 9);
        var ledger = bench.Store.Ledger;
        Assert.True(ledger.Balanced, ledger.ToString());
        Assert.Equal((6, 1, 5, 2, 3), (ledger.Accepted, ledger.Superseded, ledger.Unique, ledger.Held, ledger.Deleted));
        await bench.CrashAsync(new Random(1));
        await bench.HasAsync("t", 1, 9);
        Assert.Equal(ledger.Deleted, bench.Store.Ledger.Deleted);
        Assert.True(bench.Store.Ledger.Balanced);
    }

    [Fact]
    public async Task A_sample_that_comes_after_the_deletion_is_a_new_one()
    {
        var bench = await HotBench.OpenAsync();
        await bench.AppendDurablyAsync("t", (Day, 1), (Day + Second, 2));
        await bench.DeleteAsync("t", Day, Day + 2 * Second);
        await bench.AppendDurablyAsync("t", (Day + Second, 5));
        await bench.HasAsync("t", 5);
        await bench.CrashAsync(new Random(1));
        await bench.HasAsync("t", 5);
        await bench.Store.FlushAllAsync(CancellationToken.None);
        await bench.HasAsync("t", 5);
        Assert.Equal((3, 0, 1, 2), (bench.Store.Ledger.Accepted, bench.Store.Ledger.Superseded, bench.Store.Ledger.Held, bench.Store.Ledger.Deleted));
    }

    [Fact]
    public async Task Other_series_and_other_times_stay_and_an_unknown_series_is_said_to_be_unknown()
    {
        var bench = await HotBench.OpenAsync();
        await bench.AppendDurablyAsync("t", (Day, 1), (Day + Second, 2), (Day + Instant.Day, 3));
        await bench.AppendDurablyAsync("p", (Day, 1), (Day + Second, 2));
        Assert.Equal(1, (await bench.DeleteAsync("t", Day + 1, Day + Second + 1)).Samples);
        await bench.HasAsync("t", 1, 3);
        await bench.HasAsync("p", 1, 2);
        Assert.Null(await bench.Store.DeleteAsync(new("acme", "boiler", "none"), TimeRange.Everything, TimeSpan.Zero, CancellationToken.None));
    }

    [Fact]
    public async Task What_is_remembered_of_a_file_is_forgotten_when_it_is_corrected_or_deleted_from()
    {
        var bench = await HotBench.OpenAsync();
        await bench.AppendDurablyAsync("t", (Day, 1), (Day + Second, 2), (Day + 2 * Second, 3));
        await bench.Store.FlushAllAsync(CancellationToken.None);
        await bench.HasAsync("t", 1, 2, 3);
        await bench.AppendDurablyAsync("t", (Day + Second, 20));
        await bench.HasAsync("t", 1, 20, 3);
        await bench.Store.FlushAllAsync(CancellationToken.None);
        await bench.HasAsync("t", 1, 20, 3);
        await bench.DeleteAsync("t", Day + Second, Day + 2 * Second);
        await bench.HasAsync("t", 1, 3);
        await bench.Store.FlushAllAsync(CancellationToken.None);
        await bench.HasAsync("t", 1, 3);
    }

    [Fact]
    public async Task A_deletion_that_was_acknowledged_holds_whenever_the_power_fails_before_its_flush()
    {
        for (var cut = 0; cut < 40; cut++)
        {
            var bench = await HotBench.OpenAsync();
            await bench.AppendDurablyAsync("t", (Day, 1), (Day + Second, 2));
            await bench.Store.FlushAllAsync(CancellationToken.None);
            await bench.AppendDurablyAsync("t", (Day + 2 * Second, 3));
            bench.Disk.FailAfter = bench.Disk.Operations + cut;
            var isDurable = false;
            try
            {
                await bench.DeleteAsync("t", Day + Second, Day + Instant.Hour);
                isDurable = true;
            }
            catch (HotStoreUnavailableException)
            {
                // not acknowledged
            }
            await bench.CrashAsync(new Random(cut));
            var left = await bench.ValuesAsync("t");
            Assert.True(left is [1] || (!isDurable && left is [1, 2, 3]), $"cut {cut}: [{string.Join(", ", left)}], acknowledged: {isDurable}");
            Assert.True(bench.Store.Ledger.Balanced, bench.Store.Ledger.ToString());
            await bench.Store.DisposeAsync();
        }
    }

    [Fact]
    public async Task What_has_moved_down_is_ended_by_a_tombstone_that_is_shipped_once_and_kept_until_then()
    {
        var bench = await HotBench.OpenAsync();
        var gateway = new FakeGateway();
        await bench.AppendDurablyAsync("t", (Day, 1), (Day + Second, 2), (Day + 2 * Second, 3));
        await using (var shipper = NewShipper(bench, gateway))
        {
            await bench.Store.ReleaseAsync(long.MaxValue, CancellationToken.None);
        }
        Assert.Empty(bench.Own);

        var done = await bench.DeleteAsync("t", Day + Second, Day + 2 * Second);
        Assert.Equal((0, true, false), (done.Samples, done.IsWritten, done.IsBelow));
        var late = new[] { ("acme/boiler/t", new TimeRange(Day + Second, Day + 2 * Second)) };
        for (var round = 0; round < 2; round++)
        {
            var holding = Assert.Single(bench.Own);
            Assert.Equal((1L, 0L, new TimeRange(Day + Second, Day + 2 * Second)), (holding.After, holding.Count, holding.Extent));
            Assert.Equal(late, await bench.ErasedAsync());
            await bench.CrashAsync(new Random(round));
        }
        await bench.AppendDurablyAsync("t", (Day + Second, 20));
        gateway.LosesReceipt = batch => batch == 2;
        await using (var shipper = NewShipper(bench, gateway))
        {
            await bench.Store.ReleaseAsync(long.MaxValue, CancellationToken.None);
        }
        Assert.Equal([1.0, 20, 3], gateway.Samples.OrderBy(s => s.Key.Time).Select(s => s.Value.Value));
        Assert.Single(gateway.Taken.SelectMany(batch => batch.Tombstones));
        Assert.Empty(bench.Own);
        Assert.True(bench.Store.Ledger.Balanced, bench.Store.Ledger.ToString());
        Assert.Equal((4, 0), (bench.Store.Ledger.Released, bench.Store.Ledger.Deleted));
    }

    [Fact]
    public async Task A_gateway_that_is_there_has_it_before_the_deletion_is_done()
    {
        var bench = await HotBench.OpenAsync();
        var gateway = new FakeGateway();
        await bench.AppendDurablyAsync("t", (Day, 1), (Day + Second, 2));
        await bench.Store.FlushAllAsync(CancellationToken.None);
        await using var shipper = NewShipper(bench, gateway);
        while (bench.Store.Unshipped().Count > 0)
        {
            await Task.Delay(1);
        }
        var done = await bench.Store.DeleteAsync(new("acme", "boiler", "t"), new(Day, Day + Second), TimeSpan.FromMinutes(5), CancellationToken.None);
        Assert.Equal((1L, true), (done!.Samples, done.IsBelow));
        Assert.Equal([2.0], gateway.Samples.Values.Select(sample => sample.Value));
        Assert.Equal((1, 1, 0), (bench.Store.Ledger.Released, bench.Store.Ledger.Deleted, bench.Store.Ledger.Held));
        Assert.True(bench.Store.Ledger.Balanced);
    }

    [Fact]
    public async Task A_window_whose_every_sample_was_deleted_stays_listed_while_the_gateway_may_have_some()
    {
        var bench = await HotBench.OpenAsync();
        var gateway = new FakeGateway();
        await bench.AppendDurablyAsync("t", (Day, 1), (Day + Second, 2));
        await bench.Store.FlushAllAsync(CancellationToken.None);
        await using (var shipper = NewShipper(bench, gateway))
        {
            while (bench.Store.Unshipped().Count > 0)
            {
                await Task.Delay(1);
            }
        }
        var done = await bench.DeleteAsync("t", Day, Day + Instant.Day);
        Assert.Equal((2L, true, false), (done.Samples, done.IsWritten, done.IsBelow));
        Assert.NotEmpty(gateway.Samples);
        for (var round = 0; round < 2; round++)
        {
            // Whoever asks for the window is told that it is empty, and does not turn to the gateway.
            var holding = Assert.Single(bench.Own);
            Assert.True(holding.IsWhole);
            Assert.Equal((0L, bench.Window.Range), (holding.Count, holding.Extent));
            Assert.Empty(await bench.ReadAsync());
            await bench.CrashAsync(new Random(round));
        }
    }

    [Fact]
    public async Task Tombstones_outlive_sealing_and_unsealing_and_a_wider_one_stands_for_those_within()
    {
        var bench = await HotBench.OpenAsync();
        var gateway = new FakeGateway();
        await bench.AppendDurablyAsync("t", (Day, 1), (Day + Second, 2), (Day + 2 * Second, 3));
        await using (var shipper = NewShipper(bench, gateway))
        {
            await bench.Store.ReleaseAsync(long.MaxValue, CancellationToken.None);
        }
        await bench.DeleteAsync("t", Day, Day + Second);
        await bench.Store.SealAllAsync(CancellationToken.None);
        await bench.CrashAsync(null);
        Assert.Single(await bench.ErasedAsync());
        await bench.DeleteAsync("t", Day + Second, Day + Second + 1);
        Assert.Equal(2, (await bench.ErasedAsync()).Count);
        await bench.DeleteAsync("t", Day, Day + 2 * Second);
        Assert.Equal([("acme/boiler/t", new TimeRange(Day, Day + 2 * Second))], await bench.ErasedAsync());
    }

    private static Shipper NewShipper(HotBench bench, FakeGateway gateway) => new(bench.Store, new()
    {
        Url = new("http://gateway"),
        Token = "token",
        RetryMin = TimeSpan.FromMilliseconds(1),
        RetryMax = TimeSpan.FromMilliseconds(1),
    }, TimeProvider.System, NullLogger<Shipper>.Instance, gateway.Connection());
}
