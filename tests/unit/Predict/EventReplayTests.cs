using Foretier.Predict.Replay;
using Foretier.Predict.Replay.Events;

namespace Foretier.Tests.Unit.Predict;

public class EventReplayTests
{
    private const long Start = 1_735_689_600;
    private const long Day = 86_400;

    private static readonly ReplayOptions _options = new() { ScoredDays = 30 };

    [Fact]
    public async Task A_daily_report_finds_its_rollup_built_by_who_expects_it_and_not_by_who_waits_to_be_asked()
    {
        // One series of 100 samples an hour, of whose yesterday somebody reads 24 hourly rows each day at six.
        var reads = Enumerable.Range(1, 59).Select(d => new TraceRead(Start + d * Day + 6 * 3_600, 0, 3, Start + (d - 1) * Day, Start + d * Day));
        var trace = new EventTrace("report", Start, 60, ["acme/d/m"], [[.. Enumerable.Repeat(100, 60 * 24)]], [.. reads]);

        var predictive = await Run("predictive", trace);
        Assert.Equal((30L, 1.0, 1.0), (predictive.Reads, predictive.HotHit, predictive.PreSynthHit));
        Assert.InRange(predictive.SynthWaste, 0, 0.1);
        var lru = await Run("lru", trace);
        Assert.Equal((0.0, 0.0), (lru.HotHit, lru.PreSynthHit));
        // Every resolution of every day is built, and one is read.
        Assert.InRange((await Run("static", trace)).SynthWaste, 0.7, 0.8);
        Assert.Equal(1, (await Run("clairvoyant", trace)).PreSynthHit);
    }

    [Fact]
    public async Task A_workload_has_every_kind_of_reader_and_its_bounds_hold()
    {
        var options = new WorkloadOptions { Seed = 1, Accounts = 2, Devices = 8, Days = 60 };
        Assert.Equal(["alert", "daily", "dashboard", "investigation", "monthly", "weekly"],
            new QueryWorkload(options with { Devices = 30, Days = 90 }).Queries().Select(q => q.Reader).Distinct().Order());
        var trace = WorkloadTrace.Make("site", options);
        var reservations = await ReservationReplay.RunAsync(trace, _options, null, null, CancellationToken.None);
        Assert.Equal((0, 0, 1, 1), (reservations["clairvoyant"].OverRes, reservations["clairvoyant"].UnderRes, reservations["clairvoyant"].Coverage, reservations["clairvoyant"].PreAllocHit));
        Assert.InRange(reservations["predictive"].PreAllocHit, 0.95, 1);
        Assert.Equal(1, reservations["lru"].UnderRes, 9);

        var scores = await Task.WhenAll(EventReplay.Policies.Select(policy => EventReplay.RunAsync(policy, trace, _options, null, reservations[policy], null, CancellationToken.None)));
        var best = scores.Single(s => s.Policy == "clairvoyant");
        Assert.All(scores, s => Assert.True(s.HotHit <= best.HotHit + 1e-9 && s.Reads == best.Reads, s.Policy));
        Assert.All(scores, s => Assert.InRange(s.LatencyMean, 0.001, s.LatencyP95 + 1));
        // What everything on flash would take is a property of the reads, and nobody's 95th of 100 is quicker.
        Assert.All(scores, s => Assert.Equal(best.OnFlash, s.OnFlash));
        Assert.All(scores, s => Assert.True(s.OnFlash.Mean <= s.LatencyMean && s.OnFlash.P95 <= s.LatencyP95 && s.LatencyP95 <= s.LatencyP99, s.Policy));
        Assert.Equal(1, scores.Single(s => s.Policy == "static").PreSynthHit);
    }

    [Fact]
    public void A_workload_that_is_written_and_read_again_is_the_same()
    {
        var made = WorkloadTrace.Make("site", new() { Seed = 3, Accounts = 1, Devices = 3, Days = 30 });
        using var text = new StringWriter();
        WorkloadTrace.WriteCsv(text, made);
        using var lines = new StringReader(text.ToString());
        Assert.Equal(EventCsv.Header, lines.ReadLine());
        var read = EventCsv.Read(lines, "again");
        Assert.Equal((made.Start, made.Days, made.Reads.Count), (read.Start, read.Days, read.Reads.Count));
        for (var series = 0; series < read.Series.Count; series++)
        {
            var before = made.Series.Index().Single(s => s.Item == read.Series[series]).Index;
            Assert.All(Enumerable.Range(0, made.Days), day => Assert.Equal(made.SamplesOn(before, day), read.SamplesOn(series, day)));
        }
    }

    [Theory]
    [InlineData("1700000000,read,a/b/c,raw,1,2\n", "line 2: 6 columns")]
    [InlineData("1700000000,look,a/b/c,raw,1,2,3\n", "line 2: op is 'look'")]
    [InlineData("1700000000,read,a/b/c,raw,1,2,3\n1700000000,read,a/b/c,2m,1,2,3\n", "line 3: resolution is '2m'")]
    [InlineData("1700000000,read,a/b/c,raw,2,1,3\n", "line 2: from has to be before to")]
    [InlineData("now,read,a/b/c,raw,1,2,3\n", "line 2: t is 'now'")]
    [InlineData("1700000000,write,a/b/c,raw,1,2,many\n", "line 2: bytes is 'many'")]
    [InlineData("1700000000,write,a/b/c,raw,1,2,3\n", "no reads")]
    public void A_bad_row_is_named_with_its_line(string rows, string named) =>
        Assert.Contains(named, Assert.Throws<InvalidDataException>(() => EventCsv.Read(new StringReader(rows), "x")).Message, StringComparison.Ordinal);

    private static Task<EventScore> Run(string policy, EventTrace trace) =>
        EventReplay.RunAsync(policy, trace, _options with { HotShare = 0.3 }, null, new(0, 0, 0, 0, 0), null, CancellationToken.None);
}
