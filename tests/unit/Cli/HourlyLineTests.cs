using Foretier.Cli.Export;
using Foretier.Core.Samples;
using Foretier.Protocol.Api;

namespace Foretier.Tests.Unit.Cli;

public class HourlyLineTests
{
    [Fact]
    public void A_line_has_every_hour_from_the_first_sample_to_the_end()
    {
        var line = HourlyLine.Of("acme/a/b", [Point("2026-03-01T05:00:00Z", 3), Point("2026-03-01T07:00:00Z", 1)], At("2026-03-01T09:00:00Z"), TimeZoneInfo.Utc)!;
        Assert.Equal("""{"series":"acme/a/b","start":"2026-03-01 05:00:00","freq":"H","tz":"UTC","values":[3,0,1,0]}""", line.ToJson());
    }

    [Fact]
    public void The_open_hour_and_series_without_samples_are_left_out() =>
        Assert.Null(HourlyLine.Of("acme/a/b", [Point("2026-03-01T05:00:00Z", 3), Point("2026-03-01T04:00:00Z", 0)], At("2026-03-01T05:00:00Z"), TimeZoneInfo.Utc));

    [Fact]
    public void A_series_that_fell_silent_ends_after_thirty_days() =>
        Assert.Equal(1 + 30 * 24, HourlyLine.Of("acme/a/b", [Point("2026-01-01T00:00:00Z", 3)], At("2026-06-01T00:00:00Z"), TimeZoneInfo.Utc)!.Values.Count);

    [Fact]
    public void Hours_in_which_nobody_was_counting_are_unknown_whatever_came()
    {
        var from = At("2026-03-01T05:00:00Z") / Instant.Hour;
        var line = HourlyLine.Of("acme/a/b", [Point("2026-03-01T05:00:00Z", 3), Point("2026-03-01T06:00:00Z", 1), Point("2026-03-01T09:00:00Z", 2)], At("2026-03-01T10:00:00Z"), TimeZoneInfo.Utc,
            new HashSet<long> { from + 1, from + 2 })!;
        Assert.Equal([3, null, null, 0, 2], line.Values);
    }

    [Fact]
    public void Clocks_that_are_put_forward_skip_an_hour_that_is_unknown()
    {
        var line = HourlyLine.Of("acme/a/b", [.. Hours("2026-03-28T23:00:00Z", 4)], At("2026-03-29T03:00:00Z"), TimeZoneInfo.FindSystemTimeZoneById("Europe/Rome"))!;
        // 0:00, 1:00, none, 3:00, 4:00
        Assert.Equal("2026-03-29 00:00:00", line.Start);
        Assert.Equal([1, 2, null, 3, 4], line.Values);
    }

    [Fact]
    public void Clocks_that_are_put_back_have_one_hour_for_two()
    {
        var line = HourlyLine.Of("acme/a/b", [.. Hours("2026-10-24T23:00:00Z", 4)], At("2026-10-25T03:00:00Z"), TimeZoneInfo.FindSystemTimeZoneById("Europe/Rome"))!;
        // 1:00, 2:00 twice (2 and 3), 3:00
        Assert.Equal([1, 3, 4], line.Values);
    }

    private static IEnumerable<ApiPoint> Hours(string first, int count) => Enumerable.Range(0, count).Select(i => new ApiPoint(At(first) + i * Instant.Hour, i + 1));

    private static ApiPoint Point(string time, double count) => new(At(time), count);

    private static long At(string time) => Instant.TryParse(time, out var micros) ? micros : throw new FormatException(time);
}
