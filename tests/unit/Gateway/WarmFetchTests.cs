using CsCheck;
using Foretier.Core.Query;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Tiers;
using Foretier.Gateway.Warm;
using static Foretier.Tests.Unit.Gateway.WarmBed;

namespace Foretier.Tests.Unit.Gateway;

public class WarmFetchTests
{
    private static readonly Gen<(int Second, double Value)[]> Flush =
        Gen.Select(Gen.Int[0, 400], Gen.Double[-50, 50].Select(v => Math.Round(v, 2))).Array[1, 40].Select(a => a.DistinctBy(s => s.Item1).ToArray());

    [Fact]
    public async Task Answers_equal_the_last_written_samples_whatever_the_flushes_overlap()
    {
        await Gen.Select(Flush.Array[1, 6], Gen.Int[0, 500], Gen.Int[0, 500], Gen.Int[0, 3].Select(i => new[] { 0, 7, 60, 120 }[i])).SampleAsync(async (flushes, from, to, step) =>
        {
            await using var bed = await WarmBed.OpenAsync();
            var oracle = new SortedDictionary<int, double>();
            for (var i = 0; i < flushes.Length; i++)
            {
                await bed.ReceiveAsync(Batch(i, i + 1, flushes[i]));
                foreach (var (second, value) in flushes[i])
                {
                    oracle[second] = value;
                }
            }
            var range = new TimeRange(Day.Start + Math.Min(from, to) * Instant.Second, Day.Start + Math.Max(from, to) * Instant.Second);
            var expected = new SampleColumns();
            foreach (var (second, value) in oracle.Where(o => range.Contains(Day.Start + o.Key * Instant.Second)))
            {
                expected.Add(Day.Start + second * Instant.Second, value);
            }
            var part = new FetchPart(Edge, Day, 0, flushes.Length, range);

            var raw = await bed.Store.FetchAsync(new([Series], [part], true, 0, 0), default);
            Assert.Equal(Text(expected), Text(raw.Slices.SingleOrDefault()?.Samples ?? new()));

            var request = new FetchRequest([Series], [part], false, step * Instant.Second, Day.Start);
            var rows = new BucketRows();
            rows.Add(expected, request.GridOf(part.Range));
            var rollups = (await bed.Store.FetchAsync(request, default)).Slices.SingleOrDefault()?.Rows ?? new();
            Assert.Equal(Describe(rows), Describe(rollups));
        }, iter: 60);
    }

    private static string Describe(BucketRows rows)
    {
        var lines = new List<string>();
        foreach (ref readonly var row in rows.Rows)
        {
            var r = row.Rollup;
            lines.Add($"{row.Start}: {r.Count} {r.Min} {r.Max} {r.FirstTime} {r.First} {r.LastTime} {r.Last} {r.Sum:F6}");
        }
        return string.Join('\n', lines);
    }

    [Fact]
    public async Task Part_is_answered_as_asked_or_said_to_be_gone()
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(Batch(0, 2, (1, 10), (2, 20)));
        await bed.ReceiveAsync(Batch(2, 5, (2, 21), (3, 30)));

        Assert.Equal("1=10 2=21 3=30", await bed.ReadAsync(0, 5));
        Assert.Equal("1=10 2=21 3=30", await bed.ReadAsync(0, 2));
        Assert.Equal("2=21 3=30", await bed.ReadAsync(2, 5));
        Assert.Equal("gone", await bed.ReadAsync(0, 6));
        Assert.Equal("gone", await bed.ReadAsync(0, Holding.Latest));
        Assert.Equal("gone", await bed.ReadAsync(0, 5, "edge-2"));
        Assert.Empty((await bed.FetchAsync(0, 5, series: "acme/boiler-1/none")).Slices);
    }

    [Fact]
    public async Task Provenance_says_how_fine_it_had_to_read()
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(Batch(0, 1, [.. Enumerable.Range(0, 7200).Select(s => (s, s / 10.0))]));

        var use = Assert.Single((await bed.FetchAsync(0, 1)).Uses);
        Assert.Equal((Tier.Hdd, "gateway-1", Day.Range, "raw"), (use.Tier, use.Node, use.Range, use.Resolution));
        Assert.Equal("summary", Assert.Single((await bed.FetchAsync(0, 1, raw: false)).Uses).Resolution);
        Assert.Equal("1m", Assert.Single((await bed.FetchAsync(0, 1, raw: false, step: Instant.Hour)).Uses).Resolution);
        Assert.Equal("raw", Assert.Single((await bed.FetchAsync(0, 1, raw: false, step: 7 * Instant.Second)).Uses).Resolution);
    }

    [Fact]
    public async Task Reader_takes_at_most_one_read_a_segment_and_little_more_than_it_needs()
    {
        await using var bed = await WarmBed.OpenAsync();
        var random = new Random(7);
        for (var flush = 0; flush < 20; flush++)
        {
            await bed.ReceiveAsync(new(Day, flush, flush + 1, [.. Enumerable.Range(0, 50).Select(series => Shipped($"acme/boiler-{series}/temperature", flush + 1,
                [.. Enumerable.Range(0, 600).Select(s => (flush * 600 + s, Math.Round(random.NextDouble() * 30, 2)))]))]));
        }
        using var index = WarmIndex.Open(bed.Options.IndexPath);
        foreach (var (withRollups, fraction) in new[] { (false, 1), (true, 1), (false, 7), (true, 7) })
        {
            using var reader = new SegmentReader();
            Assert.True(reader.TryOpen(1, bed.FileOf(0)));
            var rows = WarmIndex.ReadSegments(index.Writer, 1).Where(r => r.Series % fraction == 0).Select(r => r.Row).ToList();

            var layers = reader.Read(rows, withRollups);

            Assert.Equal(rows.Select(r => (r.First, r.Last, r.Version)), layers.Select(l => (l.FirstTime, l.LastTime, l.Version)));
            Assert.True(reader.Reads <= rows.Count, $"{reader.Reads} reads for {rows.Count} segments");
            Assert.True(reader.BytesRead <= reader.BytesNeeded * 1.1, $"{reader.BytesRead} bytes read, {reader.BytesNeeded} needed");
        }
    }

    [Fact]
    public async Task Damaged_bytes_make_the_source_unavailable_not_wrong()
    {
        await using var bed = await WarmBed.OpenAsync();
        await bed.ReceiveAsync(Batch(0, 1, (1, 10), (2, 20), (3, 30)));
        var bytes = await File.ReadAllBytesAsync(bed.FileOf(0));
        var at = bytes.AsSpan().IndexOf(Shipped(Series, 1, (1, 10), (2, 20), (3, 30)).Bytes.Span);
        bytes[at + 5] ^= 0x10;
        await File.WriteAllBytesAsync(bed.FileOf(0), bytes);

        await Assert.ThrowsAsync<DataSourceUnavailableException>(() => bed.FetchAsync(0, 1));
    }
}
