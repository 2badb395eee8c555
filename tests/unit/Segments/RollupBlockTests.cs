using CsCheck;
using Foretier.Core.Rollups;
using Foretier.Core.Samples;
using Foretier.Core.Segments;

namespace Foretier.Tests.Unit.Segments;

public class RollupBlockTests
{
    private const long Minute = 60_000_000;

    [Fact]
    public void Rows_of_samples_of_every_shape_come_back_bit_for_bit() =>
        SegmentGen.Samples.Sample(samples => RoundTrips(Minute, RowsOf(samples, Minute)), iter: 200);

    [Fact]
    public void No_rows_and_more_than_a_group_come_back()
    {
        Assert.True(RoundTrips(Minute, new()));
        var rows = new BucketRows();
        for (var i = 0; i < 10_000; i++)
        {
            rows.Add(i * Minute, i * Minute + 7, i / 10.0, null);
        }
        Assert.True(RoundTrips(Minute, rows));
    }

    [Fact]
    public void Rollups_of_a_second_by_second_series_take_less_than_half_of_its_segment()
    {
        var random = new Random(3);
        var samples = new SampleColumns();
        for (int i = 0, level = 2150; i < 86_400; i++, level += random.Next(-2, 3))
        {
            samples.Add(1_489_017_600_000_000 + i * 1_000_000L, level / 100.0);
        }
        var block = RollupBlock.Encode(Minute, RowsOf(samples, Minute));
        Assert.InRange(block.Length, 1, Segment.Encode(samples).Bytes.Length / 2);
    }

    [Fact]
    public void Damage_is_found()
    {
        var samples = new SampleColumns();
        for (var i = 0; i < 300; i++)
        {
            samples.Add(i * 1_000_000L, i / 7.0, i % 9 == 0 ? "idle" : null);
        }
        var bytes = RollupBlock.Encode(Minute, RowsOf(samples, Minute));
        for (var length = 0; length < bytes.Length; length++)
        {
            Assert.Throws<SegmentFormatException>(() => RollupBlock.Decode(bytes.AsSpan(0, length), out _));
        }
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Throws<SegmentFormatException>(() => RollupBlock.Decode(bytes, out _));
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
        }
        bytes[1] = 9;
        Assert.Contains("version 9", Assert.Throws<SegmentFormatException>(() => RollupBlock.Decode(bytes, out _)).Message, StringComparison.Ordinal);
    }

    private static BucketRows RowsOf(SampleColumns samples, long step)
    {
        var rows = new BucketRows();
        rows.Add(samples, new BucketGrid(TimeRange.Everything, step));
        return rows;
    }

    private static bool RoundTrips(long step, BucketRows rows)
    {
        var decoded = RollupBlock.Decode(RollupBlock.Encode(step, rows), out var decodedStep);
        if (decodedStep != step || decoded.Count != rows.Count)
        {
            return false;
        }
        for (var i = 0; i < rows.Count; i++)
        {
            if (decoded.Rows[i].Start != rows.Rows[i].Start || !SegmentAssert.Same(decoded.Rows[i].Rollup, rows.Rows[i].Rollup))
            {
                return false;
            }
        }
        return true;
    }
}
