using CsCheck;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Predict.Access;

namespace Foretier.Tests.Unit.Predict;

public class PeriodicReadersTests
{
    private static readonly TimeZoneInfo _berlin = TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin");
    private static readonly ReadShape _lastMinutes = ReadShape.Of(new(0, 10 * Instant.Minute), 10 * Instant.Minute);
    private static readonly ReadShape _lastWeek = ReadShape.Of(new(0, 7 * Instant.Day), 7 * Instant.Day);

    /// <summary>2025-01-06, a Monday, midnight UTC, in hours.</summary>
    private const long Monday = 482_256;

    [Fact]
    public void A_daily_report_is_found_and_expected_at_its_local_hour_whatever_its_jitter() =>
        // Not across midnight: such a run is of the day after, and those days are counted here.
        Gen.Select(Gen.Int[0, 24 * 60 - 12], Gen.Int[8, 60], Gen.Int[0, 1 << 20]).Sample((start, days, seed) =>
        {
            var (hour, minute) = (start / 60, start % 60);
            var random = new Random(seed);
            var reads = new SortedDictionary<long, int>();
            for (var day = 0; day < days; day++)
            {
                if (day == days - 4 && days > 12)
                {
                    // A run that was missed.
                    continue;
                }
                Add(reads, Local(Monday / 24 + day, hour, minute + random.Next(0, 12)), 3);
            }
            var now = Local(Monday / 24 + days, 0, 0);
            var reader = Assert.Single(Find(reads, _lastWeek, now));
            Assert.Equal(ReaderKind.DailyReport, reader.Kind);
            Assert.Equal(TimeSpan.FromDays(1), reader.Every);
            Assert.InRange(reader.Next, Local(Monday / 24 + days, hour, 0), Local(Monday / 24 + days, hour, 0) + Instant.Hour);
            Assert.InRange(reader.Confidence, 0.6, 1);
            Assert.InRange(reader.ReadsPerRun, 3, 3);
        }, iter: 200);

    [Fact]
    public void A_weekly_report_is_found_after_three_runs_and_stays_at_its_hour_when_the_clocks_change() =>
        Gen.Select(Gen.Int[0, 6], Gen.Int[4, 22], Gen.Int[3, 30]).Sample((weekday, hour, weeks) =>
        {
            var reads = new SortedDictionary<long, int>();
            for (var week = 0; week < weeks; week++)
            {
                // From the sixth week on, weeks after 2025-03-30 are in summer time.
                Add(reads, Local(Monday / 24 + 7 * (week + 6) + weekday, hour, 20), 1);
            }
            var next = Local(Monday / 24 + 7 * (weeks + 6) + weekday, hour, 0);
            foreach (var now in new[] { next - 6 * Instant.Day, next - Instant.Hour, next })
            {
                var reader = Assert.Single(Find(reads, _lastWeek, now));
                Assert.Equal((ReaderKind.WeeklyReport, Instant.Format(next)), (reader.Kind, Instant.Format(reader.Next)));
                Assert.InRange(reader.ReadsIn(now / Instant.Hour, next / Instant.Hour + 1), 0.6, 1);
                Assert.Equal(0, reader.ReadsIn(now / Instant.Hour, next / Instant.Hour));
            }
        }, iter: 100);

    [Theory]
    [InlineData(1, 1)]
    [InlineData(15, 15)]
    [InlineData(32, 28)]
    public void A_monthly_report_is_found_after_two_months_on_its_day_even_where_that_is_the_last(int day, int expectedDay)
    {
        var reads = new SortedDictionary<long, int>();
        foreach (var month in new[] { 10, 11, 12, 1 })
        {
            var year = month == 1 ? 2026 : 2025;
            var date = new DateOnly(year, month, Math.Min(day, DateTime.DaysInMonth(year, month)));
            Add(reads, Local(DayOf(date), 6, 5), 2);
        }
        // The month that is next.
        var expected = Local(DayOf(new(2026, 2, expectedDay)), 6, 0);
        var reader = Assert.Single(Find(reads, _lastWeek, Local(DayOf(new(2026, 1, 31)), 12, 0)));
        Assert.Equal((ReaderKind.MonthlyReport, Instant.Format(expected)), (reader.Kind, Instant.Format(reader.Next)));
    }

    [Fact]
    public void A_report_that_stopped_is_no_longer_expected()
    {
        var reads = new SortedDictionary<long, int>();
        for (var day = 0; day < 30; day++)
        {
            Add(reads, Local(Monday / 24 + day, 7, 0), 1);
        }
        Assert.Single(Find(reads, _lastWeek, Local(Monday / 24 + 31, 0, 0)));
        Assert.Empty(Find(reads, _lastWeek, Local(Monday / 24 + 37, 0, 0)));
    }

