using Foretier.Agent.Hot;
using Foretier.Agent.Ship;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Microsoft.Extensions.Logging.Abstractions;

namespace Foretier.Tests.Unit.Hot;

public class ShipperTests
{
    private static readonly ShipOptions Options = new() { Url = new("http://gateway:8081"), Token = "token", RetryMin = TimeSpan.FromMilliseconds(1), RetryMax = TimeSpan.FromMilliseconds(2) };

    private static Shipper Ship(HotBench bench, FakeGateway gateway, long batchBytes = 1 << 20) =>
        new(bench.Store, Options with { BatchBytesMax = batchBytes }, TimeProvider.System, NullLogger<Shipper>.Instance, gateway.Connection());

    private static async Task UntilShippedAsync(HotBench bench)
    {
        await bench.Store.FlushAllAsync(CancellationToken.None);
        for (var i = 0; bench.Store.Unshipped().Count > 0; i++)
        {
            Assert.True(i < 10_000, "nothing moves");
            await Task.Delay(1);
        }
    }

    private static (long, double)[] Samples(long from, int count, double value = 0) =>
        [.. Enumerable.Range(0, count).Select(i => (from + i * Instant.Second, value + i))];

    [Fact]
    public async Task Every_flushed_sample_reaches_the_gateway_and_the_ledger_says_so()
    {
        var (bench, gateway) = (await HotBench.OpenAsync(), new FakeGateway());
        await using var shipper = Ship(bench, gateway);
        await bench.AppendDurablyAsync("t", Samples(HotBench.Day, 500));
        await bench.AppendDurablyAsync("t", Samples(HotBench.Day - Instant.Day, 500));
        await UntilShippedAsync(bench);
        Assert.Equal(await bench.ReadAsync(), gateway.Samples);
        Assert.Equal((1000, 1000, 0), (bench.Store.Ledger.Unique, bench.Store.Ledger.Released, bench.Store.Ledger.Held));
        Assert.True(bench.Store.Ledger.Balanced);
        await bench.CrashAsync(new Random(1));
        Assert.Equal((1000, 1000, 0), (bench.Store.Ledger.Unique, bench.Store.Ledger.Released, bench.Store.Ledger.Held));
        Assert.Empty(bench.Store.Unshipped());
    }

    [Fact]
    public async Task Shipper_resends_a_batch_when_its_receipt_is_lost_and_nothing_is_doubled()
    {
        var (bench, gateway) = (await HotBench.OpenAsync(), new FakeGateway { LosesReceipt = n => n == 1 });
        await bench.AppendDurablyAsync("t", Samples(HotBench.Day, 100));
        await using (var shipper = Ship(bench, gateway))
        {
            await UntilShippedAsync(bench);
            Assert.Single(gateway.Taken);
            Assert.Equal(await bench.ReadAsync(), gateway.Samples);
            Assert.Equal((100, 0), (bench.Store.Ledger.Released, bench.Store.Ledger.Held));
        }
    }

    [Fact]
    public async Task A_receipt_lost_in_a_crash_is_made_up_for_by_asking()
    {
        var (bench, gateway) = (await HotBench.OpenAsync(), new FakeGateway { LosesReceipt = _ => true });
        await bench.AppendDurablyAsync("t", Samples(HotBench.Day, 100));
        await bench.Store.FlushAllAsync(CancellationToken.None);
        var shipper = Ship(bench, gateway);
        Assert.True(SpinWait.SpinUntil(() => gateway.Batches == 1, 60_000));
        gateway.IsDown = true;
        await shipper.DisposeAsync();
        await bench.CrashAsync(new Random(1));
        gateway.IsDown = false;
        gateway.LosesReceipt = _ => false;
        await using var again = Ship(bench, gateway);
        await UntilShippedAsync(bench);
        Assert.Single(gateway.Taken);
        Assert.Equal((100, 0), (bench.Store.Ledger.Released, bench.Store.Ledger.Held));
        Assert.True(bench.Store.Ledger.Balanced);
    }

