using CsCheck;
using Foretier.Core.Samples;
using Foretier.Predict.Access;
using Foretier.Predict.Volume;
using static Foretier.Tests.Unit.Predict.Days;

namespace Foretier.Tests.Unit.Predict;

public class VolumeHistoryTests
{
    [Fact]
    public void History_comes_back_from_its_file_as_it_was() =>
        Gen.Select(Gen.Int[0, 20], Gen.Int[0, 2_000], Gen.Int[1, 100_000]).List[0, 60].Sample(observed =>
        {
            var history = new VolumeHistory();
            foreach (var (series, hour, count) in observed)
            {
                history.Observe($"acme/d{series}/t", Monday + hour * Instant.Hour + 5 * Instant.Minute, count);
            }
            history.MarkGap(new(Monday, Monday + 5 * Instant.Hour));
            history.MarkGap(new(Monday + 700 * Instant.Hour, Monday + 709 * Instant.Hour));
            var bytes = Saved(history);
            var again = VolumeHistory.Load(new MemoryStream(bytes), out var savedAt);
            return savedAt == Monday + 9 && again.Count == history.Count && Saved(again).AsSpan().SequenceEqual(bytes)
                && history.Series.All(s => Read(again, s.Series).AsSpan().SequenceEqual(Read(history, s.Series)));
        });

    [Fact]
    public void History_cut_off_at_any_byte_or_with_any_bit_flipped_is_refused()
    {
        var history = new VolumeHistory();
        history.Fill("acme/d/t", Monday, Monday + 30 * Instant.Hour, time => time.Hour);
        var bytes = Saved(history);
        for (var length = 0; length < bytes.Length; length++)
        {
            Assert.Throws<InvalidDataException>(() => VolumeHistory.Load(new MemoryStream(bytes[..length]), out _));
        }
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Throws<InvalidDataException>(() => VolumeHistory.Load(new MemoryStream(bytes), out _));
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void Gaps_are_told_as_they_were_joined_where_they_touch_and_hours_mostly_within_them_are_unknown()
    {
        var history = new VolumeHistory();
        history.Fill("acme/d/t", Monday, Monday + 9 * Instant.Hour, _ => 60);
        history.MarkGap(new(Monday + 5 * Instant.Hour + 55 * Instant.Minute, Monday + 7 * Instant.Hour));
        history.MarkGap(new(Monday + 2 * Instant.Hour, Monday + 2 * Instant.Hour + 4 * Instant.Minute));
        history.MarkGap(new(Monday + 2 * Instant.Hour + 3 * Instant.Minute, Monday + 2 * Instant.Hour + 5 * Instant.Minute));
        // Two short ones in one hour are a long one.
        history.MarkGap(new(Monday + 3 * Instant.Hour, Monday + 3 * Instant.Hour + 4 * Instant.Minute));
        history.MarkGap(new(Monday + 3 * Instant.Hour + 30 * Instant.Minute, Monday + 3 * Instant.Hour + 34 * Instant.Minute));
        Assert.Equal([120L, 180, 210, 355], history.Gaps.Select(gap => (gap.From - Monday) / Instant.Minute));
        Assert.Equal([125L, 184, 214, 420], history.Gaps.Select(gap => (gap.To - Monday) / Instant.Minute));
        var counts = new int[9];
        history.Read(history.Find("acme/d/t")!, Monday + 9 * Instant.Hour, counts);
        Assert.Equal([60, 60, 60, -1, 60, 60, -1, 60, 60], counts);
        Assert.Equal(history.Gaps, VolumeHistory.Load(new MemoryStream(Saved(history)), out _).Gaps);
    }

    [Fact]
    public void Series_silent_for_a_month_and_series_counted_by_a_wrong_clock_are_dropped()
    {
        var history = new VolumeHistory();
        var now = Monday + 40 * Instant.Day;
        history.Observe("acme/d/silent", Monday, 1);
        history.Observe("acme/d/alive", now - Instant.Hour, 1);
        history.Observe("acme/d/from-2090", now + 20_000 * Instant.Day, 1);
        Assert.Equal(2, history.Trim(now));
        Assert.Equal(["acme/d/alive"], history.Series.Select(s => s.Series));
        history.MarkGap(new(now - Instant.Hour, now + 20_000 * Instant.Day));
        history.MarkGap(new(now + 20_001 * Instant.Day, now + 20_002 * Instant.Day));
        history.Trim(now);
        Assert.Equal([new(now - Instant.Hour, now)], history.Gaps);
    }

    [Fact]
    public void Access_log_comes_back_from_its_file_as_it_was()
    {
        var log = new AccessLog();
        log.Record("acme/d/t", Instant.Minute, Monday, 3);
        log.Record("acme/d/t", 0, Monday + Instant.Hour);
        log.Record("acme/e/t", Instant.Hour, Monday + Instant.Day, 700);
        using var file = new MemoryStream();
        log.Save(file);
        var again = AccessLog.Load(new MemoryStream(file.ToArray()));
        var now = Monday + 2 * Instant.Day;
        Assert.Equal(log.Since, again.Since);
        Assert.Equal(log.StepsOf("acme/d/t", now), again.StepsOf("acme/d/t", now));
        Assert.Equal(log.ReadsPerDay("acme/e/t", now), again.ReadsPerDay("acme/e/t", now));
        Assert.True(again.ReadsPerDay("acme/e/t", now) > 300);
    }

    [Fact]
    public void Access_log_expects_a_steady_reader_to_go_on_and_forgets_one_that_left()
    {
        var log = new AccessLog();
        for (var day = 0; day < 25; day++)
        {
            log.Record("acme/d/steady", Instant.Hour, Monday + day * Instant.Day, 6);
        }
        log.Record("acme/d/once", Instant.Hour, Monday, 6);
        var now = Monday + 25 * Instant.Day;
        Assert.InRange(log.ReadsPerDay("acme/d/steady", now), 5, 7);
        Assert.InRange(log.ReadsPerDay("acme/d/once", now), 0.05, 0.3);
        Assert.Equal(0, log.ReadsPerDay("acme/d/once", now + 31 * Instant.Day));
        Assert.Equal(0, log.ReadsPerDay("acme/d/never", now));
    }

    [Fact]
    public void Full_access_log_gives_up_what_has_gone_unread_longest()
    {
        var log = new AccessLog(keysMax: 16);
        for (var i = 0; i < 17; i++)
        {
            log.Record($"acme/d/{i}", 0, Monday + i * Instant.Hour);
        }
        var now = Monday + Instant.Day;
        Assert.Equal(0, log.ReadsPerDay("acme/d/0", now));
        Assert.Equal(0, log.ReadsPerDay("acme/d/1", now));
        Assert.True(log.ReadsPerDay("acme/d/2", now) > 0);
        Assert.True(log.ReadsPerDay("acme/d/16", now) > 0);
    }

    private static byte[] Saved(VolumeHistory history)
    {
        using var file = new MemoryStream();
        history.Save(file, Monday + 9);
        return file.ToArray();
    }

    private static int[] Read(VolumeHistory history, string series)
    {
        var counts = new int[SeriesVolume.HoursRead];
        history.Read(history.Find(series)!, Monday + 2_000 * Instant.Hour, counts);
        return counts;
    }
}
