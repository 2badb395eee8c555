using Foretier.Agent.Hot;
using Foretier.Core.Query;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;

namespace Foretier.Tests.Unit.Hot;

public class HotStoreTests
{
    private const long Second = Instant.Second;

    [Fact]
    public async Task What_is_durable_is_there_after_a_power_cut_once()
    {
        var bench = await HotBench.OpenAsync();
        await bench.AppendDurablyAsync("t", (HotBench.Day, 1), (HotBench.Day + Second, 2));
        await bench.Store.WaitDurableAsync(bench.Store.Reject("unparsable", 3), CancellationToken.None);
        await bench.CrashAsync(new Random(1));
        await bench.HasAsync("t", 1.0, 2.0);
        var ledger = bench.Store.Ledger;
        Assert.True(ledger.Balanced);
        Assert.Equal((5, 2, 3, 2, 2), (ledger.Received, ledger.Accepted, ledger.Rejected, ledger.Unique, ledger.Held));
        Assert.Equal(3, ledger.RejectedBy["unparsable"]);
    }

    [Fact]
    public async Task A_flushed_window_is_not_replayed_twice()
    {
        var bench = await HotBench.OpenAsync();
        await bench.AppendDurablyAsync("t", (HotBench.Day, 1), (HotBench.Day + Second, 2));
        await bench.Store.FlushAllAsync(CancellationToken.None);
        await bench.AppendDurablyAsync("t", (HotBench.Day + 2 * Second, 3));
        await bench.CrashAsync(new Random(1));
        await bench.HasAsync("t", 1.0, 2.0, 3.0);
        Assert.Equal((3, 0, 3), (bench.Store.Ledger.Accepted, bench.Store.Ledger.Superseded, bench.Store.Ledger.Held));
        Assert.True(bench.Store.Ledger.Balanced);
        var holding = Assert.Single(bench.Catalog.View.Holdings);
        Assert.Equal((Tier.Ssd, 3, 0L, Holding.Latest), (holding.Tier, holding.Count, holding.After, holding.Through));
        Assert.Equal(new TimeRange(HotBench.Day, HotBench.Day + 2 * Second + 1), holding.Extent);
    }

    [Fact]
    public async Task Of_samples_of_one_time_the_last_wins_in_memory_in_the_file_and_between()
    {
        var bench = await HotBench.OpenAsync();
        await bench.AppendDurablyAsync("t", (HotBench.Day, 1), (HotBench.Day, 2), (HotBench.Day + Second, 10));
        await bench.HasAsync("t", 2.0, 10.0);
        await bench.Store.FlushAllAsync(CancellationToken.None);
        await bench.AppendDurablyAsync("t", (HotBench.Day, 3));
        await bench.HasAsync("t", 3.0, 10.0);
        await bench.Store.FlushAllAsync(CancellationToken.None);
        await bench.HasAsync("t", 3.0, 10.0);
        await bench.CrashAsync(null);
        await bench.HasAsync("t", 3.0, 10.0);
        Assert.Equal((4, 2, 2, 2), (bench.Store.Ledger.Accepted, bench.Store.Ledger.Superseded, bench.Store.Ledger.Unique, bench.Store.Ledger.Held));
        Assert.True(bench.Store.Ledger.Balanced);
    }

    [Fact]
    public async Task States_and_numbers_come_back_as_they_were()
    {
        var bench = await HotBench.OpenAsync();
        var door = bench.Series("door", isState: true);
        double[] numbers = [-0.0, double.PositiveInfinity, 1e300, 0.1, 42, -7, long.MaxValue, double.NaN];
        await bench.AppendDurablyAsync("n", [.. numbers.Select((v, i) => (HotBench.Day + i, v))]);
        await bench.Store.WaitDurableAsync(bench.Store.Append(
            [new(door, HotBench.Day, 0, "open"), new(door, HotBench.Day + 5, 0, "zu · 閉"), new(door, HotBench.Day + 6, 1.5, null)]), CancellationToken.None);
        for (var round = 0; round < 2; round++)
        {
            await bench.CrashAsync(new Random(2));
            var read = await bench.ReadAsync();
            Assert.Equal(numbers.Select(BitConverter.DoubleToInt64Bits), (await bench.ValuesAsync("n")).Select(BitConverter.DoubleToInt64Bits));
            Assert.Equal([(0.0, "open"), (0.0, "zu · 閉"), (1.5, null)],
                read.Where(s => s.Key.Series.EndsWith("door", StringComparison.Ordinal)).OrderBy(s => s.Key.Time).Select(s => s.Value));
            Assert.Equal("state", bench.Catalog.View.Named("acme/boiler/door").Single().Kind);
            await bench.Store.FlushAllAsync(CancellationToken.None);
        }
    }

