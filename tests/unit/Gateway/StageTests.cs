using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Gateway.Stage;
using Foretier.Gateway.Warm;
using Foretier.Predict.Access;
using static Foretier.Tests.Unit.Gateway.StageBed;

namespace Foretier.Tests.Unit.Gateway;

public class StageTests
{
    private static readonly TimeRange _days = new(DayAt(2).Start, DayAt(8).End);

    [Fact]
    public async Task What_was_read_raw_is_on_the_disk_before_it_is_read_again_and_the_scorecard_tells_what_was_of_use()
    {
        await using var bed = await OpenAsync(12);
        await bed.ArchiveAsync();
        bed.Read(_days, 0);
        await bed.Stager.CycleAsync(default);

        var staged = bed.Catalog.View.Holdings.Where(h => h is { Tier: Tier.Hdd, Resolution: 0 }).ToList();
        Assert.Superset(Enumerable.Range(2, 7).Select(DayAt).ToHashSet(), staged.Select(h => h.Window).ToHashSet());
        foreach (var holding in staged)
        {
            var archived = bed.Catalog.View.Holdings.Single(h => h.Tier == Tier.Archive && h.Window == holding.Window);
            Assert.Equal((archived.After, archived.Through, archived.Count, archived.Extent), (holding.After, holding.Through, holding.Count, holding.Extent));
        }
        var answer = await bed.AskAsync(_days, 0, Fn.Raw);
        Assert.Equal(0, bed.ArchiveReads);
        Assert.Equal(Tier.Hdd, Assert.Single(answer.Tiers).Tier);

        var line = Assert.Single(StageReport.LinesOf(bed.Store, 7, bed.Now));
        Assert.Equal(("staged", staged.Count, 7, 0, staged.Count - 7, 7), (line.What, line.Made, line.Used, line.Wasted, line.Waiting, line.Reads));
        Assert.Equal(staged.Sum(h => h.Bytes), line.Bytes);
        Assert.True(bed.Store.CountLedger().Balanced);
    }

    [Fact]
    public async Task A_weekly_report_in_days_finds_their_rollups_and_only_a_day_that_its_range_cuts_is_fetched()
    {
        await using var bed = await OpenAsync(12);
        await bed.ArchiveAsync();
        var cut = new TimeRange(DayAt(1).Start + 5 * Instant.Hour + 17, DayAt(9).Start);
        bed.Read(cut, Instant.Day);
        await bed.Stager.CycleAsync(default);

        var staged = bed.Catalog.View.Holdings.Where(h => h.Tier == Tier.Hdd).ToList();
        Assert.All(staged, h => Assert.Equal(Instant.Hour, h.Resolution));
        Assert.True(staged.Sum(h => h.Bytes) * 3 < bed.Catalog.View.Holdings.Where(h => h.Tier == Tier.Archive).Sum(h => h.Bytes), "rollups are to be small");
        var answer = await bed.AskAsync(_days, Instant.Day, Fn.Avg, Fn.Max);
        Assert.Equal("1d", Assert.Single(answer.Tiers).Resolution.Replace("24h", "1d", StringComparison.Ordinal));
        Assert.Equal(0, bed.ArchiveReads);
        answer = await bed.AskAsync(cut, Instant.Day, Fn.Avg);
        Assert.Equal([Tier.Hdd, Tier.Archive], answer.Tiers.Select(t => t.Tier));
        // What rollups cannot tell is asked of the samples.
        answer = await bed.AskAsync(_days, 15 * Instant.Minute, Fn.Avg);
        Assert.Equal(Tier.Archive, Assert.Single(answer.Tiers).Tier);
        answer = await bed.AskAsync(_days, Instant.Day, new Fn(FnKind.Quantile, 95));
        Assert.Equal(Tier.Archive, Assert.Single(answer.Tiers).Tier);
    }

    [Fact]
    public async Task Rollups_of_days_that_are_here_are_made_ahead_and_used_until_the_day_gets_more()
    {
        await using var bed = await OpenAsync(6);
        bed.Read(new(DayAt(0).Start, DayAt(5).End), Instant.Hour);
        await bed.Stager.CycleAsync(default);
        Assert.Equal(6, bed.Store.Copies.Count(copy => copy is { Source: CopyOf.Own, Resolution: Instant.Hour }));
        Assert.Equal(6, bed.Catalog.View.Holdings.Count);
        await bed.AskAsync(new(DayAt(0).Start, DayAt(5).End), Instant.Hour, Fn.Avg, Fn.Count);
        Assert.All(bed.Store.Copies, copy => Assert.Equal(1, copy.Reads));

        await bed.ShipAsync(DayAt(3), 3);
        await bed.AskAsync(new(DayAt(0).Start, DayAt(5).End), Instant.Hour, Fn.Avg, Fn.Count);
        Assert.Equal(1, bed.Store.Copies.Single(copy => copy.Window == DayAt(3)).Reads);
        await bed.Stager.CycleAsync(default);
        Assert.Equal(3, bed.Store.Copies.Single(copy => copy.Window == DayAt(3)).File.Through);
        await bed.AskAsync(new(DayAt(0).Start, DayAt(5).End), Instant.Hour, Fn.Avg, Fn.Count);
        Assert.Equal(1, bed.Store.Copies.Single(copy => copy.Window == DayAt(3)).Reads);
    }

