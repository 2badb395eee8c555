using CsCheck;
using Foretier.Core.Partitions;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Predict.Access;
using Foretier.Predict.Plan;
using Foretier.Predict.Volume;
using System.Text.Json;
using static Foretier.Tests.Unit.Predict.Days;

namespace Foretier.Tests.Unit.Predict;

public class PartitionPlannerTests
{
    private const long Target = 100_000;
    private static readonly PlannerOptions _options = new() { PartitionBytesMax = Target };
    private static readonly SampleBytes _bytes = new(24, 10, 6, 5);

    [Fact]
    public void Nothing_known_gives_an_empty_map() =>
        Assert.Same(PartitionMap.Empty, Plan(new(), new(), PartitionMap.Empty, Monday));

    [Fact]
    public void Map_covers_the_open_window_and_the_next_with_what_is_expected_of_them()
    {
        var volumes = new VolumeHistory();
        volumes.Fill("acme/a/t", Monday, Monday + 28 * Instant.Day + 6 * Instant.Hour, _ => 60);
        volumes.Fill("acme/b/t", Monday, Monday + 28 * Instant.Day + 6 * Instant.Hour, _ => 2);
        var map = Plan(volumes, new(), PartitionMap.Empty, Monday + 28 * Instant.Day + 6 * Instant.Hour);

        Assert.Equal(["acme/g0@1/20260202T000000Z-24h", "acme/g0@1/20260203T000000Z-24h"], map.Entries.Select(e => e.Id.ToString()));
        Assert.All(map.Entries, entry =>
        {
            Assert.Equal(2, entry.Series);
            Assert.Equal(24 * 62, entry.SamplesP50);
            Assert.Equal(24 * 62, entry.SamplesP90);
            Assert.Equal(new TierBytes(62 * 24, 24 * 62 * 10, 24 * 62 * 6, 24 * 62 * 5), entry.Reserved);
        });
    }

    [Fact]
    public void Prices_of_an_account_decide_where_its_partitions_are_best_read_from()
    {
        var (volumes, access) = (new VolumeHistory(), new AccessLog());
        var now = Monday + 10 * Instant.Day;
        foreach (var account in (string[])["acme", "dear", "vip"])
        {
            volumes.Fill($"{account}/a/t", Monday, now, _ => 3_600);
            for (var hour = 1; hour <= 96; hour++)
            {
                var at = now - hour * Instant.Hour;
                access.Record($"{account}/a/t", 0, ReadShape.Of(new(at - Instant.Hour, at), at), at, 3);
            }
        }
        AccountTerms Terms(string account) => account == "acme" ? AccountTerms.Usual : new()
        {
            Priority = account == "vip" ? 100 : 1,
            Ssd = new() { PricePerGbMonth = 100 },
            Hdd = new() { PricePerGbMonth = 0.03 },
            Archive = new() { PricePerGbMonth = 0.02 },
        };
        var map = new PartitionPlanner(_options, termsOf: Terms).Plan("edge-1", volumes, AccessForecast.Of(access, now), _bytes, PartitionMap.Empty, now);
        Assert.Equal([("acme", Tier.Ssd), ("dear", Tier.Hdd), ("vip", Tier.Ssd)], map.Entries.Select(e => (e.Id.Account, e.Prefer)).Distinct().Order());
    }

    [Fact]
    public void Newcomers_first_minutes_are_enough_for_a_first_prediction()
    {
        var volumes = new VolumeHistory();
        for (var minute = 0; minute < 30; minute++)
        {
            volumes.Observe("acme/a/t", Monday + minute * Instant.Minute, 1);
        }
        var entry = Plan(volumes, new(), PartitionMap.Empty, Monday + 30 * Instant.Minute).Find("acme/a/t", Monday + Instant.Day)!;
        Assert.InRange(entry.SamplesP50, 1_400, 1_480);
        Assert.True(entry.SamplesP90 > entry.SamplesP50);
    }

    [Fact]
    public void Same_inputs_give_the_same_map_and_nothing_new_gives_the_map_itself()
    {
        var (volumes, access) = Fleet(40, seed: 3, Monday + 10 * Instant.Day);
        var now = Monday + 10 * Instant.Day + Instant.Minute;
        var map = Plan(volumes, access, PartitionMap.Empty, now);
        Assert.Equal(Json(map), Json(Plan(volumes, access, PartitionMap.Empty, now)));
        Assert.Same(map, Plan(volumes, access, map, now));
        Assert.Same(map, Plan(volumes, access, map, now + 5 * Instant.Minute));
    }