    [Fact]
    public async Task A_message_is_there_whole_or_not_at_all()
    {
        var bench = await HotBench.OpenAsync();
        await bench.AppendDurablyAsync("t", (HotBench.Day, 1));
        bench.Disk.FailAfter = bench.Disk.Operations + 1; // written, never synced
        bench.Append("t", [.. Enumerable.Range(1, 500).Select(i => (HotBench.Day + i * Second, (double)i))]);
        for (var seed = 0; seed < 20; seed++)
        {
            var again = await HotBench.OpenAsync(bench.Disk.Crash(new Random(seed)));
            Assert.Contains((await again.ValuesAsync("t")).Length, new[] { 1, 501 });
            Assert.True(again.Store.Ledger.Balanced);
            await again.Store.DisposeAsync();
        }
        await bench.Store.AbandonAsync();
    }

    [Fact]
    public async Task Handles_and_units_survive_and_a_unit_is_taken_when_it_is_first_told()
    {
        var bench = await HotBench.OpenAsync();
        var one = bench.Store.Resolve("acme", "boiler", "t", null, false);
        var two = bench.Store.Resolve("acme", "boiler", "p", "Pa", false);
        Assert.Equal(one, bench.Store.Resolve("acme", "boiler", "t", "Cel", false));
        await bench.AppendDurablyAsync("t", (HotBench.Day, 1));
        await bench.CrashAsync(new Random(3));
        Assert.Equal((one, two), (bench.Store.Resolve("acme", "boiler", "t", null, false), bench.Store.Resolve("acme", "boiler", "p", null, false)));
        Assert.Equal("Cel", bench.Catalog.View.Named("acme/boiler/t").Single().Unit);
        await bench.Store.DisposeAsync();
        await bench.OpenAgainAsync();
        Assert.Equal(["Cel", "Pa"], bench.Catalog.View.Series.Select(s => s.Unit).Order());
    }

    [Fact]
    public async Task A_question_for_what_is_not_held_as_asked_is_answered_with_gone()
    {
        var bench = await HotBench.OpenAsync();
        await bench.AppendDurablyAsync("t", (HotBench.Day, 1));
        var whole = new FetchPart("edge-1", bench.Window, 0, Holding.Latest, bench.Window.Range);
        var result = await bench.Store.FetchAsync(
            new(["acme/boiler/t", "acme/boiler/none"], [whole, whole with { After = 3 }, whole with { Edge = "edge-2" }, whole with { Through = 9 }], true, 0, 0),
            CancellationToken.None);
        Assert.Equal([1, 2, 3], result.Gone);
        Assert.Equal("acme/boiler/t", Assert.Single(result.Slices).Series);
        Assert.Equal(Tier.Memory, Assert.Single(result.Uses).Tier);
    }

    [Fact]
    public async Task Aggregates_are_the_same_from_memory_from_the_file_and_from_both()
    {
        var bench = await HotBench.OpenAsync();
        var random = new Random(5);
        var samples = Enumerable.Range(0, 3000).Select(i => (HotBench.Day + i * 7 * Second, Math.Round(random.NextDouble() * 50, 1))).ToArray();
        async Task<List<(long, long, double, double, double)>> Ask()
        {
            var part = new FetchPart("edge-1", bench.Window, 0, Holding.Latest, new(HotBench.Day + Instant.Hour / 2, HotBench.Day + 5 * Instant.Hour));
            var result = await bench.Store.FetchAsync(new(["acme/boiler/t"], [part], false, Instant.Hour, 0), CancellationToken.None);
            return [.. result.Slices.Single().Rows!.Rows.ToArray().Select(r => (r.Start, r.Rollup.Count, r.Rollup.Min, r.Rollup.Max, Math.Round(r.Rollup.Sum, 9)))];
        }
        await bench.AppendDurablyAsync("t", samples[..1500]);
        await bench.AppendDurablyAsync("t", samples[1500..]);
        var memory = await Ask();
        Assert.Equal(5, memory.Count);
        await bench.CrashAsync(new Random(1));
        await bench.Store.FlushAllAsync(CancellationToken.None);
        Assert.Equal(memory, await Ask());
        await bench.AppendDurablyAsync("t", samples[700..900]);
        Assert.Equal(memory, await Ask());
        await bench.Store.FlushAllAsync(CancellationToken.None);
        Assert.Equal(memory, await Ask());
        Assert.Equal(200, bench.Store.Ledger.Superseded);
        Assert.True(bench.Store.Ledger.Balanced);
    }

    [Fact]
    public async Task A_full_disk_refuses_new_samples_and_goes_on_by_itself_when_there_is_space()
    {
        var bench = await HotBench.OpenAsync();
        await bench.AppendDurablyAsync("t", (HotBench.Day, 1));
        var isFull = true;
        bench.Disk.OnWrite = (_, _) =>
        {
            if (isFull)
            {
                throw new IOException("No space left on device", 28);
            }
        };
        await Assert.ThrowsAsync<HotStoreUnavailableException>(() => bench.AppendDurablyAsync("t", (HotBench.Day + 1, 2)));
        Assert.Equal("disk_full", bench.Store.Unavailable!.Reason);
        isFull = false;
        Assert.True(SpinWait.SpinUntil(() => bench.Store.Unavailable is null, 60_000));
        await bench.AppendDurablyAsync("t", (HotBench.Day + 2, 3));
        await bench.CrashAsync(new Random(4));
        await bench.HasAsync("t", 1.0, 2.0, 3.0);
        Assert.True(bench.Store.Ledger.Balanced);
    }