    [Theory]
    [InlineData(60, ReaderKind.AlertRule)]
    [InlineData(360, ReaderKind.Dashboard)]
    public void Who_reads_all_the_time_is_an_alert_rule_or_a_dashboard_by_what_it_asks_for(int anHour, ReaderKind kind)
    {
        var reads = new SortedDictionary<long, int>();
        for (var hour = 0; hour < 30; hour++)
        {
            reads[Monday + hour] = anHour + hour % 3;
        }
        var now = (Monday + 30) * Instant.Hour;
        var reader = Assert.Single(Find(reads, kind == ReaderKind.AlertRule ? _lastMinutes : _lastWeek, now));
        Assert.Equal((kind, now), (reader.Kind, reader.Next));
        Assert.InRange(reader.Every.TotalSeconds, 3600.0 / (anHour + 3), 3600.0 / anHour);
        Assert.InRange(reader.ReadsIn(Monday + 30, Monday + 32), anHour * 1.8, anHour * 2.1);
    }

    [Fact]
    public void A_dashboard_of_office_hours_is_one_reader_that_is_not_expected_on_a_weekend()
    {
        var reads = new SortedDictionary<long, int>();
        for (var day = 0; day < 26; day++)
        {
            for (var hour = 9; hour < 17 && day % 7 < 5; hour++)
            {
                Add(reads, Local(Monday / 24 + day, hour, 0), 30);
            }
        }
        // 2025-02-01 is a Saturday.
        var saturday = Local(Monday / 24 + 26, 0, 0);
        var reader = Assert.Single(Find(reads, _lastWeek, saturday));
        Assert.Equal(ReaderKind.Dashboard, reader.Kind);
        Assert.Equal(Instant.Format(Local(Monday / 24 + 28, 9, 0)), Instant.Format(reader.Next));
        Assert.Equal(0, reader.ReadsIn(saturday / Instant.Hour, saturday / Instant.Hour + 48));
        Assert.InRange(reader.ReadsIn(saturday / Instant.Hour + 48, saturday / Instant.Hour + 72), 8 * 30 * 0.6, 8 * 30);
    }

    [Fact]
    public void Reads_at_random_are_seldom_taken_for_a_clock()
    {
        var random = new Random(5);
        var (found, reads) = (0, 0);
        for (var series = 0; series < 200; series++)
        {
            var hours = new SortedDictionary<long, int>();
            for (var i = 0; i < 60; i++)
            {
                hours[Monday + random.Next(90 * 24)] = 1;
            }
            reads++;
            found += Find(hours, _lastWeek, (Monday + 90 * 24) * Instant.Hour).Count > 0 ? 1 : 0;
        }
        Assert.True(found <= reads / 20, $"{found} of {reads} random readers were taken for regular ones");
    }

    [Fact]
    public void Nothing_read_after_now_is_looked_at() => Gen.Long[0, 4_000].HashSet[2, 200].Select(Gen.Long[0, 4_000]).Sample((hours, now) =>
    {
        var all = new SortedDictionary<long, int>(hours.ToDictionary(h => Monday + h, _ => 1));
        var known = new SortedDictionary<long, int>(hours.Where(h => h < now).ToDictionary(h => Monday + h, _ => 1));
        static string Text(IReadOnlyList<PeriodicReader> readers) => string.Join(';', readers.Select(r => $"{r.Kind} {r.Next} {r.Confidence}"));
        Assert.Equal(Text(Find(known, _lastWeek, (Monday + now) * Instant.Hour)), Text(Find(all, _lastWeek, (Monday + now) * Instant.Hour)));
    });

    private static IReadOnlyList<PeriodicReader> Find(SortedDictionary<long, int> reads, ReadShape shape, long now) =>
        PeriodicReaders.Find([.. reads.Select(r => (r.Key, r.Value))], shape, now, _berlin);

    private static void Add(SortedDictionary<long, int> reads, long time, int count) => reads[time / Instant.Hour] = reads.GetValueOrDefault(time / Instant.Hour) + count;

    private static long DayOf(DateOnly date) => date.DayNumber - 719_162;

    /// <summary>A time in Berlin, µs.</summary>
    private static long Local(long day, int hour, int minute)
    {
        var local = DateTime.UnixEpoch.AddDays(day).AddHours(hour).AddMinutes(minute);
        return Instant.From(new DateTimeOffset(DateTime.SpecifyKind(local, DateTimeKind.Unspecified), _berlin.GetUtcOffset(DateTime.SpecifyKind(local, DateTimeKind.Unspecified))));
    }
}
