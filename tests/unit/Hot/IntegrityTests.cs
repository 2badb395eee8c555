using Foretier.Agent.Hot;
using Foretier.Core.Samples;
using Xunit.Abstractions;

namespace Foretier.Tests.Unit.Hot;

/// <summary>What a device does to files that were whole when they were written.</summary>
public class IntegrityTests(ITestOutputHelper output)
{
    private const long Second = Instant.Second;
    private static readonly string File = $"ssd/{new Foretier.Core.Partitions.Window(HotBench.Day, Instant.Day)}.g1.db";

    /// <summary>Random doubles do not compress: 2,000 fill some 30 blocks, in pages of their own.</summary>
    private static async Task<(HotBench Bench, double[] Values)> FilledAsync(bool isSealed = false)
    {
        var bench = await HotBench.OpenAsync();
        var random = new Random(11);
        await bench.AppendDurablyAsync("t", [.. Enumerable.Range(0, 2000).Select(i => (HotBench.Day + i * Second, random.NextDouble()))]);
        await bench.Store.FlushAllAsync(CancellationToken.None);
        if (isSealed)
        {
            await bench.Store.SealAllAsync(CancellationToken.None);
        }
        return (bench, await bench.ValuesAsync("t"));
    }

    /// <summary>Writes so much that the ring has no record of what was before.</summary>
    private static async Task TurnJournalAsync(HotBench bench)
    {
        for (var i = 0; i < 40; i++)
        {
            await bench.AppendDurablyAsync("filler", [.. Enumerable.Range(0, 600).Select(n => (HotBench.Day - 5 * Instant.Day + (i * 600 + n) * Second, n * 0.37))]);
            await bench.Store.FlushAllAsync(CancellationToken.None);
            await bench.Store.SaveAsync();
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_flipped_bit_of_a_window_file_is_put_right_wherever_it_is(bool isSealed)
    {
        var (bench, expected) = await FilledAsync(isSealed);
        await TurnJournalAsync(bench);
        await bench.Store.DisposeAsync();
        var name = isSealed ? File.Replace(".g1.", ".g2.", StringComparison.Ordinal) : File;
        var random = new Random(3);
        var found = 0L;
        for (var trial = 0; trial < 60; trial++)
        {
            var disk = bench.Disk.Crash(null);
            disk.Flip(name, random.NextInt64(disk.LengthOf(name) * 8));
            var again = await HotBench.OpenAsync(disk);
            await again.Store.ScrubAsync(0, CancellationToken.None);
            Assert.Equal(expected, await again.ValuesAsync("t"));
            Assert.Equal((0L, true), (again.Store.Ledger.Lost, again.Store.Ledger.Balanced));
            var status = again.Store.Integrity;
            found += status.Corrected + status.Damaged;
            if (status.Corrected + status.Damaged > 0)
            {
                Assert.Contains(name, status.Last, StringComparison.Ordinal);
            }
            await again.Store.DisposeAsync();
        }
        Assert.True(found >= 40, $"{found} of 60 were found");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Damaged_sectors_cost_the_blocks_they_are_in_which_are_named_and_counted_and_the_rest_is_served(bool isSealed)
    {
        var (bench, expected) = await FilledAsync(isSealed);
        await TurnJournalAsync(bench);
        await bench.Store.DisposeAsync();
        var name = isSealed ? File.Replace(".g1.", ".g2.", StringComparison.Ordinal) : File;
        var random = new Random(5);
        var losses = 0;
        for (var trial = 0; trial < 40; trial++)
        {
            var disk = bench.Disk.Crash(null);
            disk.Smash(name, random);
            var again = await HotBench.OpenAsync(disk);
            await again.Store.ScrubAsync(0, CancellationToken.None);
            var values = await again.ValuesAsync("t");
            var ledger = again.Store.Ledger;
            Assert.True(ledger.Balanced, ledger.ToString());
            Assert.Equal(expected.Length - values.Length, ledger.Lost);
            Assert.Empty(values.Except(expected));
            if (ledger.Lost > 0)
            {
                losses++;
                Assert.True(ledger.Lost <= 400, again.Store.Integrity.Last);
                Assert.Equal(1, again.Store.Integrity.Damaged);
                Assert.Contains("are lost", Assert.Single(again.Store.Problems), StringComparison.Ordinal);
            }
            // Nothing is damaged any more, the loss stays in the account, and life goes on.
            await again.AppendDurablyAsync("t", (HotBench.Day + 5000 * Second, 1));
            await again.Store.FlushAllAsync(CancellationToken.None);
            await again.CrashAsync(null);
            Assert.Equal(values.Length + 1, (await again.ValuesAsync("t")).Length);
            Assert.Equal((ledger.Lost, true), (again.Store.Ledger.Lost, again.Store.Ledger.Balanced));
            await again.Store.DisposeAsync();
        }
        Assert.True(losses > 5, $"{losses}");
    }

    [Fact]
    public async Task Whatever_file_a_bit_flips_in_all_that_is_not_counted_as_lost_is_served_and_no_value_is_wrong()
    {
        // scripts/bitflip asks for more.
        static int Asked(string name, int otherwise) => int.TryParse(Environment.GetEnvironmentVariable("FORETIER_BITFLIP_" + name), out var n) ? n : otherwise;
        int flips = Asked("FLIPS", 60), seed = Asked("SEED", 23);
        var random = new Random(seed);
        var (bench, _) = await FilledAsync(isSealed: true);
        await TurnJournalAsync(bench);
        await bench.AppendDurablyAsync("p", [.. Enumerable.Range(0, 1500).Select(i => (HotBench.Day - Instant.Day + i * Second, random.NextDouble()))]);
        await bench.Store.FlushAllAsync(CancellationToken.None);
        await bench.Store.SaveAsync();
        for (var i = 0; i < 20; i++)
        {
            await bench.AppendDurablyAsync("p", (HotBench.Day + Instant.Hour + i * Second, i));
        }
        var expected = await bench.ReadAsync();
        var before = bench.Disk.Crash(null);
        await bench.Store.AbandonAsync();
        var names = before.Names.Where(name => name != "spare" && before.LengthOf(name) > 0).Order(StringComparer.Ordinal).ToList();
        var tally = new SortedDictionary<string, (int Flips, int Named, int Corrected, long Lost)>(StringComparer.Ordinal);
        for (var trial = 0; trial < flips; trial++)
        {
            var name = names[trial % names.Count];
            var kind = name.StartsWith("journal", StringComparison.Ordinal) ? "journal" : name.StartsWith("store", StringComparison.Ordinal) ? "saved facts"
                : Path.GetExtension(name) == ".log" ? "window log" : name.Contains(".g2.", StringComparison.Ordinal) ? "sealed window" : "window";
            var disk = before.Crash(null);
            before = before.Crash(null);
            disk.Flip(name, random.NextInt64(disk.LengthOf(name) * 8));
            var again = await HotBench.OpenAsync(disk);
            await again.Store.ScrubAsync(0, CancellationToken.None);
            var ledger = again.Store.Ledger;
            var status = again.Store.Integrity;
            var read = await again.ReadAsync();
            Assert.True(ledger.Balanced, ledger.ToString());
            Assert.All(read, sample => Assert.Equal(expected[sample.Key], sample.Value));
            Assert.True(expected.Count - read.Count <= ledger.Lost, $"{name}: {expected.Count - read.Count} missing, {ledger.Lost} counted");
            if (status.Corrected + status.Damaged > 0)
            {
                Assert.Contains(kind == "journal" ? kind : name, status.Last, StringComparison.Ordinal);
            }
            var (n, named, corrected, lost) = tally.GetValueOrDefault(kind);
            tally[kind] = (n + 1, named + (status.Corrected + status.Damaged > 0 ? 1 : 0), corrected + (int)status.Corrected, lost + ledger.Lost);
            await again.Store.AbandonAsync();
            if (trial % 100 == 99)
            {
                Console.WriteLine($"{trial + 1} of {flips}");
            }
        }
        foreach (var (kind, (n, named, corrected, lost)) in tally)
        {
            output.WriteLine($"{kind}: {n} flips, {named} in bytes that mattered and named, {corrected} put right, {lost} of {expected.Count} samples lost, each time counted");
            Assert.True(kind is "journal" or "window log" ? n > 0 : named >= n * 2 / 3, $"{kind}: only {named} of {n} flips were found");
        }
        output.WriteLine($"{flips} flips, seed {seed}");
    }

    [Fact]
    public async Task What_the_journal_still_has_is_restored()
    {
        var (bench, expected) = await FilledAsync();
        var random = new Random(7);
        var damaged = 0L;
        for (var trial = 0; trial < 30; trial++)
        {
            var disk = bench.Disk.Crash(null);
            disk.Smash(File, random);
            var again = await HotBench.OpenAsync(disk);
            Assert.Equal(expected, await again.ValuesAsync("t"));
            Assert.Equal((0L, true), (again.Store.Ledger.Lost, again.Store.Ledger.Balanced));
            damaged += again.Store.Integrity.Damaged;
            await again.Store.AbandonAsync();
            bench = new(bench.Disk);
        }
        Assert.True(damaged > 0);
    }

    [Fact]
    public async Task What_the_gateway_has_is_read_from_there()
    {
        var (bench, expected) = await FilledAsync();
        await TurnJournalAsync(bench);
        await bench.Store.MarkShippedAsync(bench.Window, 1, null, CancellationToken.None);
        await bench.AppendDurablyAsync("t", (HotBench.Day + 9000 * Second, 7));
        await bench.Store.FlushAllAsync(CancellationToken.None);
        await bench.Store.DisposeAsync();
        var random = new Random(9);
        var below = 0;
        for (var trial = 0; trial < 30; trial++)
        {
            var disk = bench.Disk.Crash(null);
            disk.Smash(File, random);
            var again = await HotBench.OpenAsync(disk);
            await again.Store.ScrubAsync(0, CancellationToken.None);
            var ledger = again.Store.Ledger;
            Assert.True(ledger.Balanced, ledger.ToString());
            Assert.Equal(0, ledger.Lost);
            var own = Assert.Single(again.Own, holding => holding.Window == again.Window);
            if (own.After == 1)
            {
                below++;
                Assert.Contains(again.Catalog.View.Holdings, holding => holding.Window == again.Window && holding.Node == Foretier.Core.Tiers.Holding.Below && holding.Through == 1);
                Assert.Contains(7.0, await again.ValuesAsync("t"));
            }
            else
            {
                Assert.True(expected.Append(7.0).SequenceEqual(await again.ValuesAsync("t")));
            }
            await again.Store.DisposeAsync();
        }
        Assert.True(below > 3, $"{below}");
    }

    [Fact]
    public async Task A_window_file_of_which_nothing_is_left_is_set_aside_and_the_rest_goes_on()
    {
        var bench = await HotBench.OpenAsync();
        await bench.AppendDurablyAsync("t", (HotBench.Day, 1));
        await bench.AppendDurablyAsync("t", (HotBench.Day - Instant.Day, 2));
        await bench.Store.FlushAllAsync(CancellationToken.None);
        await bench.Store.DisposeAsync();
        var disk = bench.Disk.Crash(null);
        for (long bit = 0; bit < disk.LengthOf(File) * 8; bit += 31)
        {
            disk.Flip(File, bit);
        }
        var again = await HotBench.OpenAsync(disk);
        Assert.Contains(File + ".damaged", again.Disk.Names);
        await again.AppendDurablyAsync("t", (HotBench.Day + Second, 3));
        await again.Store.FlushAllAsync(CancellationToken.None);
        // The journal still had the first one.
        await again.HasAsync("t", 2, 1, 3);
        Assert.True(again.Store.Ledger.Balanced, again.Store.Ledger.ToString());
    }

    [Fact]
    public async Task A_flipped_bit_of_the_saved_facts_costs_nothing_and_is_named()
    {
        var (bench, expected) = await FilledAsync();
        await bench.Store.DisposeAsync();
        var random = new Random(13);
        for (var trial = 0; trial < 20; trial++)
        {
            var disk = bench.Disk.Crash(null);
            var name = trial % 2 == 0 ? "store.a" : "store.b";
            disk.Flip(name, random.NextInt64(disk.LengthOf(name) * 8));
            var again = await HotBench.OpenAsync(disk);
            Assert.Equal(expected, await again.ValuesAsync("t"));
            Assert.Contains(name, again.Store.Integrity.Last, StringComparison.Ordinal);
            await again.Store.ScrubAsync(0, CancellationToken.None);
            await again.CrashAsync(null);
            Assert.Equal(0, again.Store.Integrity.Damaged);
            await again.Store.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_flipped_bit_of_the_journal_is_named_and_what_it_cost_is_counted()
    {
        var random = new Random(17);
        var lost = 0L;
        for (var trial = 0; trial < 40; trial++)
        {
            var bench = await HotBench.OpenAsync();
            for (var i = 0; i < 30; i++)
            {
                await bench.AppendDurablyAsync("t", (HotBench.Day + i * Second, i));
            }
            if (trial % 2 == 0)
            {
                await bench.Store.FlushAllAsync(CancellationToken.None);
            }
            await bench.AppendDurablyAsync("t", (HotBench.Day + 100 * Second, 100));
            var disk = bench.Disk.Crash(null);
            disk.Flip("journal/000001.fj", (4096 + random.Next(1600)) * 8L + random.Next(8));
            await bench.Store.AbandonAsync();
            var again = await HotBench.OpenAsync(disk);
            var count = (await again.ReadAsync()).Count;
            var ledger = again.Store.Ledger;
            Assert.True(ledger.Balanced, ledger.ToString());
            Assert.InRange(count, trial % 2 == 0 ? 31 : 30, 31);
            // A record that the counters do not have counts as one sample, also where it was the definition of the series.
            Assert.InRange(ledger.Lost, 31 - count, 1);
            Assert.Equal(ledger.Lost > 0, again.Store.Problems.Any(problem => problem.Contains("journal", StringComparison.Ordinal) && problem.Contains("lost,", StringComparison.Ordinal)));
            lost += ledger.Lost;
            await again.Store.DisposeAsync();
        }
        Assert.True(lost > 5, $"{lost}");
    }

    [Fact]
    public async Task A_sealed_window_answers_the_same_takes_late_samples_and_is_sealed_again()
    {
        var (bench, expected) = await FilledAsync(isSealed: true);
        Assert.Contains(File.Replace(".g1.", ".g2.", StringComparison.Ordinal), bench.Disk.Names);
        Assert.DoesNotContain(File, bench.Disk.Names);
        for (var round = 0; round < 3; round++)
        {
            await bench.AppendDurablyAsync("t", (HotBench.Day + (3000 + round) * Second, round));
            await bench.Store.FlushAllAsync(CancellationToken.None);
            expected = [.. expected, round];
            await bench.HasAsync("t", expected);
            await bench.CrashAsync(new Random(round));
            await bench.HasAsync("t", expected);
            await bench.Store.SealAllAsync(CancellationToken.None);
            await bench.CrashAsync(new Random(round));
            await bench.HasAsync("t", expected);
            Assert.True(bench.Store.Ledger.Balanced);
            Assert.Equal(expected.Length, bench.Store.Ledger.Held);
        }
    }

    [Fact]
    public async Task Many_flushes_and_tiny_windows_take_little_space_once_sealed()
    {
        var bench = await HotBench.OpenAsync();
        for (var i = 0; i < 50; i++)
        {
            await bench.AppendDurablyAsync($"s{i % 5}", (HotBench.Day + i * Second, i));
            await bench.Store.FlushAllAsync(CancellationToken.None);
        }
        await bench.AppendDurablyAsync("t", (HotBench.Day - Instant.Day, 1));
        await bench.Store.FlushAllAsync(CancellationToken.None);
        var before = bench.Disk.Names.Where(name => name.StartsWith("ssd/", StringComparison.Ordinal)).Sum(bench.Disk.LengthOf);
        await bench.Store.SealAllAsync(CancellationToken.None);
        var files = bench.Disk.Names.Where(name => name.EndsWith(".db", StringComparison.Ordinal)).ToList();
        Assert.Equal(2, files.Count);
        Assert.InRange(files.Sum(bench.Disk.LengthOf), 1, 6000);
        Assert.True(before > 80_000);
    }

    [Fact]
    public void Any_one_flipped_bit_is_found_by_the_checksum_alone()
    {
        var random = new Random(19);
        var bytes = new byte[3000];
        random.NextBytes(bytes);
        var whole = bytes.ToArray();
        var crc = Foretier.Core.Segments.Crc32C.Compute(bytes);
        for (var trial = 0; trial < 300; trial++)
        {
            var bit = random.Next(bytes.Length * 8);
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.True(BitRepair.TryCorrect(bytes, Foretier.Core.Segments.Crc32C.Compute(bytes), crc));
            Assert.Equal(whole, bytes);
        }
        bytes[10] ^= 3;
        Assert.False(BitRepair.TryCorrect(bytes, Foretier.Core.Segments.Crc32C.Compute(bytes), crc));
    }
}