    [Fact]
    public async Task A_flush_that_fails_keeps_the_samples_and_the_next_one_takes_them()
    {
        var bench = await HotBench.OpenAsync();
        await bench.AppendDurablyAsync("t", (HotBench.Day, 1));
        await bench.Store.FlushAllAsync(CancellationToken.None);
        await bench.AppendDurablyAsync("t", (HotBench.Day + 1, 2));
        bench.Disk.OnWrite = (name, _) =>
        {
            if (name.StartsWith("ssd/", StringComparison.Ordinal))
            {
                throw new IOException("No space left on device", 28);
            }
        };
        await Assert.ThrowsAnyAsync<IOException>(() => bench.Store.FlushAllAsync(CancellationToken.None));
        await bench.AppendDurablyAsync("t", (HotBench.Day + 2, 3));
        await bench.HasAsync("t", 1.0, 2.0, 3.0);
        bench.Disk.OnWrite = null;
        await bench.Store.FlushAllAsync(CancellationToken.None);
        await bench.HasAsync("t", 1.0, 2.0, 3.0);
        Assert.Equal(3, bench.Store.Ledger.Held);
        await bench.CrashAsync(new Random(4));
        await bench.HasAsync("t", 1.0, 2.0, 3.0);
        Assert.True(bench.Store.Ledger.Balanced);
    }

    [Fact]
    public async Task The_journal_goes_back_to_the_ring_and_many_windows_take_their_turns()
    {
        var bench = await HotBench.OpenAsync();
        var expected = 0;
        for (var round = 0; round < 12; round++)
        {
            for (var day = 0; day < 12; day++)
            {
                await bench.AppendDurablyAsync("t", [.. Enumerable.Range(0, 60).Select(i => (HotBench.Day - day * Instant.Day + (round * 60 + i) * Second, i + 0.1))]);
                expected += 60;
            }
            await bench.Store.FlushAllAsync(CancellationToken.None);
        }
        Assert.Equal(expected, (await bench.ReadAsync()).Count);
        await bench.Store.DisposeAsync();
        await bench.OpenAgainAsync();
        Assert.Equal(expected, (await bench.ReadAsync()).Count);
        Assert.Equal((expected, expected), (bench.Store.Ledger.Accepted, bench.Store.Ledger.Held));
        Assert.InRange(bench.Disk.Names.Count(n => n.StartsWith("journal/", StringComparison.Ordinal)), 3, 4);
    }

    [Fact]
    public async Task A_reader_beside_flushes_sees_every_acknowledged_sample_once()
    {
        var bench = await HotBench.OpenAsync();
        int acknowledged = 0, reads = 0;
        var writer = Task.Run(async () =>
        {
            for (var i = 0; i < 150; i++)
            {
                // Never far ahead of the reader, however the machine shares itself out; a reader that found a fault is not waited for.
                while (Volatile.Read(ref reads) < i / 5)
                {
                    await Task.Yield();
                }
                await bench.AppendDurablyAsync("t", [.. Enumerable.Range(i * 10, 10).Select(n => (HotBench.Day + n * Second, (double)n))]);
                Volatile.Write(ref acknowledged, (i + 1) * 10);
            }
        });
        var flusher = Task.Run(async () =>
        {
            while (!writer.IsCompleted)
            {
                await bench.Store.FlushAllAsync(CancellationToken.None);
            }
        });
        var seen = 0;
        using var over = new Ended(() => Volatile.Write(ref reads, int.MaxValue));
        for (; !writer.IsCompleted; Volatile.Write(ref reads, ++seen))
        {
            var least = Volatile.Read(ref acknowledged);
            var read = await bench.ReadAsync();
            Assert.True(read.Count >= least, $"{read.Count} of {least}");
            Assert.All(read, s => Assert.Equal((s.Key.Time - HotBench.Day) / Second, s.Value.Value));
            var part = new FetchPart("edge-1", bench.Window, 0, Holding.Latest, bench.Window.Range);
            least = Volatile.Read(ref acknowledged);
            var sums = await bench.Store.FetchAsync(new(["acme/boiler/t"], least > 0 ? [part] : [], false, 0, 0), CancellationToken.None);
            foreach (var slice in sums.Slices)
            {
                var rollup = slice.Rows!.Rows[0].Rollup;
                Assert.True(rollup.Count >= least);
                Assert.Equal(rollup.Count * (rollup.Count - 1) / 2, rollup.Sum);
            }
        }
        await Task.WhenAll(writer, flusher);
        Assert.True(seen >= 20);
        Assert.Equal((acknowledged, 0), (bench.Store.Ledger.Unique, bench.Store.Ledger.Superseded));
    }

    private sealed class Ended(Action action) : IDisposable
    {
        public void Dispose() => action();
    }
}
