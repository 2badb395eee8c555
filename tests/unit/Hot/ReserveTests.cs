using Foretier.Agent.Hot;
using Foretier.Agent.Ship;
using Foretier.Core.Partitions;
using Foretier.Core.Samples;
using Microsoft.Extensions.Logging.Abstractions;

namespace Foretier.Tests.Unit.Hot;

public class ReserveTests
{
    private const long Bytes = 400_000;
    private static readonly CancellationToken _none = CancellationToken.None;
    private static readonly Window _next = Window.DayOf(HotBench.Day + 2 * Instant.Day);

    private static readonly HotOptions _options = new()
    {
        Directory = "-",
        CommitInterval = TimeSpan.Zero,
        JournalFileBytes = 64 * 1024,
        JournalFiles = 2,
        ReserveBytes = 0,
        BlockBytesMax = 512,
    };

    private static (long, double)[] Day(int day, int count, int seed = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(i => (HotBench.Day + day * Instant.Day + i * 20 * Instant.Second, random.NextDouble()))];
    }

    private static Shipper Ship(HotBench bench, FakeGateway gateway) => new(bench.Store, new()
    {
        Url = new("http://gateway"),
        Token = "token",
        RetryMin = TimeSpan.FromMilliseconds(1),
        RetryMax = TimeSpan.FromMilliseconds(2),
    }, TimeProvider.System, NullLogger<Shipper>.Instance, gateway.Connection());

    private static async Task<HotBench> ShippedDaysAsync(int days, HotOptions options)
    {
        var bench = await HotBench.OpenAsync(options: options);
        await using var shipper = Ship(bench, new());
        for (var day = 0; day < days; day++)
        {
            await bench.AppendDurablyAsync("t", Day(day - days, 2000, day));
            await bench.Store.FlushAllAsync(_none);
        }
        for (var i = 0; bench.Store.Unshipped().Count > 0; i++)
        {
            Assert.True(i < 5_000);
            await Task.Delay(1);
        }
        return bench;
    }

    private static List<Window> Kept(HotBench bench) => [.. bench.Own.Select(h => h.Window).Order()];

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task On_a_full_disk_a_window_takes_its_bytes_where_they_were_reserved_and_acknowledged_samples_are_safe_either_way(bool isReserved)
    {
        var bench = await HotBench.OpenAsync(options: _options);
        if (isReserved)
        {
            await bench.Store.ReserveAsync(_next, Bytes, _none);
            Assert.Contains(bench.Disk.Names, name => name.EndsWith(".db.new", StringComparison.Ordinal));
        }
        bench.Disk.Capacity = bench.Disk.Allocated;
        var samples = Day(2, 1500);
        await bench.AppendDurablyAsync("t", samples);
        if (isReserved)
        {
            await bench.Store.FlushAllAsync(_none);
            Assert.InRange(bench.Disk.LengthOf($"ssd/{_next}.g1.db"), samples.Length * 8, Bytes);
        }
        else
        {
            await Assert.ThrowsAnyAsync<IOException>(() => bench.Store.FlushAllAsync(_none));
        }
        var expected = samples.Select(sample => sample.Item2).ToArray();
        await bench.HasAsync("t", expected);
        bench.Disk.Capacity = null;
        await bench.CrashAsync(new Random(1));
        await bench.HasAsync("t", expected);
        await bench.Store.DisposeAsync();
    }

    [Fact]
    public async Task On_a_full_disk_a_window_that_cannot_be_flushed_does_not_stop_one_that_has_its_space()
    {
        var bench = await HotBench.OpenAsync(options: _options);
        await bench.Store.ReserveAsync(_next, Bytes, _none);
        bench.Disk.Capacity = bench.Disk.Allocated;
        var (stuck, samples) = (Day(0, 200), Day(2, 1000));
        await bench.AppendDurablyAsync("t", stuck);
        await bench.AppendDurablyAsync("t", samples);
        await bench.UntilAsync(() => bench.Disk.Names.Contains($"ssd/{_next}.g1.db"));
        Assert.DoesNotContain($"ssd/{bench.Window}.g1.db", bench.Disk.Names);
        await bench.UntilAsync(() => bench.Store.Problems.Any(problem => problem.Contains("free some space", StringComparison.Ordinal)));
        bench.Disk.Capacity = null;
        await bench.UntilAsync(() => bench.Disk.Names.Contains($"ssd/{bench.Window}.g1.db"));
        await bench.CrashAsync(new Random(1));
        await bench.HasAsync("t", [.. stuck.Concat(samples).Select(sample => sample.Item2)]);
        await bench.Store.DisposeAsync();
    }

    [Fact]
    public async Task On_a_full_disk_what_the_gateway_has_goes_before_samples_wait()
    {
        var bench = await ShippedDaysAsync(3, _options);
        // Room for the facts where the spare file was, and no more.
        bench.Disk.Capacity = bench.Disk.Allocated - bench.Disk.LengthReservedOf("spare") + 20_000;
        await bench.AppendDurablyAsync("t", Day(0, 200));
        await bench.UntilAsync(() => bench.Disk.Names.Contains($"ssd/{bench.Window}.g1.db"));
        Assert.InRange(Kept(bench).Count(window => window < bench.Window), 0, 2);
        await bench.Store.DisposeAsync();
    }

    [Fact]
    public async Task A_disk_with_less_than_a_window_reserves_takes_what_there_is()
    {
        var bench = await HotBench.OpenAsync(options: _options with { ReserveBytes = 4_000_000 });
        bench.Disk.Capacity = bench.Disk.Allocated + Bytes;
        await bench.AppendDurablyAsync("t", Day(1, 200));
        await bench.Store.FlushAllAsync(_none);
        Assert.Contains($"ssd/{Window.DayOf(HotBench.Day + Instant.Day)}.g1.db", bench.Disk.Names);
        await bench.Store.DisposeAsync();
    }

    [Fact]
    public async Task A_window_that_has_begun_is_given_what_it_turns_out_to_need()
    {
        var bench = await HotBench.OpenAsync(options: _options);
        await bench.Store.ReserveAsync(_next, 20_000, _none);
        await bench.AppendDurablyAsync("t", Day(2, 10));
        await bench.Store.FlushAllAsync(_none);
        await bench.Store.ReserveAsync(_next, Bytes, _none);
        bench.Disk.Capacity = bench.Disk.Allocated;
        var before = bench.Disk.LengthOf($"ssd/{_next}.g1.db");
        await bench.AppendDurablyAsync("t", Day(2, 3000, 2));
        await bench.Store.FlushAllAsync(_none);
        Assert.InRange(bench.Disk.LengthOf($"ssd/{_next}.g1.db"), before + 20_000, Bytes);
        var moves = Assert.Single(bench.Store.Moves);
        Assert.Equal((1, Bytes, 1, Bytes), (moves.Made, moves.Bytes, moves.Used, moves.UsedBytes));
        await bench.Store.DisposeAsync();
    }

    [Fact]
    public async Task A_prepared_window_counts_against_the_cap_and_is_given_up_when_it_is_over_without_a_sample()
    {
        var bench = await HotBench.OpenAsync(options: _options);
        var before = bench.Disk.Allocated;
        await bench.Store.ReserveAsync(_next, Bytes, _none);
        await bench.Store.ReserveAsync(_next, Bytes * 2, _none);
        Assert.Equal(2 * Bytes, bench.Store.ReservedBytes);
        Assert.InRange(bench.Disk.Allocated - before, 2 * Bytes, 5 * Bytes);
        bench.Clock.Advance(TimeSpan.FromDays(4));
        await bench.Store.ReserveAsync(Window.DayOf(_next.Start + 4 * Instant.Day), 1000, _none);
        Assert.Equal(1000, bench.Store.ReservedBytes);
        Assert.DoesNotContain($"ssd/{_next}.g1.db.new", bench.Disk.Names);
        var moves = Assert.Single(bench.Store.Moves, line => line.What == "reserved");
        Assert.Equal((2, 0, 1, 1), (moves.Made, moves.Used, moves.Wasted, moves.Waiting));
        Assert.Equal((2 * Bytes + 1000, 2 * Bytes), (moves.Bytes, moves.WastedBytes));
        await bench.Store.DisposeAsync();
    }

    [Fact]
    public async Task Room_for_a_window_to_come_is_made_by_what_is_worth_least_a_byte_and_some_is_left_over()
    {
        var bench = await ShippedDaysAsync(6, _options with { FlashBytesMax = 1_000_000 });
        var windows = Kept(bench);
        Assert.Equal(6, windows.Count);
        // The oldest is read most, the newest but one never.
        bench.Store.LeastWorth = among => among.MinBy(one => one.Window == windows[4] ? 0 : one.Window == windows[0] ? 100 : 10 - windows.IndexOf(one.Window)).Window;
        await bench.Store.ReserveAsync(_next, 1000, _none);
        var used = bench.Store.UsedBytes;
        Assert.InRange(used, 410_000, 890_000);
        await bench.Store.ReserveAsync(_next, 890_000 - used, _none);
        Assert.Equal(6, Kept(bench).Count);
        await bench.Store.ReserveAsync(_next, 910_000 - used, _none);
        Assert.DoesNotContain(windows[4], Kept(bench));
        Assert.Contains(windows[0], Kept(bench));
        Assert.InRange(bench.Store.UsedBytes + bench.Store.ReservedBytes, 1, 850_000);
        await bench.Store.DisposeAsync();
    }

    [Fact]
    public async Task What_cannot_be_reserved_is_said_and_drives_nothing_off_that_only_this_edge_has()
    {
        var bench = await HotBench.OpenAsync(options: _options with { FlashBytesMax = 1_000_000 });
        var held = 0;
        // Beyond what the checks below need: where flushes lag, the journal's ring has a file or two more for a while, and they count.
        for (var day = -9; bench.Store.UsedBytes < 700_000; day++, held += 4000)
        {
            await bench.AppendDurablyAsync("t", Day(day, 4000));
            await bench.Store.FlushAllAsync(_none);
            bench.Clock.Advance(TimeSpan.FromMilliseconds(300));
            await Task.Delay(5);
        }
        await bench.Store.ReserveAsync(_next, 100_000, _none);
        Assert.Contains("nothing more is at the gateway", (await Assert.ThrowsAsync<IOException>(() => bench.Store.ReserveAsync(_next, 450_000, _none))).Message, StringComparison.Ordinal);
        Assert.Contains("half of", (await Assert.ThrowsAsync<IOException>(() => bench.Store.ReserveAsync(_next, long.MaxValue / 2, _none))).Message, StringComparison.Ordinal);
        Assert.Equal(100_000, bench.Store.ReservedBytes);
        Assert.Equal(held, bench.Store.Ledger.Held);
        await bench.Store.DisposeAsync();
    }

    [Fact]
    public async Task On_a_full_disk_a_window_keeps_what_it_had_when_it_cannot_have_more()
    {
        var bench = await HotBench.OpenAsync(options: _options);
        await bench.Store.ReserveAsync(_next, 100_000, _none);
        bench.Disk.Capacity = bench.Disk.Allocated + 1000;
        Assert.Contains("disk is full", (await Assert.ThrowsAsync<IOException>(() => bench.Store.ReserveAsync(_next, 120_000, _none))).Message, StringComparison.Ordinal);
        Assert.Equal(100_000, bench.Store.ReservedBytes);
        await bench.Store.DisposeAsync();
    }

    [Fact]
    public async Task A_crash_with_windows_prepared_loses_nothing_and_leaves_no_files()
    {
        for (var seed = 0; seed < 8; seed++)
        {
            var bench = await HotBench.OpenAsync(options: _options);
            await bench.Store.ReserveAsync(_next, Bytes, _none);
            await bench.Store.ReserveAsync(Window.DayOf(_next.End), Bytes, _none);
            var samples = Day(2, 50, seed);
            await bench.AppendDurablyAsync("t", samples);
            if (seed % 2 == 0)
            {
                await bench.Store.FlushAllAsync(_none);
            }
            await bench.CrashAsync(new Random(seed));
            await bench.HasAsync("t", [.. samples.Select(sample => sample.Item2)]);
            Assert.DoesNotContain(bench.Disk.Names, name => name.EndsWith(".new", StringComparison.Ordinal));
            await bench.Store.DisposeAsync();
        }
    }
}
