using CsCheck;
using Foretier.Core.Query;
using Foretier.Core.Samples;
using Foretier.Predict.Access;
using Foretier.Predict.Volume;

namespace Foretier.Tests.Unit.Predict;

public class AccessLogTests
{
    private const long Monday = 1_741_564_800L * Instant.Second;

    private static readonly ReadShape _lastHour = ReadShape.Of(new(Monday - Instant.Hour, Monday), Monday);

    [Fact]
    public void The_same_question_asked_later_has_the_same_shape_and_its_shape_covers_what_it_asked() =>
        Gen.Select(Gen.Long[0, 500 * Instant.Day], Gen.Long[1, 500 * Instant.Day], Gen.Long[0, 900 * Instant.Day]).Sample((age, length, later) =>
        {
            var asked = new TimeRange(Monday - age, Monday - age + length);
            var shape = ReadShape.Of(asked, Monday);
            Assert.Equal(shape, ReadShape.Of(new(asked.From + later, asked.To + later), Monday + later));
            Assert.True(shape.IsKnown);
            var covered = shape.RangeAt(Monday);
            Assert.True(covered.From <= asked.From && covered.To >= Math.Min(asked.To, Monday), $"{asked} is not within {covered}");
        });

    [Theory]
    [InlineData(60 * 24 * 60, 60 * 24 * 60, 1)] // 60 days to now: all of what is held at hand is read
    [InlineData(60 * 24 * 200, 60 * 24, 1.0 / 250)] // a day of half a year ago, of which 100 to 400 days are held at hand
    [InlineData(60 * 24 * 3000, 60 * 24 * 7, 1.0 / 100)]
    public void Who_asks_for_little_of_long_ago_asks_for_a_small_share_of_what_is_held_at_hand(long ageMinutes, long lengthMinutes, double atMost)
    {
        var from = Monday - ageMinutes * Instant.Minute;
        var share = ReadShape.Of(new(from, from + lengthMinutes * Instant.Minute), Monday).ShareAt(Monday);
        Assert.InRange(share, atMost / 3, atMost);
    }

    [Theory]
    [InlineData(60, 60, 1, 1)]
    [InlineData(60 * 24, 60 * 24, 3, 3)]
    [InlineData(60 * 24 * 60, 60 * 24 * 30, 6, 5)]
    [InlineData(60 * 24 * 500, 10, 8, 0)]
    public void Shapes_are_age_and_length_in_classes(long ageMinutes, long lengthMinutes, int age, int length)
    {
        var from = Monday - ageMinutes * Instant.Minute - Instant.Second;
        var shape = ReadShape.Of(new(from, from + lengthMinutes * Instant.Minute), Monday);
        Assert.Equal((age, length), (shape.Age, shape.Length));
    }

    [Fact]
    public void What_was_asked_stays_apart_by_step_and_shape_and_comes_back_from_its_file()
    {
        var log = new AccessLog();
        var lastMonth = ReadShape.Of(new(Monday - 60 * Instant.Day, Monday - 30 * Instant.Day), Monday);
        log.Record("acme/d/t", Instant.Minute, _lastHour, Monday, 3);
        log.Record("acme/d/t", Instant.Minute, _lastHour, Monday + 5 * Instant.Hour);
        log.Record("acme/d/t", Instant.Minute, _lastHour, Monday + 2 * Instant.Hour, 4);
        log.Record("acme/d/t", Instant.Day, lastMonth, Monday);
        using var file = new MemoryStream();
        log.Save(file);
        var again = AccessLog.Load(new MemoryStream(file.ToArray()));
        foreach (var each in new[] { log, again })
        {
            Assert.Equal(
                [
                    ("acme/d/t", Instant.Minute, _lastHour, "0:3 2:4 5:1"),
                    ("acme/d/t", Instant.Day, lastMonth, "0:1"),
                ],
                each.Snapshot().Select(r => (r.Series, r.Step, r.Shape, string.Join(' ', r.Hours.Select(h => $"{h.Hour - Monday / Instant.Hour}:{h.Count}")))));
        }
        Assert.Equal((log.Keys, log.Since), (again.Keys, again.Since));
        // Adding to what came back goes on as before.
        log.Record("acme/d/t", Instant.Day, lastMonth, Monday + Instant.Day);
        again.Record("acme/d/t", Instant.Day, lastMonth, Monday + Instant.Day);
        Assert.Equal(log.ReadsPerDay("acme/d/t", Monday + Instant.Day), again.ReadsPerDay("acme/d/t", Monday + Instant.Day));
    }

    [Fact]
    public void A_file_of_the_previous_format_is_read()
    {
        using var file = new MemoryStream();
        AccessLogV1.Save(file, Monday, [("acme/d/t", Instant.Minute, [(0, 3), (5, 700)]), ("acme/d/t", Instant.Hour, [(1, 1)])]);
        var log = AccessLog.Load(new MemoryStream(file.ToArray()));
        Assert.Equal(Monday, log.Since);
        Assert.Equal(["60000000 unknown 0:3 5:700", "3600000000 unknown 1:1"],
            log.Snapshot().Select(r => $"{r.Step} {r.Shape} {string.Join(' ', r.Hours.Select(h => $"{h.Hour - Monday / Instant.Hour}:{h.Count}"))}"));
    }