    [Fact]
    public async Task A_gateway_that_is_down_gets_everything_when_it_is_up()
    {
        var (bench, gateway) = (await HotBench.OpenAsync(), new FakeGateway { IsDown = true });
        await using var shipper = Ship(bench, gateway);
        await bench.AppendDurablyAsync("t", Samples(HotBench.Day, 100));
        await bench.Store.FlushAllAsync(CancellationToken.None);
        Assert.True(SpinWait.SpinUntil(() => gateway.Requests > 3, 60_000));
        Assert.Equal((100, 0), (bench.Store.Ledger.Held, bench.Store.Ledger.Released));
        Assert.Contains("refused", shipper.Status.LastError, StringComparison.Ordinal);
        Assert.Equal((false, 1), (shipper.Status.Connected, shipper.Status.WindowsLeft));
        gateway.IsDown = false;
        await UntilShippedAsync(bench);
        Assert.Equal(await bench.ReadAsync(), gateway.Samples);
        Assert.True(SpinWait.SpinUntil(() => shipper.Status is { Connected: true, LastError: null, WindowsLeft: 0 }, 60_000));
    }

    [Fact]
    public async Task Newest_window_first_and_large_ones_in_batches_of_whole_flushes()
    {
        var (bench, gateway) = (await HotBench.OpenAsync(), new FakeGateway());
        for (var day = 0; day < 3; day++)
        {
            for (var flush = 0; flush < 4; flush++)
            {
                var random = new Random(day * 10 + flush);
                await bench.AppendDurablyAsync("t", [.. Samples(HotBench.Day - day * Instant.Day + flush * Instant.Hour, 400).Select(s => (s.Item1, random.NextDouble()))]);
                await bench.Store.FlushAllAsync(CancellationToken.None);
            }
        }
        await using var shipper = Ship(bench, gateway, batchBytes: 8000);
        await UntilShippedAsync(bench);
        Assert.Equal(gateway.Taken.Select(b => b.Window).OrderDescending(), gateway.Taken.Select(b => b.Window));
        Assert.True(gateway.Taken.Count > 3);
        Assert.All(gateway.Taken.GroupBy(b => b.Window), w => Assert.Equal(w.Select(b => b.After), w.Select(b => b.Through).Prepend(0).SkipLast(1)));
        Assert.Equal(await bench.ReadAsync(), gateway.Samples);
        Assert.Equal((4800, 4800), (bench.Store.Ledger.Unique, bench.Store.Ledger.Released));
    }

    [Fact]
    public async Task Released_windows_leave_the_edge_and_late_samples_are_a_later_layer()
    {
        var (bench, gateway) = (await HotBench.OpenAsync(), new FakeGateway());
        await using (var shipper = Ship(bench, gateway))
        {
            await bench.AppendDurablyAsync("t", Samples(HotBench.Day, 100));
            await bench.AppendDurablyAsync("t", Samples(HotBench.Day + Instant.Day, 50));
            var moved = await bench.Store.ReleaseAsync(HotBench.Day + 1, CancellationToken.None);
            Assert.Equal((1, 100), (moved.Windows, moved.Samples));
            Assert.Equal(HotBench.Day + Instant.Day, Assert.Single(bench.Own).Window.Start);
            Assert.Equal(bench.Window, Assert.Single(bench.Catalog.View.Holdings, h => h.Node == Holding.Below).Window);
            Assert.DoesNotContain(bench.Disk.Names, name => name.Contains("20170309", StringComparison.Ordinal));

            await bench.AppendDurablyAsync("t", (HotBench.Day + 5 * Instant.Second, -1), (HotBench.Day + 3 * Instant.Hour, -2));
            await CheckLateAsync();
            await bench.Store.FlushAllAsync(CancellationToken.None);
            await CheckLateAsync();
        }
        for (var i = 0; i < 3; i++)
        {
            await bench.CrashAsync(new Random(i));
            await CheckLateAsync();
        }
        await using var again = Ship(bench, gateway);
        await UntilShippedAsync(bench);
        Assert.Equal((-1.0, 152 - 1), (gateway.Samples[("acme/boiler/t", HotBench.Day + 5 * Instant.Second)].Value, gateway.Samples.Count));

        async Task CheckLateAsync()
        {
            var late = Assert.Single(bench.Own, h => h.Window == bench.Window);
            Assert.Equal((1L, 2L), (late.After, late.Count));
            Assert.True(late.Extent.Contains(HotBench.Day + 5 * Instant.Second) && late.Extent.Contains(HotBench.Day + 3 * Instant.Hour));
            var whole = new FetchPart("edge-1", bench.Window, 0, Holding.Latest, bench.Window.Range);
            var result = await bench.Store.FetchAsync(new(["acme/boiler/t"], [whole, whole with { After = 1 }], true, 0, 0), CancellationToken.None);
            Assert.Equal([0], result.Gone);
            Assert.Equal(2, Assert.Single(result.Slices).Samples!.Count);
            Assert.True(bench.Store.Ledger.Balanced);
            Assert.Equal(152, bench.Store.Ledger.Unique);
        }
    }