    [Fact]
    public async Task What_came_late_lies_over_what_was_staged_in_raw_and_in_rollups()
    {
        await using var bed = await OpenAsync(4);
        await bed.ArchiveAsync();
        bed.Read(new(DayAt(0).Start, DayAt(3).End), Instant.Hour);
        await bed.Stager.CycleAsync(default);
        await bed.ShipAsync(DayAt(1), 3);
        await bed.AskAsync(new(DayAt(0).Start, DayAt(3).End), Instant.Hour, Fn.Avg, Fn.Count);
        await bed.AskAsync(new(DayAt(0).Start, DayAt(3).End), 0, Fn.Raw);
        bed.Read(new(DayAt(0).Start, DayAt(3).End), 0);
        await bed.Stager.CycleAsync(default);
        Assert.Contains(bed.Store.Copies, copy => copy is { Resolution: 0 } && copy.Window == DayAt(1));
        await bed.ArchiveAsync();
        await bed.AskAsync(new(DayAt(0).Start, DayAt(3).End), 0, Fn.Raw, Fn.Avg);
        await bed.Stager.CycleAsync(default);
        await bed.AskAsync(new(DayAt(0).Start, DayAt(3).End), 0, Fn.Raw, Fn.Avg);
        Assert.True(bed.Store.CountLedger().Balanced);
    }

    [Fact]
    public async Task A_copy_that_rotted_or_vanished_costs_the_way_to_the_archive()
    {
        await using var bed = await OpenAsync(4);
        await bed.ArchiveAsync();
        bed.Read(new(DayAt(0).Start, DayAt(3).End), 0);
        await bed.Stager.CycleAsync(default);
        await bed.RestartAsync(() =>
        {
            var copies = Directory.GetFiles(Path.Combine(bed.Folder, "hdd", "copies")).Order().ToList();
            File.Delete(copies[0]);
            var rotten = File.ReadAllBytes(copies[1]);
            for (var i = 4; i < rotten.Length; i += 50)
            {
                rotten[i] ^= 0x40;
            }
            File.WriteAllBytes(copies[1], rotten);
        });
        Assert.Equal(3, bed.Store.Copies.Count);
        var answer = await bed.AskAsync(new(DayAt(0).Start, DayAt(3).End), 0, Fn.Raw);
        Assert.Contains(answer.Tiers, tier => tier.Tier == Tier.Archive);
        for (var i = 0; bed.Store.Copies.Count > 2; i++)
        {
            Assert.True(i < 5_000, "what cannot be read is to be dropped");
            await Task.Delay(1);
        }
        await bed.Stager.CycleAsync(default);
        Assert.Equal(4, bed.Store.Copies.Count);
        var line = Assert.Single(StageReport.LinesOf(bed.Store, 7, bed.Now));
        Assert.Equal(line.Made, line.Used + line.Wasted + line.Waiting);
    }

    [Fact]
    public async Task What_has_grown_cold_goes_and_counts_as_wasted_where_nobody_read_it()
    {
        await using var bed = await OpenAsync(4);
        await bed.ArchiveAsync();
        bed.Read(new(DayAt(0).Start, DayAt(1).End), Instant.Hour);
        await bed.Stager.CycleAsync(default);
        var copies = bed.Store.Copies.Count;
        await bed.AskAsync(new(DayAt(0).Start, DayAt(0).End), Instant.Hour, Fn.Avg);
        bed.Clock.Advance(TimeSpan.FromDays(45));
        await bed.Stager.CycleAsync(default);
        Assert.Empty(bed.Store.Copies);
        Assert.DoesNotContain(bed.Catalog.View.Holdings, h => h.Tier == Tier.Hdd);
        Assert.Empty(Directory.GetFiles(Path.Combine(bed.Folder, "hdd", "copies")));
        var line = Assert.Single(StageReport.LinesOf(bed.Store, 0, bed.Now));
        Assert.Equal((copies, 1, copies - 1, 0), (line.Made, line.Used, line.Wasted, line.Waiting));
        Assert.Equal(line.Bytes, line.UsedBytes + line.WastedBytes);
    }