    [Fact]
    public void A_damaged_file_is_refused_and_never_believed() => Gen.Select(Gen.Int[0, 400], Gen.Int[0, 7]).Sample((at, bit) =>
    {
        var log = new AccessLog();
        for (var i = 0; i < 30; i++)
        {
            log.Record($"acme/d/{i % 7}", Instant.Minute, _lastHour, Monday + i * i * Instant.Hour, i + 1);
        }
        using var file = new MemoryStream();
        log.Save(file);
        var bytes = file.ToArray();
        Assert.ThrowsAny<InvalidDataException>(() => AccessLog.Load(new MemoryStream(bytes[..(at % bytes.Length)])));
        bytes[at % bytes.Length] ^= (byte)(1 << bit);
        Assert.ThrowsAny<InvalidDataException>(() => AccessLog.Load(new MemoryStream(bytes)));
    });

    [Fact]
    public void Hours_are_kept_as_they_came_in_whatever_their_order() =>
        Gen.Select(Gen.Long[0, 120], Gen.Int[1, 500]).List[1, 60].Sample(reads =>
        {
            var hours = new ReadHours();
            foreach (var (hour, count) in reads)
            {
                Assert.True(hours.Add(480_000 + hour, count));
            }
            Assert.Equal(reads.GroupBy(r => r.Item1).OrderBy(g => g.Key).Select(g => (480_000 + g.Key, g.Sum(r => r.Item2))), hours.All());
            Assert.Equal((hours.All()[0].Hour, hours.All()[^1].Hour), (hours.First, hours.Last));
        });

    [Fact]
    public void A_year_of_a_busy_dashboard_stays_within_its_bytes_and_keeps_its_last_days_by_the_hour_and_months_by_the_day()
    {
        var hours = new ReadHours();
        const int start = 480_000;
        for (var hour = 0; hour < 365 * 24; hour++)
        {
            hours.Add(start + hour, 340 + hour % 40);
            Assert.InRange(hours.Bytes, 0, ReadHours.BytesMax + 32);
        }
        var all = hours.All();
        Assert.All(all.TakeLast(4 * 24), h => Assert.InRange(h.Count, 340, 379));
        Assert.True(hours.Last - hours.First > 60 * 24, $"only {(hours.Last - hours.First) / 24} days are left");
        // What was put together by the day lost no read.
        Assert.InRange(all.Sum(h => (long)h.Count), (hours.Last - hours.First - 24) * 355, (hours.Last - hours.First + 24) * 365);
    }

    [Fact]
    public void However_much_is_asked_the_log_stays_within_its_bounds()
    {
        var log = new AccessLog(keysMax: 500, bytesMax: 100_000);
        var random = new Random(1);
        for (var i = 0; i < 100_000; i++)
        {
            log.Record($"acme/d{random.Next(2_000)}/t", 0, Monday + i * 20L * Instant.Minute);
            Assert.True(log.Keys <= 500 && log.Bytes <= 100_000, $"{log.Keys} keys, {log.Bytes} bytes after {i} reads");
        }
        Assert.True(log.Keys > 100);
        // The bytes are those of what is there.
        using var file = new MemoryStream();
        log.Save(file);
        Assert.Equal(log.Snapshot().Count, log.Keys);
        Assert.Equal(log.Snapshot().Count, AccessLog.Load(new MemoryStream(file.ToArray())).Keys);
    }

    [Fact]
    public void Reads_of_a_clock_that_was_ahead_do_not_hold_off_true_ones()
    {
        var log = new AccessLog();
        log.Record("acme/d/t", 0, _lastHour, Monday + 900 * Instant.Day, 5);
        log.Record("acme/d/t", 0, _lastHour, Monday, 2);
        Assert.Equal([(Monday / Instant.Hour, 2)], Assert.Single(log.Snapshot()).Hours);
    }

    [Fact]
    public void Reads_that_are_told_days_late_join_those_that_came_meanwhile()
    {
        var log = new AccessLog();
        log.Record("acme/d/t", 0, _lastHour, Monday, 2);
        log.Record("acme/d/t", 0, _lastHour, Monday - 5 * Instant.Day, 1, now: Monday);
        Assert.Equal([(Monday / Instant.Hour - 120, 1), (Monday / Instant.Hour, 2)], Assert.Single(log.Snapshot()).Hours);
    }
}

/// <summary>Writes what the previous program wrote.</summary>
internal static class AccessLogV1
{
    public static void Save(Stream to, long since, (string Series, long Step, (int Hour, int Count)[] Hours)[] reads)
    {
        using var payload = new MemoryStream();
        using (var writer = new BinaryWriter(new System.IO.Compression.DeflateStream(payload, System.IO.Compression.CompressionLevel.Fastest, leaveOpen: true)))
        {
            writer.Write(since);
            writer.Write7BitEncodedInt(reads.Length);
            foreach (var (series, step, hours) in reads)
            {
                writer.Write(series);
                writer.Write7BitEncodedInt64(step);
                var counts = new HourCounts();
                foreach (var (hour, count) in hours)
                {
                    counts.Add(since / Instant.Hour + hour, count);
                }
                counts.Save(writer);
            }
        }
        Foretier.Predict.SealedPayload.Write(to, "FTAL"u8, 1, payload.GetBuffer().AsSpan(0, (int)payload.Length));
    }
}