    [Fact]
    public async Task A_release_waits_for_a_gateway_that_is_down_and_drops_nothing_before()
    {
        var (bench, gateway) = (await HotBench.OpenAsync(), new FakeGateway { IsDown = true });
        await using var shipper = Ship(bench, gateway);
        await bench.AppendDurablyAsync("t", Samples(HotBench.Day, 100));
        var release = bench.Store.ReleaseAsync(long.MaxValue, CancellationToken.None);
        Assert.True(SpinWait.SpinUntil(() => gateway.Requests > 3, 60_000));
        Assert.False(release.IsCompleted);
        Assert.Equal(100, (await bench.ValuesAsync("t")).Length);
        gateway.IsDown = false;
        Assert.Equal(100, (await release).Samples);
        Assert.Empty(bench.Own);
        Assert.Equal(100, gateway.Samples.Count);
    }

    [Fact]
    public async Task A_window_says_that_it_is_settled_while_the_gateway_has_all_of_it_and_takes_it_back_with_the_next_sample_or_deletion()
    {
        var (bench, gateway) = (await HotBench.OpenAsync(), new FakeGateway());
        long Settled() => Assert.Single(bench.Own).Settled;
        async Task<bool> SettlesAsync(long flush)
        {
            for (var tries = 0; tries < 1_000 && Settled() != flush; tries++)
            {
                bench.Clock.Advance(TimeSpan.FromSeconds(1));
                await Task.Delay(1);
            }
            return Settled() == flush;
        }
        await bench.AppendDurablyAsync("t", Samples(HotBench.Day, 100));
        await bench.Store.FlushAllAsync(CancellationToken.None);
        Assert.Equal(0, Settled());
        await using var shipper = Ship(bench, gateway);
        await UntilShippedAsync(bench);
        Assert.True(await SettlesAsync(1));

        // At once, not with the next round: a question right after the acknowledgement must find it.
        await bench.AppendDurablyAsync("t", Samples(HotBench.Day, 1, value: 7));
        Assert.Equal(0, Settled());
        await UntilShippedAsync(bench);
        Assert.True(await SettlesAsync(2));

        var deleting = bench.Store.DeleteAsync(new("acme", "boiler", "t"), new(HotBench.Day, HotBench.Day + Instant.Second), TimeSpan.FromSeconds(30), CancellationToken.None);
        Assert.Equal(0, Settled());
        await deleting;
    }

    [Fact]
    public async Task A_gateway_set_back_to_a_backup_gets_what_it_lacks_again()
    {
        var (bench, gateway) = (await HotBench.OpenAsync(), new FakeGateway());
        await using (var shipper = Ship(bench, gateway))
        {
            await bench.AppendDurablyAsync("t", Samples(HotBench.Day, 100));
            await UntilShippedAsync(bench);
        }
        gateway.SetBack(bench.Window, 0);
        await bench.AppendDurablyAsync("t", Samples(HotBench.Day + Instant.Hour, 10));
        await using var again = Ship(bench, gateway);
        await UntilShippedAsync(bench);
        Assert.Equal(2, gateway.Through(bench.Window));
        Assert.Equal(110, gateway.Taken[^1].Segments.Sum(s => Core.Segments.Segment.Open(s.Bytes).Count));
        Assert.Equal((110, 110), (bench.Store.Ledger.Unique, bench.Store.Ledger.Released));
    }