    [Fact]
    public void Partitions_stay_within_the_target_apart_from_series_larger_than_it() =>
        Gen.Select(Gen.Int[1, 700].List[1, 40], Gen.Int[0, 3]).Sample((rates, gone) =>
        {
            var volumes = new VolumeHistory();
            for (var i = 0; i < rates.Count; i++)
            {
                var rate = rates[i];
                volumes.Fill($"acme/d{i}/t", Monday, Monday + 2 * Instant.Day, _ => rate);
            }
            var map = Plan(volumes, new(), PartitionMap.Empty, Monday + 2 * Instant.Day);
            foreach (var entry in map.Entries)
            {
                Assert.True(entry.Reserved.Ssd <= Target || entry.Series == 1, $"{entry}");
            }
            // First fit: no two partitions of a window could have been one.
            foreach (var window in map.Entries.GroupBy(e => e.Id.Window))
            {
                var two = window.Select(e => e.Reserved.Ssd).Order().Take(2).ToList();
                Assert.True(two.Count < 2 || two.Sum() > Target * 0.8 * 0.99, $"{two[0]} and {two[^1]}");
                Assert.Equal(rates.Count, window.Sum(e => e.Series));
            }
            // A second day with some doubled stays within it as well.
            for (var i = 0; i < rates.Count; i++)
            {
                var rate = rates[i] * (i % 4 < gone ? 2 : 1);
                volumes.Fill($"acme/d{i}/t", Monday + 2 * Instant.Day, Monday + 3 * Instant.Day, _ => rate);
            }
            var next = Plan(volumes, new(), map, Monday + 3 * Instant.Day);
            Assert.All(next.Entries.Where(e => e.Id.Window.Start > Monday + 3 * Instant.Day),
                entry => Assert.True(entry.Series == 1 || entry.Reserved.Ssd <= 1.35 * Target, $"{entry}"));
        }, iter: 30);

    [Fact]
    public void Hot_series_are_kept_apart_from_cold_ones_and_prefer_the_ssd()
    {
        var (volumes, access) = Fleet(12, seed: 5, Monday + 8 * Instant.Day);
        for (var hour = 0; hour < 8 * 24; hour++)
        {
            access.Record("acme/d3/t", Instant.Minute, Monday + hour * Instant.Hour, 4);
            access.Record("acme/d7/t", Instant.Hour, Monday + hour * Instant.Hour);
        }
        var now = Monday + 8 * Instant.Day;
        var map = Plan(volumes, access, PartitionMap.Empty, now);
        var hot = map.Find("acme/d3/t", now)!;
        Assert.Equal(("h0", 2, AccessPattern.Frequent, Tier.Ssd), (hot.Id.Group, hot.Series, hot.Access, hot.Prefer));
        Assert.Equal(["1m", "1h"], hot.Rollups);
        Assert.Same(hot, map.Find("acme/d7/t", now));
        var cold = map.Find("acme/d1/t", now)!;
        Assert.Equal(('g', AccessPattern.Rare, Tier.Archive), (cold.Id.Group[0], cold.Access, cold.Prefer));
        Assert.Empty(cold.Rollups);
    }

    [Fact]
    public void Before_a_day_of_reads_was_seen_nothing_is_called_rare()
    {
        var (volumes, access) = Fleet(2, seed: 5, Monday + Instant.Day);
        Assert.All(Plan(volumes, access, PartitionMap.Empty, Monday + Instant.Day).Entries, e => Assert.Equal(AccessPattern.Occasional, e.Access));
        access.Record("acme/other/t", 0, Monday);
        Assert.All(Plan(volumes, access, PartitionMap.Empty, Monday + Instant.Day).Entries, e => Assert.Equal(AccessPattern.Rare, e.Access));
    }

    [Fact]
    public void Groups_stay_the_same_from_window_to_window_while_the_fleet_does()
    {
        var days = 12;
        var (volumes, access) = Fleet(40, seed: 11, Monday + 14 * Instant.Day);
        var map = Plan(volumes, access, PartitionMap.Empty, Monday + 14 * Instant.Day);
        int moved = 0, placed = 0;
        for (var hour = 0; hour < days * 24; hour += 6)
        {
            var now = Monday + 14 * Instant.Day + hour * Instant.Hour;
            var before = map;
            map = Plan(volumes, access, map, now);
            foreach (var series in volumes.Series)
            {
                var last = before.Find(series.Series, now);
                placed++;
                moved += map.Find(series.Series, now + Instant.Day)!.Id.Group == last!.Id.Group ? 0 : 1;
            }
            Grow(volumes, 40, seed: 11 + hour, now, now + 6 * Instant.Hour);
        }
        Assert.InRange((double)moved / placed, 0, 0.01);
        Assert.InRange(map.Entries.Count, 1, 9 * map.Entries.Count(e => e.Id.Window.Start == Monday + (14 + days) * Instant.Day));
    }

    [Fact]
    public void Revision_rises_only_with_a_change_and_marks_what_changed()
    {
        var (volumes, access) = Fleet(10, seed: 2, Monday + 14 * Instant.Day);
        var now = Monday + 14 * Instant.Day;
        var first = Plan(volumes, access, PartitionMap.Empty, now);
        Assert.Equal(1, first.Revision);
        volumes.Fill("acme/d2/t", now, now + Instant.Hour, _ => 20_000);
        var second = Plan(volumes, access, first, now + Instant.Hour);
        Assert.Equal(2, second.Revision);
        Assert.Contains(second.Entries, e => e.Revision == 2);
        Assert.Equal(Json(second), Json(PartitionMapUpdate.Between(first, second).ApplyTo(first)));
    }