    [Fact]
    public async Task Copies_keep_to_their_room_and_to_what_may_be_fetched()
    {
        await using var bed = await OpenAsync(10);
        await bed.ArchiveAsync();
        var bytes = bed.Catalog.View.Holdings.Max(h => h.Bytes);
        bed.Options.BytesMax = bytes * 4;
        bed.Read(new(DayAt(0).Start, DayAt(9).End), 0);
        await bed.Stager.CycleAsync(default);
        Assert.InRange(bed.Store.Copies.Count, 2, 4);
        Assert.InRange(bed.Store.Copies.Sum(copy => copy.Bytes), 1, bytes * 4);
        Assert.True(bed.Stager.Room.Missing > 0);
        // Samples that are expected come first.
        bed.Room = bytes;
        await bed.Stager.CycleAsync(default);
        Assert.InRange(bed.Store.Copies.Sum(copy => copy.Bytes), 0, bytes);
    }

    [Fact]
    public async Task Rollups_of_archived_days_keep_to_what_may_be_fetched_too()
    {
        await using var bed = await OpenAsync(10);
        await bed.ArchiveAsync();
        var bytes = bed.Catalog.View.Holdings.Max(h => h.Bytes);
        bed.Options.FetchBytesPerHour = bytes * 4;
        await bed.RestartAsync();
        bed.Read(new(DayAt(0).Start, DayAt(9).End), Instant.Hour);
        await bed.Stager.CycleAsync(default);
        Assert.InRange(bed.Store.Copies.Sum(copy => copy.Moved), 1, bytes * 4);
        Assert.InRange(bed.Store.Copies.Count, 1, 5);
    }

    [Fact]
    public async Task An_account_gets_no_more_of_the_disk_than_it_is_given_and_nothing_it_has_no_interest_in()
    {
        await using var bed = await OpenAsync(6);
        await bed.ArchiveAsync();
        bed.Terms["acme"] = new() { Hdd = new() { BytesMax = 0 } };
        bed.Read(new(DayAt(0).Start, DayAt(5).End), 0);
        await bed.Stager.CycleAsync(default);
        Assert.Empty(bed.Store.Copies);
        bed.Terms["acme"] = new() { Priority = 5, RetentionSeconds = (bed.Now - DayAt(2).End) / Instant.Second };
        await bed.Stager.CycleAsync(default);
        Assert.Equal([3, 4, 5], bed.Store.Copies.Select(copy => (copy.Window.Start - DayAt(0).Start) / Instant.Day).Distinct().Order());
    }

    /// <summary>Truth over hint: whatever is expected, late, upside down or made up, answers are those of the samples.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_forecast_that_is_wrong_stale_missing_or_hostile_costs_time_only(int seed)
    {
        var random = new Random(seed);
        await using var bed = await OpenAsync(8, seed);
        await bed.ArchiveAsync();
        var flushes = Enumerable.Repeat(2, 8).ToArray();
        for (var round = 0; round < 15; round++)
        {
            var log = new AccessLog();
            for (var i = random.Next(6); i > 0; i--)
            {
                // Any series, also of nobody; any range, also of the future; any step, also none that there is.
                var from = DayAt(random.Next(-3, 12)).Start + random.NextInt64(Instant.Day);
                log.Record(random.Next(4) == 0 ? $"evil/{random.Next()}/x" : Names[random.Next(3)], random.Next(4) switch { 0 => 0, 1 => Instant.Hour, 2 => Instant.Day, _ => random.NextInt64(1, Instant.Day) },
                    random.Next(5) == 0 ? new((byte)random.Next(256)) : ReadShape.Of(new(from, from + random.NextInt64(1, 5 * Instant.Day)), bed.Now), bed.Now - random.NextInt64(3 * Instant.Day), random.Next(1, 1000));
            }
            var forecast = AccessForecast.Of(log, bed.Now - random.NextInt64(10 * Instant.Day));
            bed.Expected = () => forecast;
            bed.Options.BytesMax = random.Next(3) == 0 ? random.Next(1, 100_000) : 1_000_000_000;
            if (random.Next(4) == 0)
            {
                var day = random.Next(8);
                await bed.ShipAsync(DayAt(day), ++flushes[day]);
            }
            if (random.Next(6) == 0)
            {
                await bed.ArchiveAsync();
            }
            // While copies come and go, and once they have.
            var cycle = bed.Stager.CycleAsync(default);
            for (var i = 0; i < 3; i++)
            {
                var start = DayAt(random.Next(8)).Start + (random.Next(2) == 0 ? 0 : random.NextInt64(Instant.Day));
                var range = new TimeRange(start, start + random.NextInt64(1, 4 * Instant.Day));
                await bed.AskAsync(range, random.Next(4) switch { 0 => 0, 1 => Instant.Hour, 2 => Instant.Day, _ => 10 * Instant.Minute }, random.Next(2) == 0 ? Fn.Raw : Fn.Avg);
            }
            await cycle;
            if (random.Next(8) == 0)
            {
                await bed.RestartAsync();
            }
        }
        Assert.True(bed.Store.CountLedger().Balanced);
        foreach (var line in StageReport.LinesOf(bed.Store, 0, bed.Now))
        {
            Assert.Equal((line.Made, line.Bytes), (line.Used + line.Wasted + line.Waiting, line.UsedBytes + line.WastedBytes + line.WaitingBytes));
        }
    }
}