    [Fact]
    public async Task An_edge_set_up_anew_under_its_old_name_counts_as_later_and_loses_nothing()
    {
        var gateway = new FakeGateway();
        var first = await HotBench.OpenAsync();
        await using (var shipper = Ship(first, gateway))
        {
            await first.AppendDurablyAsync("t", Samples(HotBench.Day, 100));
            await UntilShippedAsync(first);
            await first.AppendDurablyAsync("t", Samples(HotBench.Day + Instant.Hour, 100));
            await UntilShippedAsync(first);
        }
        var second = await HotBench.OpenAsync();
        await second.AppendDurablyAsync("t", Samples(HotBench.Day + Instant.Second, 10, value: 1000));
        await using var again = Ship(second, gateway);
        await UntilShippedAsync(second);
        Assert.Equal(200, gateway.Samples.Count);
        Assert.Equal(1000, gateway.Samples[("acme/boiler/t", HotBench.Day + Instant.Second)].Value);
        Assert.Equal(2, Assert.Single(second.Own).After);
        Assert.True(second.Store.Ledger.Balanced);
    }

    [Fact]
    public async Task What_the_gateway_lost_after_it_had_acknowledged_it_is_sent_again()
    {
        var (bench, gateway) = (await HotBench.OpenAsync(), new FakeGateway());
        await using var shipper = Comparing(bench, gateway);
        await bench.AppendDurablyAsync("t", Samples(HotBench.Day, 100));
        await UntilShippedAsync(bench);
        gateway.SetBack(bench.Window, 0);
        Assert.True(SpinWait.SpinUntil(() => gateway.Taken.Count == 2 && bench.Store.Unshipped().Count == 0, 60_000));
        Assert.Equal(gateway.Taken[0].ToBytes(), gateway.Taken[1].ToBytes());
        Assert.Empty(shipper.Problems);
        Assert.Equal((100, 100, 0), (bench.Store.Ledger.Unique, bench.Store.Ledger.Released, bench.Store.Ledger.Held));
    }

    [Fact]
    public async Task What_the_gateway_lost_and_the_edge_has_no_longer_is_named_until_it_turns_up()
    {
        var (bench, gateway) = (await HotBench.OpenAsync(), new FakeGateway());
        await using var shipper = Comparing(bench, gateway);
        await bench.AppendDurablyAsync("t", Samples(HotBench.Day, 100));
        await bench.Store.ReleaseAsync(HotBench.Day + 1, CancellationToken.None);
        gateway.SetBack(bench.Window, 0);
        Assert.True(SpinWait.SpinUntil(() => shipper.Problems.Any(problem => problem.Contains("no longer on this edge", StringComparison.Ordinal)), 60_000));
        gateway.SetBack(bench.Window, 1);
        Assert.True(SpinWait.SpinUntil(() => !shipper.Problems.Any(), 60_000));
    }

    [Fact]
    public async Task Where_bytes_cost_small_batches_wait_for_each_other()
    {
        var (bench, gateway) = (await HotBench.OpenAsync(), new FakeGateway());
        var clock = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        await using var shipper = new Shipper(bench.Store, Options with { CoalesceFor = TimeSpan.FromMinutes(3) }, clock, NullLogger<Shipper>.Instance, gateway.Connection());
        await bench.AppendDurablyAsync("t", Samples(HotBench.Day, 100));
        await UntilShippedAsync(bench);
        for (var flush = 1; flush <= 3; flush++)
        {
            await bench.AppendDurablyAsync("t", Samples(HotBench.Day + flush * Instant.Hour, 100));
            await bench.Store.FlushAllAsync(CancellationToken.None);
        }
        Assert.Equal(1, gateway.Batches);
        for (var i = 0; bench.Store.Unshipped().Count > 0; i++)
        {
            Assert.True(i < 1_000, "nothing moves");
            clock.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(1);
        }
        Assert.Equal(2, gateway.Batches);
        Assert.Equal(await bench.ReadAsync(), gateway.Samples);
    }

    private static Shipper Comparing(HotBench bench, FakeGateway gateway) =>
        new(bench.Store, Options with { CompareEvery = TimeSpan.FromMilliseconds(5) }, TimeProvider.System, NullLogger<Shipper>.Instance, gateway.Connection());
}