    [Fact]
    public void Newcomer_joins_the_open_window_under_a_new_version_and_nobody_moves()
    {
        var (volumes, access) = Fleet(10, seed: 2, Monday + 14 * Instant.Day);
        var now = Monday + 14 * Instant.Day;
        var first = Plan(volumes, access, PartitionMap.Empty, now);
        volumes.Observe("acme/new/t", now + Instant.Minute, 1);
        var second = Plan(volumes, access, first, now + 2 * Instant.Minute);
        Assert.NotNull(second.Find("acme/new/t", now));
        Assert.NotNull(second.Find("acme/new/t", now + Instant.Day));
        foreach (var series in volumes.Series.Where(s => s.Series != "acme/new/t"))
        {
            Assert.Equal(first.Find(series.Series, now)!.Id.Group, second.Find(series.Series, now)!.Id.Group);
        }
        Assert.Equal(2, second.Find("acme/new/t", now)!.Id.Version);
        Assert.All(second.Entries.GroupBy(e => (e.Id.Window, e.Id.Account)), g => Assert.Equal(11, g.Sum(e => e.Series)));
    }

    [Fact]
    public void Room_of_an_open_window_grows_when_more_comes_than_was_expected()
    {
        var volumes = new VolumeHistory();
        var now = Monday + 14 * Instant.Day;
        volumes.Fill("acme/a/t", Monday, now, _ => 10);
        var first = Plan(volumes, new(), PartitionMap.Empty, now);
        Assert.Equal(240, first.Find("acme/a/t", now)!.SamplesP90);
        volumes.Observe("acme/a/t", now, 241);
        Assert.True(Plan(volumes, new(), first, now + Instant.Hour).Find("acme/a/t", now)!.SamplesP90 >= 241 + 230);
    }

    [Fact]
    public void Reservation_for_a_group_covers_nine_days_of_ten_without_adding_up_every_series_worst()
    {
        const int series = 20;
        var (volumes, access) = Fleet(series, seed: 21, Monday + 28 * Instant.Day);
        int covered = 0, days = 40;
        double reserved = 0, worst = 0;
        for (var day = 0; day < days; day++)
        {
            var now = Monday + (28 + day) * Instant.Day;
            var entries = Plan(volumes, access, PartitionMap.Empty, now).Entries.Where(e => e.Id.Window.Start == now).ToList();
            worst += volumes.Series.Sum(s => volumes.ForecastOf(s.Series, now, 24).P90In(new(now, now + Instant.Day)));
            Grow(volumes, series, seed: 1_000 + day, now, now + Instant.Day);
            covered += volumes.Series.Sum(s => s.CountIn(new(now, now + Instant.Day))) <= entries.Sum(e => e.SamplesP90) ? 1 : 0;
            reserved += entries.Sum(e => e.SamplesP90);
        }
        Assert.InRange((double)covered / days, 0.8, 1);
        Assert.True(reserved < 0.85 * worst, $"{reserved} of {worst}");
    }

    [Fact]
    public void Closed_windows_leave_the_map_after_a_week()
    {
        var volumes = new VolumeHistory();
        volumes.Fill("acme/a/t", Monday, Monday + 40 * Instant.Day, _ => 10);
        var map = PartitionMap.Empty;
        for (var day = 14; day < 30; day++)
        {
            map = Plan(volumes, new(), map, Monday + day * Instant.Day);
        }
        Assert.Equal(7 + 1 + 1, map.Entries.Count);
        Assert.Equal(Monday + 22 * Instant.Day, map.Entries[0].Id.Window.Start);
        Assert.Single(map.Groups);
    }

    private static PartitionMap Plan(VolumeHistory volumes, AccessLog access, PartitionMap previous, long now) =>
        new PartitionPlanner(_options).Plan("edge-1", volumes, AccessForecast.Of(access, now), _bytes, previous, now);

    private static (VolumeHistory, AccessLog) Fleet(int series, int seed, long until)
    {
        var volumes = new VolumeHistory();
        Grow(volumes, series, seed, Monday, until);
        return (volumes, new());
    }

    /// <summary>Series of different rates with a daily wave and noise.</summary>
    private static void Grow(VolumeHistory volumes, int series, int seed, long from, long to)
    {
        var random = new Random(seed);
        for (var i = 0; i < series; i++)
        {
            var rate = 5 + (i * 37 % 97);
            volumes.Fill($"acme/d{i}/t", from, to, time =>
                (int)(rate * (1 + 0.5 * Math.Sin(time.Hour / 24.0 * Math.Tau)) * (0.7 + 0.6 * random.NextDouble())));
        }
    }

    private static string Json(PartitionMap map) => JsonSerializer.Serialize(map, JsonSerializerOptions.Web);
}
