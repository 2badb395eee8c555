using Foretier.Agent;
using Foretier.Agent.Hot;
using Foretier.Agent.Ship;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Microsoft.Extensions.Logging.Abstractions;

namespace Foretier.Tests.Unit.Hot;

public class HotLimitsTests
{
    private static readonly HotOptions Options = new()
    {
        Directory = "-",
        CommitInterval = TimeSpan.Zero,
        JournalFileBytes = 64 * 1024,
        JournalFiles = 2,
        ReserveBytes = 0,
    };

    private static Shipper Ship(HotBench bench, FakeGateway gateway) => new(bench.Store, new()
    {
        Url = new("http://gateway"),
        Token = "token",
        RetryMin = TimeSpan.FromMilliseconds(1),
        RetryMax = TimeSpan.FromMilliseconds(2),
    }, TimeProvider.System, NullLogger<Shipper>.Instance, gateway.Connection());

    private static (long, double)[] Day(int day, int count, int seed = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(i => (HotBench.Day + day * Instant.Day + i * 20 * Instant.Second, Math.Round(random.NextDouble() * 1000, 3)))];
    }

    /// <summary>Lets the store's clock pass until something is so.</summary>
    private static async Task UntilAsync(HotBench bench, Func<bool> isSo)
    {
        for (var i = 0; !isSo(); i++)
        {
            Assert.True(i < 10_000, $"it never came to be: {bench.Store.Ledger}");
            bench.Clock.Advance(TimeSpan.FromMilliseconds(300));
            await Task.Delay(1);
        }
    }

    [Fact]
    public async Task A_released_window_is_dropped_here_by_age_and_one_that_is_not_stays()
    {
        var (bench, gateway) = (await HotBench.OpenAsync(options: Options with { KeepReleasedDays = 3 }), new FakeGateway());
        await bench.AppendDurablyAsync("t", Day(0, 50));
        await bench.Store.FlushAllAsync(CancellationToken.None);
        bench.Clock.Advance(TimeSpan.FromDays(4));
        await UntilAsync(bench, () => bench.Store.Wear.Total > 0);
        Assert.Equal(50, bench.Store.Ledger.Held);
        Assert.Single(bench.Own);
        await using (var shipper = Ship(bench, gateway))
        {
            await UntilAsync(bench, () => !bench.Own.Any());
        }
        Assert.Equal((50, 0, 0), (bench.Store.Ledger.Released, bench.Store.Ledger.Held, bench.Store.Ledger.Expired));
        Assert.True(bench.Store.Ledger.Balanced);
        Assert.Equal(50, gateway.Samples.Count);
        await UntilAsync(bench, () => !bench.Disk.Names.Any(name => name.EndsWith(".db", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Past_retention_a_window_expires_counted_and_nothing_more_comes_into_it()
    {
        var bench = await HotBench.OpenAsync(options: Options with { RetainDays = 7 });
        await bench.AppendDurablyAsync("t", Day(0, 50));
        await bench.AppendDurablyAsync("t", Day(5, 20));
        await bench.Store.FlushAllAsync(CancellationToken.None);
        bench.Clock.Advance(TimeSpan.FromDays(8));
        await UntilAsync(bench, () => bench.Store.Ledger.Expired > 0);
        for (var round = 0; round < 2; round++)
        {
            var ledger = bench.Store.Ledger;
            Assert.True(ledger.Balanced, ledger.ToString());
            Assert.Equal((70, 70, 50, 20), (ledger.Accepted, ledger.Unique, ledger.Expired, ledger.Held));
            var late = new IncomingSample(bench.Series("t"), HotBench.Day + 1, 1, null);
            Assert.True(bench.Store.IsTooLate([late]));
            Assert.False(bench.Store.IsTooLate([late with { Time = HotBench.Day - Instant.Day }]), "a day that was never held is new");
            var gone = Assert.Single(bench.Catalog.View.Holdings, h => h.Node == Holding.Gone);
            Assert.Equal((bench.Window, 50), (gone.Window, gone.Count));
            await bench.CrashAsync(new Random(round));
        }
        Assert.Equal(20, (await bench.ReadAsync()).Count);
        await bench.Store.AbandonAsync();
    }

    [Fact]
    public async Task No_window_is_deleted_by_a_clock_that_is_not_settled()
    {
        var bench = await HotBench.OpenAsync(options: Options with { RetainDays = 7 });
        await bench.AppendDurablyAsync("t", Day(0, 50));
        await bench.Store.FlushAllAsync(CancellationToken.None);
        await bench.Store.DisposeAsync();
        var clock = new SiteClock(bench.Clock);
        var store = HotStore.Open(bench.Options, bench.Disk.Crash(null), new(), clock, NullLogger.Instance);
        Assert.True(clock.IsSettled);
        bench.Clock.SetUtcNow(bench.Clock.GetUtcNow());
        var jumped = new Jumping(bench.Clock);
        await store.DisposeAsync();
        clock = new SiteClock(jumped);
        store = HotStore.Open(bench.Options, bench.Disk.Crash(null), new(), clock, NullLogger.Instance);
        jumped.Ahead = TimeSpan.FromDays(400);
        for (var i = 0; i < 50; i++)
        {
            bench.Clock.Advance(TimeSpan.FromSeconds(10));
            await Task.Delay(1);
        }
        Assert.Contains("set by more than an hour", Assert.Single(store.Problems), StringComparison.Ordinal);
        Assert.Equal((0, 50), (store.Ledger.Expired, store.Ledger.Held));
        for (var i = 0; store.Ledger.Expired == 0; i++)
        {
            Assert.True(i < 2000, "it never expires");
            bench.Clock.Advance(TimeSpan.FromMinutes(2));
            await Task.Delay(1);
        }
        Assert.True(store.Ledger.Balanced);
        await store.DisposeAsync();
    }

    [Fact]
    public async Task Near_the_cap_what_the_gateway_has_goes_first_and_without_a_gateway_ingest_waits()
    {
        var (bench, gateway) = (await HotBench.OpenAsync(options: Options with { FlashBytesMax = 600_000 }), new FakeGateway());
        await using (var shipper = Ship(bench, gateway))
        {
            for (var day = 0; day < 12; day++)
            {
                await bench.AppendDurablyAsync("t", Day(day - 20, 4000, day));
                await bench.Store.FlushAllAsync(CancellationToken.None);
                await UntilAsync(bench, () => bench.Store.Unshipped().Count == 0 && bench.Store.UsedBytes < 560_000);
                Assert.InRange(bench.Store.UsedBytes, 1, 600_000);
            }
        }
        Assert.Equal(48_000, gateway.Samples.Count);
        Assert.Equal((48_000, 0), (bench.Store.Ledger.Released, bench.Store.Ledger.Held));
        // (The journal may be full for a moment too.)
        await UntilAsync(bench, () => !bench.Store.IsFull);
        // Without a gateway there is an end.
        for (var day = 0; bench.Store.UsedBytes < 600_000; day++)
        {
            Assert.True(day < 100);
            await bench.AppendDurablyAsync("t", Day(day, 4000, day));
            await bench.Store.FlushAllAsync(CancellationToken.None);
            await UntilAsync(bench, () => !bench.Store.IsFull || bench.Store.UsedBytes >= 600_000);
            bench.Clock.Advance(TimeSpan.FromMilliseconds(300));
            await Task.Delay(5);
        }
        Assert.True(bench.Store.IsFull);
        Assert.Contains("flash are used", Assert.Single(bench.Store.Problems), StringComparison.Ordinal);
        Assert.True(bench.Store.Ledger.Balanced);
        Assert.Equal(0, bench.Store.Ledger.Shed);
    }

    [Fact]
    public async Task When_samples_are_shed_their_rollups_answer_and_the_ledger_says_how_many_went()
    {
        var bench = await HotBench.OpenAsync(options: Options with { FlashBytesMax = 1_500_000, Shed = Shed.Oldest });
        var expected = new List<(long Time, double Value)>();
        var random = new Random(5);
        for (var day = 0; bench.Store.Ledger.Shed == 0; day++)
        {
            Assert.True(day < 60);
            var samples = Enumerable.Range(0, 20_000)
                .Select(i => (HotBench.Day + (day - 60) * Instant.Day + i * 2 * Instant.Second, random.NextDouble())).ToArray();
            expected.AddRange(samples);
            foreach (var message in samples.Chunk(2000))
            {
                await bench.AppendDurablyAsync("t", message);
            }
            await bench.Store.FlushAllAsync(CancellationToken.None);
            for (var i = 0; i < 20; i++)
            {
                bench.Clock.Advance(TimeSpan.FromMilliseconds(300));
                await Task.Delay(2);
            }
        }
        for (var round = 0; round < 2; round++)
        {
            var ledger = bench.Store.Ledger;
            Assert.True(ledger.Balanced, ledger.ToString());
            Assert.Equal(expected.Count, ledger.Shed + ledger.Held);
            var oldest = bench.Own.OrderBy(h => h.Window).First();
            Assert.Equal((Instant.Minute, 20_000), (oldest.Resolution, oldest.Count));
            Assert.True(bench.Store.IsTooLate([new(bench.Series("t"), oldest.Window.Start, 0, null)]));
            var raw = await AskAsync(bench, oldest.Window.Range, 0, Fn.Raw);
            Assert.True(raw.IsPartial);
            Assert.Equal(0, raw.Series[0].Raw!.Count);
            var answer = await AskAsync(bench, oldest.Window.Range, 5 * Instant.Minute, Fn.Avg, Fn.Count);
            Assert.False(answer.IsPartial);
            Assert.Equal("1m", Assert.Single(answer.Tiers).Resolution);
            var rows = answer.Series[0].Rows!;
            foreach (var bucket in expected.Where(s => oldest.Window.Range.Contains(s.Time)).GroupBy(s => Instant.Floor(s.Time, 5 * Instant.Minute)))
            {
                var row = rows.Rows.ToArray().Single(r => r.Start == bucket.Key).Rollup;
                Assert.Equal((bucket.Count(), bucket.Min(s => s.Value), bucket.Max(s => s.Value)), (row.Count, row.Min, row.Max));
                Assert.Equal(bucket.Sum(s => s.Value), row.Sum, 9);
            }
            // An end that cuts through a minute is not known to the sample: that minute is missing, the others are not.
            var cut = await AskAsync(bench, new(oldest.Window.Start + 90 * Instant.Second, oldest.Window.Start + Instant.Hour), 0, Fn.Count);
            Assert.Equal(new TimeRange(oldest.Window.Start + 90 * Instant.Second, oldest.Window.Start + 120 * Instant.Second), Assert.Single(cut.Missing));
            await bench.CrashAsync(new Random(round));
        }
        await bench.Store.AbandonAsync();
    }

    [Fact]
    public async Task A_series_too_many_is_not_begun_and_those_there_are_go_on()
    {
        var bench = await HotBench.OpenAsync(options: Options with { SeriesMax = 2 });
        var known = bench.Series("a");
        bench.Series("b");
        Assert.Equal(0, bench.Series("c"));
        Assert.Equal(known, bench.Series("a"));
        Assert.Contains(bench.Store.Problems, problem => problem.Contains("SeriesMax", StringComparison.Ordinal));
        Assert.Equal(2, bench.Catalog.View.Series.Count);
        await bench.Store.DisposeAsync();
    }

    [Fact]
    public async Task The_days_flash_budget_is_held_and_counts_over_restarts()
    {
        var bench = await HotBench.OpenAsync(options: Options with { FlashBytesPerDay = 10_000_000 });
        for (var i = 0; i < 40; i++)
        {
            await bench.AppendDurablyAsync("t", Day(i % 5 - 10, 4000, i));
        }
        await UntilAsync(bench, () => bench.Store.Wear.Day > 1_000_000);
        var written = bench.Store.Wear;
        await bench.AppendDurablyAsync("t", Day(1, 1));
        await bench.Store.DisposeAsync();
        await bench.OpenAgainAsync();
        Assert.True(bench.Store.Wear.Total >= written.Total);
        Assert.True(bench.Store.Wear.Day >= written.Day);
        for (var i = 0; !bench.Store.Problems.Any(problem => problem.Contains("wait at their senders until", StringComparison.Ordinal)); i++)
        {
            Assert.True(i < 1000);
            await bench.AppendDurablyAsync("t", Day(i % 5 - 10, 4000, i));
            bench.Clock.Advance(TimeSpan.FromMilliseconds(250));
            await Task.Delay(1);
        }
        Assert.True(bench.Store.IsFull);
        Assert.InRange(bench.Store.Wear.Day, 10_000_000, 13_000_000);
        bench.Clock.Advance(TimeSpan.FromHours(25));
        await UntilAsync(bench, () => !bench.Store.IsFull);
        await bench.Store.DisposeAsync();
    }

    [Fact]
    public async Task On_a_full_disk_what_the_gateway_has_can_still_be_given_up()
    {
        var (bench, gateway) = (await HotBench.OpenAsync(options: Options), new FakeGateway());
        await bench.AppendDurablyAsync("t", Day(0, 4000));
        await bench.Store.FlushAllAsync(CancellationToken.None);
        await using (var shipper = Ship(bench, gateway))
        {
            await UntilAsync(bench, () => bench.Store.Unshipped().Count == 0);
            bench.Disk.OnWrite = (name, _) =>
            {
                if (name.StartsWith("store", StringComparison.Ordinal) && bench.Disk.Exists("spare"))
                {
                    throw new IOException("No space left on device", 28);
                }
            };
            Assert.Equal(4000, (await bench.Store.ReleaseAsync(long.MaxValue, CancellationToken.None)).Samples);
        }
        Assert.DoesNotContain("spare", bench.Disk.Names);
        bench.Disk.OnWrite = null;
        await UntilAsync(bench, () => bench.Disk.Names.Contains("spare"));
        await bench.Store.DisposeAsync();
    }

    [Theory]
    [InlineData("journal/", 28, "free some space")]
    [InlineData("ssd/", 28, "free some space")]
    [InlineData("store", 28, "free some space")]
    [InlineData("", 30, "mount it for writing")]
    [InlineData("", 5, "check the hot store's device")]
    public async Task A_disk_that_refuses_is_named_answers_go_on_and_so_does_all_else_once_it_takes_writes(string folder, int error, string advice)
    {
        var bench = await HotBench.OpenAsync(options: Options with { QuietAge = TimeSpan.FromSeconds(1), FlushAge = TimeSpan.FromSeconds(1) });
        var acknowledged = 0;
        async Task PublishAsync()
        {
            try
            {
                await bench.AppendDurablyAsync("t", [.. Enumerable.Range(acknowledged, 500).Select(i => (HotBench.Day + i * Instant.Second, (double)i))]);
                acknowledged += 500;
            }
            catch (HotStoreUnavailableException)
            {
                await Task.Delay(20); // as a sender that comes back: the same again
            }
        }
        await PublishAsync();
        var isRefusing = true;
        bench.Disk.OnWrite = (name, _) =>
        {
            if (isRefusing && name.StartsWith(folder, StringComparison.Ordinal))
            {
                throw new IOException("refused", error);
            }
        };
        for (var i = 0; !bench.Store.Problems.Any(problem => problem.Contains(advice, StringComparison.Ordinal)); i++)
        {
            Assert.True(i < 2000, $"not named: {string.Join(' ', bench.Store.Problems)}");
            if (!bench.Store.IsFull)
            {
                await PublishAsync();
            }
            bench.Clock.Advance(TimeSpan.FromMilliseconds(400));
            await Task.Delay(1);
        }
        Assert.Superset(Enumerable.Range(0, acknowledged).ToHashSet(), (await bench.ValuesAsync("t")).Select(v => (int)v).ToHashSet());
        isRefusing = false;
        await UntilAsync(bench, () => !bench.Store.Problems.Any() && !bench.Store.IsFull);
        await PublishAsync();
        await bench.CrashAsync(new Random(error));
        Assert.Superset(Enumerable.Range(0, acknowledged).ToHashSet(), (await bench.ValuesAsync("t")).Select(v => (int)v).ToHashSet());
        Assert.True(bench.Store.Ledger.Balanced);
        await bench.Store.AbandonAsync();
    }

    private static async Task<Answer> AskAsync(HotBench bench, TimeRange range, long step, params Fn[] functions)
    {
        var health = new SourceHealth(bench.Clock);
        health.Own("edge-1");
        var answerer = new Answerer(bench.Catalog, node => node == "edge-1" ? bench.Store : null, health, bench.Clock);
        Assert.True(SeriesGlob.TryParse("acme/boiler/t", out var glob, out _));
        return await answerer.AnswerAsync(new([glob!], range, step, functions), [.. bench.Catalog.View.Series], CancellationToken.None);
    }

    private sealed class Jumping(TimeProvider clock) : TimeProvider
    {
        public TimeSpan Ahead { get; set; }
        public override DateTimeOffset GetUtcNow() => clock.GetUtcNow() + Ahead;
        public override long TimestampFrequency => clock.TimestampFrequency;
        public override long GetTimestamp() => clock.GetTimestamp();
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            clock.CreateTimer(callback, state, dueTime, period);
    }
}
